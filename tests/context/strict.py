"""A model server with a window: it refuses what is too long, unpaired, or not the last request with something added.

It answers by a function of the request and counts tokens as characters / 4, so that nobody can guess it exactly.
"""

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from harness.scripted.chat import Chat, Malformed

Json = dict[str, Any]
Reply = Mapping[str, Any]  # text, calls


@dataclass
class Strict:
    """`window` in tokens. `rewrites` counts requests that did not begin with the one before, by why they may."""

    window: int
    reply: Callable[[Chat], Reply]
    chats: list[Chat] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    rewrites: list[str] = field(default_factory=list)
    url: str = ""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def tokens(self, chat: Chat) -> int:
        return len(json.dumps(chat.body, ensure_ascii=False)) // 4

    def answer(self, raw: bytes) -> tuple[int, Json]:
        with self._lock:
            try:
                chat = Chat(raw, {})
            except Malformed as error:
                return self._refuse(f"malformed: {error}")
            if (count := self.tokens(chat)) > self.window:
                text = f"This model's maximum context length is {self.window} tokens. However, your request has {count} tokens."
                return self._refuse(text)
            if why := self._rewritten(chat):
                if not compacted(chat):
                    return self._refuse(f"rewritten: {why}")
                self.rewrites.append(why)
            self.chats.append(chat)
            return 200, self._completion(chat, count)

    def _refuse(self, why: str) -> tuple[int, Json]:
        self.refusals.append(why)
        return 400, {"error": {"message": why, "type": "invalid_request_error", "code": 400}}

    def _rewritten(self, chat: Chat) -> str:
        """How the request differs from the last one in what both have; '' where only something was added."""
        if not self.chats:
            return ""
        before = self.chats[-1]
        if before.body.get("tools") != chat.body.get("tools"):
            return "tools"
        for number, (old, new) in enumerate(zip(before.messages, chat.messages, strict=False)):
            if old != new:
                return f"message {number}"
        return "shorter" if len(chat.messages) < len(before.messages) else ""

    def _completion(self, chat: Chat, count: int) -> Json:
        made = self.reply(chat)
        calls = [
            {
                "index": i,
                "id": f"c{len(self.chats)}_{i}",
                "type": "function",
                "function": {"name": n, "arguments": json.dumps(a)},
            }
            for i, (n, a) in enumerate(made.get("calls", ()))
        ]
        message = {"role": "assistant", "content": made.get("text", "")} | ({"tool_calls": calls} if calls else {})
        said = max(1, len(json.dumps(message)) // 4)
        choice = {"index": 0, "delta": message, "finish_reason": "tool_calls" if calls else "stop"}
        usage = {"prompt_tokens": count, "completion_tokens": said, "total_tokens": count + said}
        return {
            "id": "x",
            "object": "chat.completion.chunk",
            "created": 0,
            "model": "m",
            "choices": [choice],
            "usage": usage,
        }


def compacted(chat: Chat) -> bool:
    """Whether a request is one that may begin anew: it was compacted, or stale results were moved out of it."""
    text = "\n".join(chat.texts)
    return "<compacted>" in text or "[Moved out of the conversation" in text or asks_summary(chat)


def asks_summary(chat: Chat) -> bool:
    return chat.last_role == "user" and "## Next step" in chat.texts[-1]


SUMMARY = """\
## Goal
Read all the files that the user names, one after the other.
## Constraints
Those of the user.
## Next step
Read the file that comes next and report on it.
"""


@contextmanager
def serving(strict: Strict) -> Iterator[Strict]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # an answer in one piece: two small ones wait for each other's acknowledgement

        def log_message(self, *_: object) -> None: ...

        def do_GET(self) -> None:
            models = {"object": "list", "data": [{"id": "m", "object": "model", "max_model_len": strict.window}]}
            self._send(200, json.dumps(models).encode(), "application/json")

        def do_POST(self) -> None:
            status, made = strict.answer(self.rfile.read(int(self.headers["content-length"])))
            if status != 200:
                self._send(status, json.dumps(made).encode(), "application/json")
            else:
                data = f"data: {json.dumps(made)}\n\ndata: [DONE]\n\n".encode()
                self._send(200, data, "text/event-stream")

        def _send(self, status: int, body: bytes, kind: str) -> None:
            self.send_response(status)
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    strict.url = f"http://127.0.0.1:{server.server_port}/v1"
    try:
        yield strict
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
