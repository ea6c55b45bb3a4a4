"""Model servers as the doctor meets them: native doors beside /v1, and a model that does what the trials ask."""

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Json = dict[str, Any]
Answer = tuple[int, bytes]


@dataclass
class Fake:
    """`doors`: JSON by path. `chat` answers a request's body. `key`: else 401."""

    doors: Mapping[str, Any]
    chat: Callable[[Json], Answer]
    key: str = ""
    url: str = ""
    asked: list[Json] = field(default_factory=list)


def sse(delta: Json, prompt_tokens: int = 50, finish: str = "stop") -> Answer:
    usage = {"prompt_tokens": prompt_tokens, "completion_tokens": 5}
    chunk = {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}], "usage": usage}
    return 200, b"data: " + json.dumps(chunk).encode() + b"\n\ndata: [DONE]\n\n"


def refusal(status: int, message: str) -> Answer:
    return status, json.dumps({"error": {"message": message, "code": status}}).encode()


def able(body: Json) -> Answer:
    """A model that does as it is told, with tools and reasoning."""
    last, text = body["messages"][-1], str(body["messages"][-1]["content"])
    if last["role"] == "tool":
        return sse({"content": f"It says: {text}"})
    words = [word for word in ("alpha", "beta") if f"word {word}" in text]
    if "Call the tool" in text:
        calls = [
            {"index": n, "id": f"c{n}", "function": {"name": "lookup", "arguments": json.dumps({"word": word})}}
            for n, word in enumerate(words)
        ]
        return sse({"tool_calls": calls}, finish="tool_calls")
    return sse({"content": "ready", "reasoning": "Let me see."}, prompt_tokens=min(4096, len(text.split())))


def without_parser(body: Json) -> Answer:
    """vLLM without its two flags: the model itself can print calls."""
    if "tools" in body:
        return refusal(400, '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set')
    text = str(body["messages"][-1]["content"])
    if "Call the tool" not in text:
        return sse({"content": "4711" if "tool_response" in text else "ready"})
    call = '<tool_call>\n{"name": "lookup", "arguments": {"word": "%s"}}\n</tool_call>'
    return sse({"content": "\n".join(call % word for word in ("alpha", "beta") if f"word {word}" in text)})


@contextmanager
def serving(fake: Fake, port: int = 0) -> Iterator[Fake]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            self._send(self._door())

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            if not self.path.endswith("/chat/completions") or not self._let_in():
                self._send(self._door())
                return
            fake.asked.append(body)
            self._send(fake.chat(body), "text/event-stream")

        def _let_in(self) -> bool:
            return not fake.key or self.headers.get("authorization") == f"Bearer {fake.key}"

        def _door(self) -> Answer:
            if not self._let_in():
                return refusal(401, "Unauthorized")
            if self.path not in fake.doors:
                return refusal(404, "Not Found")
            return 200, json.dumps(fake.doors[self.path]).encode()

        def _send(self, answer: Answer, kind: str = "application/json") -> None:
            status, data = answer
            self.send_response(status)
            self.send_header("content-type", kind if status == 200 else "application/json")
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    fake.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield fake
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def models(*names: str, **more: Any) -> Json:
    return {"object": "list", "data": [{"id": name, "object": "model", **more} for name in names]}


def ollama(*, loaded: bool = True) -> Fake:
    """Ollama, whose window by default is 4,096 tokens: over that it drops messages and says nothing."""
    running = [{"name": "qwen3:8b", "model": "qwen3:8b", "context_length": 4096}]
    shown = {"model_info": {"general.architecture": "qwen3", "qwen3.context_length": 40960}, "parameters": ""}
    doors = {
        "/v1/models": models("qwen3:8b", owned_by="library"),
        "/api/ps": {"models": running if loaded else []},
        "/api/show": {**shown, "capabilities": ["completion", "tools", "thinking"]},
    }

    def chat(body: Json) -> Answer:
        doors["/api/ps"] = {"models": running}  # the first request loads it
        return able(body)

    return Fake(doors, chat)


def vllm(chat: Callable[[Json], Answer] = able, **more: Any) -> Fake:
    doors = {"/v1/models": models("coder", owned_by="vllm", max_model_len=131072), "/version": {"version": "0.33.0"}}
    return Fake(doors, chat, **more)
