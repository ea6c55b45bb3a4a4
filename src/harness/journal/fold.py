"""Reading the session file: the one fold from its lines to what a session remembers.

Lines that are torn, unknown or somebody else's are passed over. An entry that follows (`parentUuid`) an earlier one
than the last begins a branch: what came after that earlier one counts no more.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from harness.codec import assistant_from, continues, packed, unpacked, user_from
from harness.context.fold import folded
from harness.messages import Assistant, HistoryMessage, Text, ToolResult, User, splice, spliced

Json = dict[str, Any]
MALFORMED = (AttributeError, IndexError, KeyError, OverflowError, TypeError, ValueError)  # what odd values raise
Pieces = list[tuple[Json, Json]]
Places = dict[str, tuple[int, Pieces, int]]
Before = tuple[list[HistoryMessage], list[Mapping[str, Any]], list[str], Places]

CUT_OFF = "Interrupted: Harness ended while this call was running, and what it had done so far may remain."
NOT_BEGUN = "Interrupted: Harness ended before this call began. It has done nothing."


@dataclass(slots=True)
class Past:
    """What a session file comes to. `state` holds what else the session keeps: mode, model, todos, cwd and so on.

    `leaf` is the uuid that the next entry follows, `calls` those of the calls without a result; `at` says for each
    message the uuid of its last entry ('' where it has none). `began` are the calls that were allowed to run.
    """

    messages: list[HistoryMessage] = field(default_factory=list)
    state: Mapping[str, Any] = field(default_factory=dict)
    leaf: str | None = None
    calls: dict[str, str] = field(default_factory=dict)
    at: list[str] = field(default_factory=list)
    began: set[str] = field(default_factory=set)
    tells: bool = False  # the file says which calls began
    deferred: str = ""  # the call that the last turn ended with, because a hook deferred it
    title: str = ""
    ever: list[HistoryMessage] = field(default_factory=list)  # what was said and done, whatever was compacted since
    torn: int = 0  # characters of a last line that is no line

    def waits(self, at: int) -> bool:
        """Whether the message there is the last, and its call was deferred: it has no answer yet, and needs none.

        One that was taken up has begun: it is never run again.
        """
        said = self.messages[at]
        ids = [call.id for call in said.calls] if isinstance(said, Assistant) else []
        last = at + 1 == len(self.messages)
        return last and bool(self.deferred) and ids == [self.deferred] and self.deferred not in self.began

    def cut_off(self, call_id: str) -> ToolResult:
        text = CUT_OFF if call_id in self.began or not self.tells else NOT_BEGUN
        return ToolResult(call_id, (Text(text),), is_error=True, data=f"Error: {text}")


@dataclass(slots=True)
class _Fold:
    """`places`: entry uuid -> once it was read, how many whole messages there were, the pieces of an unfinished one,
    and how many messages there had ever been."""

    past: Past = field(default_factory=Past)
    states: list[Mapping[str, Any]] = field(default_factory=list)  # after each message
    places: Places = field(default_factory=dict)
    pieces: Pieces = field(default_factory=list)
    last: str = ""  # uuid of the last piece
    # before each compaction, for a way back behind it
    older: list[Before] = field(default_factory=list)
    undone: "list[_Fold]" = field(default_factory=list)  # what each rewind took back

    def read(self, entry: Json) -> None:
        """One entry. What is of a form that nobody writes counts as far as it could be read: no file keeps us from
        beginning, whoever made it."""
        try:
            self.take(entry)
        except MALFORMED:
            pass

    def take(self, entry: Json) -> None:
        extra = entry.get("harness")
        extra = extra if isinstance(extra, dict) else {}
        match entry:
            case {"isSidechain": True}:
                return
            case {"type": "assistant", "message": dict(message)}:
                self._assistant(entry, message, extra)
            case {"type": "user", "message": dict(message)}:
                if not extra.get("shown"):
                    self._user(entry, message, extra)
                self._reached(entry)
            case {"type": "system", "subtype": "compact_boundary"}:
                self._compacted(extra.get("fold") or {"texts": [], "kept": 0})
                self._reached(entry)
            case {"type": "system" | "attachment" | "progress"}:
                self._reached(entry)
            case {"type": "harness"}:
                self._own(entry)
            case {"type": "custom-title", "customTitle": str(title)}:
                self.past.title = title
        self._changed(extra.get("state"))

    def _assistant(self, entry: Json, message: Json, extra: Json) -> None:
        self.past.deferred = ""
        if not continues((message, extra), self.pieces):
            self.finish()
            self._branch(entry.get("parentUuid"))
        self.pieces.append((message, extra))
        self.last = str(entry.get("uuid") or "")
        for block in message.get("content") or ():
            if isinstance(block, dict) and block.get("type") == "tool_use" and isinstance(entry.get("uuid"), str):
                self.past.calls[str(block.get("id"))] = entry["uuid"]
        self._reached(entry)

    def _user(self, entry: Json, message: Json, extra: Json) -> None:
        self.finish()
        found = user_from(message)
        if found and not isinstance(found[0], ToolResult):
            self._branch(entry.get("parentUuid"))
        if "added" in extra and found and isinstance(found[0], User):
            found[0] = User((*found[0].parts, *map(Text, extra["added"])))
        for one in found:
            if isinstance(one, ToolResult):
                self.past.calls.pop(one.call_id, None)
                self.past.deferred = ""
                self.past.began.discard(one.call_id)
            self._append(one, str(entry.get("uuid") or ""), ours=entry.get("isMeta") is True)

    def _own(self, entry: Json) -> None:
        match entry:
            case {"event": {"type": "hookPermissionResult", "decision": "allow", "call_id": str(call_id)}}:
                self.past.began.add(call_id)
                self.past.tells = True
            case {"event": {"type": "result", "deferred_tool_use": {"id": str(call_id)}}}:
                self.past.deferred = call_id
            case {"rewind": str() | None as uuid}:
                self.finish()
                self.undone.append(copy(self))
                self.cut(uuid)
            case {"rewound": True} if self.undone:
                self._take_over(self.undone.pop())
            case {"fold": dict(fold)}:
                self.finish()
                self._fold(fold)
        self._changed(entry.get("state"))

    def _take_over(self, before: "_Fold") -> None:
        """A rewind is undone: what came after it counts no more, what it took back counts again."""
        self.past, self.states, self.places = before.past, before.states, before.places
        self.pieces, self.last, self.older = before.pieces, before.last, before.older

    def _append(self, message: HistoryMessage, uuid: str, *, ours: bool = False) -> None:
        self.past.messages.append(message)
        if not ours:
            self.past.ever.append(message)
        self.past.at.append(uuid)
        self.states.append(self.past.state)

    def finish(self) -> None:
        """The message whose pieces were read is whole."""
        if self.pieces:
            pieces, self.pieces = self.pieces, []
            self._append(assistant_from(pieces), self.last)

    def _reached(self, entry: Json) -> None:
        if isinstance(uuid := entry.get("uuid"), str):
            self.past.leaf = uuid
            self.places[uuid] = len(self.past.messages), list(self.pieces), len(self.past.ever)

    def _changed(self, state: object) -> None:
        if not isinstance(state, dict):
            return
        merged = {k: {**self.past.state.get(k, {}), **v} if k == "seen" else v for k, v in state.items()}
        self.past.state = {**self.past.state, **merged}
        if self.states and not self.pieces:
            self.states[-1] = self.past.state

    def _branch(self, parent: object) -> None:
        """Where this follows an earlier entry than the last, go back there; results of one message are siblings."""
        if not isinstance(parent, str) or parent == self.past.leaf:
            return
        if parent in self.places:
            count, pieces, _ = self.places[parent]
            later = self.past.messages[count + bool(pieces) :]
            if all(isinstance(message, ToolResult) for message in later) and not self._within(count, pieces):
                return
        self.cut(parent)

    def _within(self, count: int, pieces: Pieces) -> bool:
        """Whether these pieces are only a beginning of the message at `count`."""
        if not pieces or count >= len(self.past.messages):
            return False
        whole = self.past.messages[count]
        return isinstance(whole, Assistant) and len(assistant_from(pieces).parts) < len(whole.parts)

    def cut(self, uuid: str | None) -> None:
        """Forget what came after an entry; None: everything. One that nobody knows changes nothing."""
        past = self.past
        if uuid is None:
            past.messages, past.at, past.ever, past.calls, past.leaf = [], [], [], {}, None
            past.state, self.states, self.places, self.older = {}, [], {}, []
            return
        if uuid not in self.places and not any(uuid in places for *_, places in self.older):
            return
        while uuid not in self.places:
            past.messages, self.states, past.at, self.places = self.older.pop()
        count, pieces, ever = self.places[uuid]
        states = self.states
        past.messages, past.at, past.ever = past.messages[:count], past.at[:count], past.ever[:ever]
        if pieces:
            past.messages.append(assistant_from(pieces))
            past.at.append(uuid)
            past.ever.append(past.messages[-1])
        self.states = states[: len(past.messages)]
        past.state = self.states[-1] if self.states else {}
        past.calls = _open(past.messages, uuid)
        past.leaf = uuid

    def _compacted(self, fold: Json) -> None:
        """The history gives way to what it is folded to; a boundary of another writer's leaves nothing of it."""
        self.finish()
        past = self.past
        self.older.append((past.messages, self.states, past.at, self.places))
        past.messages, self.states, past.at = list(past.messages), list(self.states), list(past.at)
        self.places = {}
        self._fold(fold)

    def _fold(self, fold: Json) -> None:
        past, before = (
            self.past,
            {id(message): uuid for message, uuid in zip(self.past.messages, self.past.at, strict=True)},
        )
        if fold.get("texts") == [] and not fold.get("kept"):
            past.messages = []
        elif "made" in fold:
            made = [range(*item) if isinstance(item, list) else unpacked(item) for item in fold["made"]]
            past.messages = spliced(past.messages, tuple(made))
        else:
            past.messages = folded(past.messages, fold)
        past.at = [before.get(id(message), "") for message in past.messages]
        past.calls = {call: uuid for call, uuid in past.calls.items() if call in _open(past.messages, "")}
        self.states = [past.state] * len(past.messages)


def _open(messages: list[HistoryMessage], uuid: str) -> dict[str, str]:
    """The calls of the last model message that have no result yet; `uuid` for all of them."""
    last = max((i for i, message in enumerate(messages) if isinstance(message, Assistant)), default=-1)
    if last < 0:
        return {}
    answered = {message.call_id for message in messages[last:] if isinstance(message, ToolResult)}
    whole = messages[last]
    calls = whole.calls if isinstance(whole, Assistant) else ()
    return {call.id: uuid for call in calls if call.id not in answered}


def copy(fold: _Fold) -> _Fold:
    """A fold that what comes later does not change."""
    past = fold.past
    kept = replace(
        past,
        messages=list(past.messages),
        calls=dict(past.calls),
        at=list(past.at),
        began=set(past.began),
        ever=list(past.ever),
    )
    return _Fold(kept, list(fold.states), dict(fold.places), list(fold.pieces), fold.last, list(fold.older))


def replay(lines: Iterable[str], until: str | None = None) -> Past:
    """What these lines come to: up to the entry `until`, and no further.

    Read the file as UTF-8 with errors replaced and its lines ended by `\\n` alone: a torn line may end within a
    character.
    """
    fold, text = _Fold(), ""
    fold.past.torn = 0
    for text in lines:
        entry = parsed(text)
        if entry is not None:
            fold.read(entry)
            if until is not None and entry.get("uuid") == until:
                break
        fold.past.torn = len(text) if entry is None and not text.endswith("\n") else 0
    fold.finish()
    return fold.past


def parsed(text: str) -> Json | None:
    """The entry of a line; None where it holds none."""
    try:
        entry = json.loads(text)
    except (ValueError, RecursionError):  # RecursionError: thousands of brackets, which we never write
        return None
    return entry if isinstance(entry, dict) else None


def paired(past: Past) -> list[HistoryMessage]:
    """The history with an answer to each call, where it belongs; what answers no call is dropped.

    Every request needs it so; a process that died, and other writers, leave it otherwise.
    """
    made: list[HistoryMessage] = []
    messages = past.messages
    starts = [i for i, message in enumerate(messages) if isinstance(message, Assistant)]
    made += [message for message in messages[: starts[0] if starts else None] if isinstance(message, User)]
    for start, end in zip(starts, [*starts[1:], len(messages)], strict=False):
        said, rest = messages[start], messages[start + 1 : end]
        results = {message.call_id: message for message in reversed(rest) if isinstance(message, ToolResult)}
        made.append(said)
        for call in said.calls if isinstance(said, Assistant) and not past.waits(start) else ():
            made.append(results.get(call.id) or past.cut_off(call.id))
        made += [message for message in rest if isinstance(message, User)]
    return made


def mended(past: Past, history: list[HistoryMessage]) -> Json:
    """A fold that makes `history` of what the file comes to."""
    made = splice(past.messages, history)
    return {"made": [[item.start, item.stop] if isinstance(item, range) else packed(item) for item in made]}
