"""Messages and events as JSON: the one place that knows the Messages-API forms which SDKs, scripts and session
files share. What those forms lack rides in a `harness` key, so that decoding gives back the same values.
"""

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any, cast

from harness.events import Event, Result, System
from harness.messages import (
    Assistant,
    AssistantPart,
    HistoryMessage,
    Image,
    Stop,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    Usage,
    User,
    UserPart,
)

Json = dict[str, Any]

# What other people's readers stumble over in a line: half a character (no UTF-8 has it), and what some take for
# the end of a line. Within JSON they can stand in strings only, where an escape means the same.
_TROUBLESOME = re.compile("[\ud800-\udfff\x85\u2028\u2029]")


def line(value: Json) -> str:
    """`value` as one compact line of JSON that any reader of UTF-8 lines can read; without the line's end."""
    try:
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    except ValueError:  # a model's 1e999 is read as infinity, which JSON cannot say
        text = json.dumps(_finite(value), ensure_ascii=False, separators=(",", ":"))
    if text.isascii():  # known without a look; what follows takes longer than the rest
        return text
    return _TROUBLESOME.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _finite(value: Any) -> Any:
    """`value` with numbers that JSON has no form for as text."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    return [_finite(item) for item in value] if isinstance(value, list | tuple) else value


def usage_json(usage: Usage | None) -> Json:
    """Usage as the Messages API counts it: `input_tokens` without what came from the cache."""
    usage = usage or Usage()
    return {
        "input_tokens": _uncached(usage),
        "output_tokens": usage.output_tokens,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": usage.cached_tokens,
    }


def _uncached(usage: Usage) -> int:
    return max(0, usage.input_tokens - usage.cached_tokens)  # some servers count cached tokens apart


def usage_from(data: Mapping[str, Any]) -> Usage:
    """Usage as the Messages API counted it."""
    cached = _count(data.get("cache_read_input_tokens"))
    return Usage(_count(data.get("input_tokens")) + cached, _count(data.get("output_tokens")), cached)


def _count(value: Any) -> int:
    return value if isinstance(value, int) else 0


def block(part: UserPart | AssistantPart) -> Json:
    """One content block."""
    match part:
        case Text(text):
            return {"type": "text", "text": text}
        case Thinking(text):
            return {"type": "thinking", "thinking": text, "signature": ""}
        case Image(media_type, data):
            return {"type": "image", "source": {"type": "base64", "media_type": media_type, "data": data}}
        case ToolCall(id_, name, _, given):
            return {"type": "tool_use", "id": id_, "name": name, "input": dict(given or {})}


def _rest(part: AssistantPart) -> Json:
    """What `block` cannot say of a part; empty for most."""
    match part:
        case Thinking(_, field) if field != Thinking("").field:
            return {"field": field}
        case ToolCall(_, _, arguments, given, problem):
            return {"arguments": arguments, "usable": given is not None, "problem": problem}
    return {}


def _part(data: Mapping[str, Any], rest: Mapping[str, Any]) -> AssistantPart | Image | None:
    match data:
        case {"type": "text", "text": str(text)}:
            return Text(text)
        case {"type": "thinking", "thinking": str(text)}:
            return Thinking(text, rest.get("field", Thinking("").field))
        case {"type": "image", "source": {"media_type": str(media_type), "data": str(encoded)}}:
            return Image(media_type, encoded)
        case {"type": "tool_use", "id": str(id_), "name": str(name), "input": dict(given)}:
            # foreign writers' calls come without their exact text
            own = rest.get("arguments")
            arguments = own if isinstance(own, str) else json.dumps(given, ensure_ascii=False)
            problem = str(rest.get("problem") or "")
            return ToolCall(id_, name, arguments, given if rest.get("usable", True) else None, problem)
    return None  # a block of a foreign writer that no model here can be sent


def user_content(parts: tuple[UserPart, ...]) -> str | list[Json]:
    """A plain string where it is one text (session readers want prompts so), else blocks."""
    if len(parts) == 1 and isinstance(parts[0], Text):
        return parts[0].text
    return [block(part) for part in parts]


def message_json(message: HistoryMessage) -> Json:
    """The `message` object of an `assistant` or `user` line."""
    match message:
        case Assistant():
            return {
                "id": message.id,
                "type": "message",
                "role": "assistant",
                "model": message.model,
                "content": [block(part) for part in message.parts],
                "stop_reason": message.stop,
                "stop_sequence": None,
                "usage": usage_json(message.usage),
            }
        case User(parts):
            return {"role": "user", "content": user_content(parts)}
        case ToolResult(call_id, parts, is_error):
            content = user_content(parts)
            result = {"type": "tool_result", "tool_use_id": call_id, "content": content, "is_error": is_error}
            return {"role": "user", "content": [result]}


def assistant_pieces(message: Assistant) -> Iterator[tuple[Json, Json]]:
    """One (`message`, `harness`) pair per content block, sharing the id: how session files hold a message.

    `of` counts the message's blocks in its first piece, so that neighbours with one id (some servers give all
    the same) stay apart; a message without blocks is one empty text, of none.
    """
    whole = message_json(message)
    first: Json = {"of": len(message.parts), "usage": asdict(message.usage) if message.usage else None}
    for part in message.parts or (Text(""),):
        yield {**whole, "content": [block(part)]}, {**first, **_rest(part)}
        first = {}


def continues(piece: tuple[Json, Json], pieces: list[tuple[Json, Json]]) -> bool:
    """Whether `piece` belongs to the message that `pieces` began."""
    return bool(pieces) and "of" not in piece[1] and piece[0].get("id") == pieces[0][0].get("id")


def assistant_from(pieces: list[tuple[Json, Json]]) -> Assistant:
    """The message whose pieces these are."""
    first, rest = pieces[0]
    blocks = ((data, extra) for message, extra in pieces for data in _blocks(message))
    parts = (_part(data, extra) for data, extra in blocks) if rest.get("of") != 0 else ()
    return Assistant(
        first.get("id") or "",
        tuple(part for part in parts if isinstance(part, Text | Thinking | ToolCall)),
        cast("Stop", first.get("stop_reason") or "end_turn"),
        _usage(first, rest),
        first.get("model") or "",
    )


def _usage(message: Mapping[str, Any], rest: Mapping[str, Any]) -> Usage | None:
    match rest, message:
        case {"usage": dict(own)}, _:
            return Usage(**{field.name: _count(own.get(field.name)) for field in fields(Usage)})
        case {"usage": None}, _:
            return None
        case _, {"usage": dict(told)}:
            return usage_from(told)
    return None


def _blocks(message: Mapping[str, Any]) -> list[Json]:
    """A message's content blocks; foreign writers may have left it out, or written plain text."""
    match message.get("content"):
        case str(text):
            return [{"type": "text", "text": text}]
        case list(content):
            return [data for data in content if isinstance(data, dict)]
    return []


def user_from(message: Mapping[str, Any]) -> list[User | ToolResult]:
    """The user message, or the tool results, that a `user` line's `message` holds."""
    if isinstance(message.get("content"), str):
        return [User((Text(message["content"]),))]
    blocks = _blocks(message)
    results: list[User | ToolResult] = [
        ToolResult(str(data["tool_use_id"]), _user_parts(_blocks(data)), bool(data.get("is_error")))
        for data in blocks
        if data.get("type") == "tool_result" and "tool_use_id" in data
    ]
    parts = _user_parts(blocks)
    return [*results, User(parts)] if parts or message.get("content") == [] else results


def _user_parts(blocks: list[Json]) -> tuple[UserPart, ...]:
    return tuple(part for data in blocks if isinstance(part := _part(data, {}), Text | Image))


def result_json(result: Result) -> Json:
    """The result object of `conventions.md` 1.4; error subtypes carry `errors` and no `result`."""
    usage = result.usage
    line: Json = {
        "type": "result",
        "subtype": result.subtype,
        "is_error": result.is_error,
        "duration_ms": result.duration_ms,
        "duration_api_ms": result.duration_api_ms,
        "num_turns": result.num_turns,
        "stop_reason": result.stop_reason,
        "terminal_reason": result.terminal_reason,
        "total_cost_usd": result.total_cost_usd,
        "cost_known": result.cost_known,
        "usage": usage_json(usage),
        "modelUsage": _by_model(result),
        "permission_denials": [asdict(denial) for denial in result.permission_denials],
        "errors": list(result.errors),
    }
    if result.sandbox:
        line["sandbox"] = result.sandbox
    if result.subtype == "success":
        line["result"] = result.result
    if result.api_error_status is not None:
        line["api_error_status"] = result.api_error_status
    if result.context is not None:
        line["context"] = result.context
    if result.structured_output is not None:
        line["structured_output"] = result.structured_output
    if result.deferred_tool_use is not None:
        line["deferred_tool_use"] = result.deferred_tool_use
    return line


def _by_model(result: Result) -> Json:
    """Windows are known of the last model only."""
    spent = result.by_model or {result.model: (result.usage, result.total_cost_usd)}
    return {
        model: {
            "inputTokens": _uncached(usage),
            "outputTokens": usage.output_tokens,
            "cacheReadInputTokens": usage.cached_tokens,
            "cacheCreationInputTokens": 0,
            "webSearchRequests": 0,
            "costUSD": cost,
            "contextWindow": result.context_window if model == result.model else None,
            "maxOutputTokens": result.max_output if model == result.model else None,
        }
        for model, (usage, cost) in spent.items()
    }


def packed(message: HistoryMessage) -> Json:
    """A message alone, for a line that holds several."""
    match message:
        case Assistant():
            return {"assistant": [list(piece) for piece in assistant_pieces(message)]}
        case ToolResult(data=data):
            return {"user": message_json(message), "data": data}
        case User():
            return {"user": message_json(message)}


def unpacked(data: Mapping[str, Any]) -> HistoryMessage:
    """The message that `packed` packed."""
    if "assistant" in data:
        return assistant_from([(message, extra) for message, extra in data["assistant"]])
    (message,) = user_from(data["user"])
    return replace(message, data=data.get("data")) if isinstance(message, ToolResult) else message


def plain(event: Event) -> Json:
    """An event that has no form elsewhere, as it is: its tag and its fields; paths as text."""
    if isinstance(event, System):  # `fold` is for the session file alone
        return {"type": event.type, "subtype": event.subtype, "data": event.data}
    values = asdict(event)
    return {"type": event.type, **{name: str(v) if isinstance(v, Path) else v for name, v in values.items()}}
