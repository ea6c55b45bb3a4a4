"""A session file's prompts and checkpoints: the places that one can go back to."""

import json
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]
_WIDTH = 72


@dataclass(slots=True)
class Point:
    """`number`: `3` for the third prompt, `3.2` for a later state within its turn, before the call that `text` shows.

    `snapshot` is '' where nothing with effects followed: the files have not been touched since. `uuid` is the
    prompt's entry, `parent` the one before it. `gone`: a rewind took it out of the conversation.
    """

    number: str
    text: str
    time: str = ""
    uuid: str = ""
    parent: str | None = None
    snapshot: str = ""
    message: str = ""  # the id that a program gave the prompt
    gone: bool = False


@dataclass(slots=True)
class History:
    points: list[Point] = field(default_factory=list)
    rewinds: list[Json] = field(default_factory=list)  # what each did, the last one last

    def find(self, number: str) -> Point | None:
        return next((point for point in self.points if point.number == number), None)

    def of_message(self, uuid: str) -> Point | None:
        """The prompt with that id."""
        return next((point for point in self.points if uuid and uuid in {point.uuid, point.message}), None)


def read(lines: Iterable[str]) -> History:
    """What these lines of a session file hold; those that are torn or unknown are passed over."""
    history = History()
    calls: dict[str, str] = {}
    prompts, within = 0, 0
    for entry in _entries(lines):
        if text := _prompt(entry):
            prompts, within = prompts + 1, 0
            time, uuid, parent = (entry.get(name) for name in ("timestamp", "uuid", "parentUuid"))
            point = Point(str(prompts), text, str(time or ""), str(uuid or ""), parent)
            history.points.append(point)
        elif entry.get("type") == "assistant":
            calls.update(_calls(entry))
        elif (event := entry.get("event")) and isinstance(event, dict) and event.get("type") == "system":
            data = event.get("data")
            if not isinstance(data, dict):
                continue
            if event.get("subtype") == "checkpoint":
                within += bool(data.get("snapshot"))
                _checkpoint(history, data, str(entry.get("timestamp") or ""), f"{prompts}.{within}", calls)
            elif event.get("subtype") == "rewind":
                with suppress(IndexError, TypeError, AttributeError):  # a line that nobody writes
                    _taken_back(history, data)
                history.rewinds.append(data)
    return history


def _checkpoint(history: History, data: Json, time: str, number: str, calls: dict[str, str]) -> None:
    snapshot = str(data.get("snapshot") or "")
    if prompts := [point for point in history.points if "." not in point.number]:
        prompts[-1].message = str(data.get("prompt") or prompts[-1].message)
    if not snapshot:
        return
    for point in reversed(history.points):  # nothing with effects happened between these prompts and this state
        if point.snapshot or "." in point.number:
            break
        point.snapshot = snapshot
    if not number.endswith(".1"):
        history.points.append(Point(number, calls.get(str(data.get("call")), ""), time, snapshot=snapshot))


def _taken_back(history: History, data: Json) -> None:
    """Which prompts a rewind took out of the conversation, or its undoing brought back in place of later ones."""
    if data.get("undoes") is not None:
        undone = history.rewinds[data["undoes"]]
        for point in history.points[undone.get("at", 0) :]:
            point.gone = True
        for point in history.points:
            point.gone = point.gone and point.number not in undone.get("took", ())
    elif data.get("conversation"):
        first = history.find(str(data.get("to")))
        start = history.points.index(first) if first else len(history.points)
        taken = [point for point in history.points[start:] if not point.gone]
        for point in taken:
            point.gone = True
        data |= {"took": [point.number for point in taken], "at": len(history.points)}


def _entries(lines: Iterable[str]) -> Iterator[Json]:
    for line in lines:
        try:
            entry = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(entry, dict) and not entry.get("isSidechain"):
            yield entry


def _prompt(entry: Json) -> str:
    """What the person typed; '' for every other entry."""
    if entry.get("type") != "user" or entry.get("isMeta") or entry.get("isCompactSummary"):
        return ""
    own, message = entry.get("harness"), entry.get("message")
    if isinstance(own, dict) and own.get("source", "prompt") != "prompt":
        return ""
    content = message.get("content") if isinstance(message, dict) else None
    if isinstance(content, str):
        return content or "(empty)"
    blocks = [block for block in content or () if isinstance(block, dict)] if isinstance(content, list) else []
    if not blocks or any(block.get("type") == "tool_result" for block in blocks):
        return ""
    return next((str(block["text"]) for block in blocks if block.get("text")), "(no text)")


def _calls(entry: Json) -> Iterator[tuple[str, str]]:
    message = entry.get("message")
    content = message.get("content") if isinstance(message, dict) else None
    for block in content if isinstance(content, list) else ():
        if isinstance(block, dict) and block.get("type") == "tool_use":
            given = block.get("input")
            told = next((str(value) for value in given.values()), "") if isinstance(given, dict) and given else ""
            yield str(block.get("id")), f"{block.get('name')} {told}".strip()


def short(text: str, width: int = _WIDTH) -> str:
    """The first line, cut to the width of a list."""
    line = next(iter(text.strip().splitlines()), "")
    return line if len(line) <= width else line[: width - 1] + "…"
