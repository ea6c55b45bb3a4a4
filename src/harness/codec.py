"""Messages and events as JSON: the one place that knows the Messages-API forms which SDKs, scripts and session
files share. What those forms lack rides in a `harness` key, so that decoding gives back the same values.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any, cast

from harness.events import Event, Result
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


def usage_json(usage: Usage | None) -> Json:
    """Usage as the Messages API counts it: `input_tokens` without what came from the cache."""
    usage = usage or Usage()
    return {
        "input_tokens": usage.input_tokens - usage.cached_tokens,
        "output_tokens": usage.output_tokens,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": usage.cached_tokens,
    }


def usage_from(data: Mapping[str, Any]) -> Usage:
    cached = int(data.get("cache_read_input_tokens") or 0)
    return Usage(int(data.get("input_tokens") or 0) + cached, int(data.get("output_tokens") or 0), cached)


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


def _rest(part: UserPart | AssistantPart) -> Json:
    """What `block` cannot say of a part; empty for most."""
    match part:
        case Thinking(_, field) if field != Thinking("").field:
            return {"field": field}
        case ToolCall(_, _, arguments, given, problem):
            return {"arguments": arguments, "usable": given is not None, "problem": problem}
    return {}


def _part(data: Mapping[str, Any], rest: Mapping[str, Any]) -> AssistantPart | Image | None:
    match data.get("type"):
        case "text":
            return Text(data["text"])
        case "thinking":
            return Thinking(data["thinking"], rest.get("field", Thinking("").field))
        case "image":
            return Image(data["source"]["media_type"], data["source"]["data"])
        case "tool_use":
            import json  # noqa: PLC0415  only foreign writers' calls come without their exact text

            arguments = rest.get("arguments") or json.dumps(data["input"], ensure_ascii=False)
            usable = rest.get("usable", True)
            problem = rest.get("problem", "")
            return ToolCall(data["id"], data["name"], arguments, data["input"] if usable else None, problem)
    return None  # a block type of a foreign writer that no model here can be sent


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
    """One (`message`, `harness`) pair per content block, sharing the id: how session files hold a message."""
    whole = message_json(message)
    told = {"usage_told": message.usage is not None}
    for part in message.parts or (Text(""),):
        yield {**whole, "content": [block(part)]}, {**told, **_rest(part)}


def assistant_from(pieces: list[tuple[Json, Json]]) -> Assistant:
    """The message whose pieces these are."""
    first, rest = pieces[0]
    blocks = ((data, extra) for message, extra in pieces for data in message["content"])
    parts = (_part(data, extra) for data, extra in blocks)
    return Assistant(
        first["id"],
        tuple(cast("AssistantPart", part) for part in parts if part and part != Text("")),
        cast("Stop", first.get("stop_reason") or "end_turn"),
        usage_from(first["usage"]) if rest.get("usage_told", True) and first.get("usage") else None,
        first.get("model", ""),
    )


def user_from(message: Mapping[str, Any]) -> list[User | ToolResult]:
    """The user message, or the tool results, that a `user` line's `message` holds."""
    content = message["content"]
    if isinstance(content, str):
        return [User((Text(content),))]
    results: list[User | ToolResult] = []
    parts: list[UserPart] = []
    for data in content:
        if data.get("type") == "tool_result":
            inner = user_from({"content": data.get("content") or ""})
            held = tuple(part for message in inner for part in message.parts)
            results.append(ToolResult(data["tool_use_id"], held, bool(data.get("is_error"))))
        elif isinstance(part := _part(data, {}), Text | Image):
            parts.append(part)
    return [*results, User(tuple(parts))] if parts else results


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
        "modelUsage": {
            result.model: {
                "inputTokens": usage.input_tokens - usage.cached_tokens,
                "outputTokens": usage.output_tokens,
                "cacheReadInputTokens": usage.cached_tokens,
                "cacheCreationInputTokens": 0,
                "webSearchRequests": 0,
                "costUSD": result.total_cost_usd,
                "contextWindow": result.context_window,
                "maxOutputTokens": result.max_output,
            }
        },
        "permission_denials": [asdict(denial) for denial in result.permission_denials],
        "errors": list(result.errors),
    }
    if result.subtype == "success":
        line["result"] = result.result
    if result.api_error_status is not None:
        line["api_error_status"] = result.api_error_status
    if result.structured_output is not None:
        line["structured_output"] = result.structured_output
    return line


def plain(event: Event) -> Json:
    """An event that has no form elsewhere, as it is: its tag and its fields."""
    return {"type": event.type, **asdict(event)}
