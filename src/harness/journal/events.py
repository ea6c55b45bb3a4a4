"""The session file back as the events that were kept, in their order: for who shows a session again, or runs it again.

`fold.replay` says what a session remembers; this says what happened.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from harness.codec import assistant_from, continues, user_from
from harness.events import (
    AssistantMessage,
    Denial,
    Event,
    HookPermissionResult,
    Notice,
    PreventContinuation,
    Result,
    System,
    UserMessage,
)
from harness.journal.fold import Json, Pieces, parsed
from harness.messages import Text, ToolResult, Usage, User

BACK = "back_to"  # in the data of a `rewind` event: the conversation went back to that entry

_OWN: Mapping[str, type[Any]] = {kind.type: kind for kind in (HookPermissionResult, Notice, PreventContinuation)}


@dataclass(frozen=True, slots=True)
class Kept:
    """An event, and what of the session's state changed with it."""

    event: Event
    state: Mapping[str, Any] = field(default_factory=dict)


def kept(lines: Iterable[str]) -> Iterator[Kept]:
    """The events of a session file. What is torn, unknown or another writer's is passed over."""
    pieces: Pieces = []
    marks: Json = {}
    for text in lines:
        entry = parsed(text)
        if entry is None or entry.get("isSidechain") is True:
            continue
        extra = entry.get("harness")
        extra = extra if isinstance(extra, dict) else {}
        message = entry.get("message")
        if entry.get("type") == "assistant" and isinstance(message, dict):
            if not continues((message, extra), pieces):
                yield from _whole(pieces, marks)
                pieces, marks = [], {}
            pieces.append((message, extra))
            marks |= extra
            continue
        if entry.get("type") in ("user", "system", "harness"):  # a tuple: it may be anything
            yield from _whole(pieces, marks)
            pieces, marks = [], {}
            yield from _other(entry, extra)
    yield from _whole(pieces, marks)


def _whole(pieces: Pieces, marks: Json) -> Iterator[Kept]:
    if pieces:
        interrupted, cost = marks.get("interrupted") is True, marks.get("cost")
        cost = cost if isinstance(cost, int | float) else None
        message = assistant_from(pieces)
        event = AssistantMessage(message=message, interrupted=interrupted, cost=cost)
        yield Kept(event, _state(marks))


def _other(entry: Json, extra: Json) -> Iterator[Kept]:
    match entry:
        case {"type": "user", "message": dict(message)} if not extra.get("shown"):
            yield from _user(entry, message, extra)
        case {"type": "system", "subtype": "compact_boundary"}:
            data = entry.get("compactMetadata")
            fold = extra.get("fold")
            data, fold = (each if isinstance(each, dict) else {} for each in (data, fold))
            yield Kept(System(subtype="compact_boundary", data=data, fold=fold))
        case {"rewind": str() | None as uuid}:
            yield Kept(System(subtype="rewind", data={BACK: uuid}))
        case {"event": dict(data)} if (found := _own(data)) is not None:
            yield Kept(found, _state(entry))


def _user(entry: Json, message: Json, extra: Json) -> Iterator[Kept]:
    added = extra.get("added")
    ours = "harness" if entry.get("isMeta") is True else "prompt"
    whose: Any = extra.get("source") or ours
    for each in user_from(message):
        if isinstance(each, ToolResult):
            whole = ToolResult(each.call_id, each.parts, each.is_error, entry.get("toolUseResult"))
            source: Any = extra.get("source") or "tool"
            yield Kept(UserMessage(message=whole, source=source), _state(extra))
        else:
            more = (Text(text) for text in added if isinstance(text, str)) if isinstance(added, list) else ()
            said = User((*each.parts, *more))
            yield Kept(UserMessage(message=said, source=whose), _state(extra))


def _state(marks: Json) -> Mapping[str, Any]:
    state = marks.get("state")
    return state if isinstance(state, dict) else {}


def _own(data: Json) -> Event | None:
    """An event of our own lines; None for one that this version does not know."""
    values = {name: value for name, value in data.items() if name != "type"}
    try:
        match data.get("type"):
            case "system" if isinstance(subtype := values["subtype"], str):
                return System(subtype=subtype, data=dict(values["data"]))  # type: ignore[arg-type]  # perhaps a newer one
            case "result":
                return _result(values)
            case str(tag) if tag in _OWN:
                known = {each.name for each in fields(_OWN[tag])}
                texts = {name: value for name, value in values.items() if name in known and isinstance(value, str)}
                made: Event = _OWN[tag](**texts)
                return made
    except (KeyError, TypeError, ValueError, AttributeError):
        pass  # a line of another version
    return None


def _result(values: Json) -> Result:
    known = {each.name for each in fields(Result)}
    made = {name: value for name, value in values.items() if name in known}
    for name in ("num_turns", "duration_ms", "duration_api_ms", "total_cost_usd"):
        made[name] = made[name] + 0  # raises TypeError for what is no number
    for name in ("context_window", "max_output"):
        made[name] = found if isinstance(found := made.get(name), int) else None
    made["usage"] = _usage(values["usage"])
    made["permission_denials"] = tuple(Denial(**each) for each in values.get("permission_denials") or ())
    made["errors"] = tuple(values.get("errors") or ())
    spent = values.get("by_model") or {}
    made["by_model"] = {model: (_usage(usage), cost + 0) for model, (usage, cost) in spent.items()}
    return Result(**made)


def _usage(values: Json) -> Usage:
    return Usage(**{name: count + 0 for name, count in values.items()})
