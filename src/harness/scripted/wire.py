"""A turn on the wire: the JSON and the server-sent events of OpenAI's chat completions."""

import json
import time
from collections.abc import Iterator
from typing import Any

from harness.scripted.chat import Chat
from harness.scripted.play import Turn
from harness.scripted.script import Script

DONE = b"data: [DONE]\n\n"


def dumps(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def error_body(status: int, message: str, kind: str = "invalid_request_error") -> bytes:
    return dumps({"error": {"message": message, "type": kind, "param": None, "code": status}}).encode()


def models_body(script: Script) -> bytes:
    """The model list in vLLM's shape: `max_model_len` is the window in tokens."""
    names = script.models or ("scripted",)
    models = [
        {"id": name, "object": "model", "owned_by": "harness", "max_model_len": script.context_window} for name in names
    ]
    return dumps({"object": "list", "data": models}).encode()


def completion(turn: Turn, chat: Chat) -> bytes:
    """The answer to a request that does not stream."""
    message: dict[str, Any] = {"role": "assistant", "content": turn.text or None}
    if turn.reasoning:
        message["reasoning_content"] = turn.reasoning
    if turn.step.calls:
        message["tool_calls"] = _calls(turn)
    choice = {"index": 0, "message": message, "finish_reason": _finish(turn)}
    body = _head(turn, chat, "chat.completion") | {"choices": [choice]}
    if usage := _usage(turn, chat):
        body["usage"] = usage
    return dumps(body).encode()


def events(turn: Turn, chat: Chat) -> Iterator[bytes]:
    """The answer as server-sent events; a usage chunk only where `stream_options.include_usage` asked for it."""
    head = _head(turn, chat, "chat.completion.chunk")
    size = turn.step.pace.characters

    def chunk(delta: dict[str, Any], finish: str | None = None) -> bytes:
        return _event(head | {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})

    yield chunk({"role": "assistant", "content": ""})
    for name, text in (("reasoning_content", turn.reasoning), ("content", turn.text)):
        for piece in _pieces(text, size):
            yield chunk({name: piece})
    for index, call in enumerate(_calls(turn)):
        arguments = call["function"]["arguments"]
        first = call | {"index": index, "function": {"name": call["function"]["name"], "arguments": ""}}
        yield chunk({"tool_calls": [first]})
        for piece in _pieces(arguments, size):
            yield chunk({"tool_calls": [{"index": index, "function": {"arguments": piece}}]})
    yield chunk({}, _finish(turn))
    options = chat.body.get("stream_options")
    if isinstance(options, dict) and options.get("include_usage") and (usage := _usage(turn, chat)):
        yield _event(head | {"choices": [], "usage": usage})
    yield DONE


def _event(value: dict[str, Any]) -> bytes:
    return f"data: {dumps(value)}\n\n".encode()


def _pieces(text: str, size: int) -> Iterator[str]:
    return (text[start : start + size] for start in range(0, len(text), size))


def _head(turn: Turn, chat: Chat, kind: str) -> dict[str, Any]:
    return {
        "id": f"chatcmpl-{turn.number}",
        "object": kind,
        "created": int(time.time()),
        "model": chat.body["model"],
    }


def _calls(turn: Turn) -> list[dict[str, Any]]:
    pairs = zip(turn.step.calls, turn.arguments, strict=True)
    return [
        {
            "id": call.id or f"call_{turn.number}_{index}",
            "type": "function",
            "function": {"name": call.name, "arguments": filled if isinstance(filled, str) else dumps(filled)},
        }
        for index, (call, filled) in enumerate(pairs)
    ]


def _finish(turn: Turn) -> str:
    return turn.step.finish or ("tool_calls" if turn.step.calls else "stop")


def _usage(turn: Turn, chat: Chat) -> dict[str, Any] | None:
    """Four bytes to a token where the script does not say: rough, but growing with the conversation."""
    told = turn.step.usage
    if told is None:
        return None
    answer = len((turn.text + turn.reasoning + dumps(list(turn.arguments))).encode())
    prompt = -(-len(chat.raw) // 4) if told.prompt_tokens is None else told.prompt_tokens
    output = -(-answer // 4) if told.completion_tokens is None else told.completion_tokens
    return {
        "prompt_tokens": prompt,
        "completion_tokens": output,
        "total_tokens": prompt + output,
        "prompt_tokens_details": {"cached_tokens": told.cached_tokens},
        "completion_tokens_details": {"reasoning_tokens": told.reasoning_tokens},
    }
