"""The session file: append-only JSON Lines in the layout that session readers know (`sdk.md` 5).

Written as things happen, one `write` a line, so that a killed process leaves at most one torn last line.
Messages are lines of the shared form; what that form lacks (decisions, notices, results) is a line of our own
type `harness`. Reading tolerates unknown lines and foreign writers.
"""

import json
import os
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from harness import __version__
from harness.codec import assistant_from, assistant_pieces, continues, line, message_json, plain, user_from
from harness.context.fold import folded
from harness.events import DURABLE, AssistantMessage, Event, UserMessage
from harness.messages import HistoryMessage, Text, ToolResult, User
from harness.paths import project_key

Json = dict[str, Any]


def session_file(home: Path, cwd: Path, session_id: str) -> Path:
    return home / "projects" / project_key(cwd.resolve()) / f"{session_id}.jsonl"


class Journal:
    """One session's file, created at its first line. `branch` is the git branch at the start, if any."""

    def __init__(self, path: Path, session_id: str, cwd: Path, branch: str = "") -> None:
        self.path = path
        self._fields = {"sessionId": session_id, "cwd": str(cwd), "gitBranch": branch, "version": __version__}
        self._parent: str | None = None
        self._calls: dict[str, str] = {}  # call id -> uuid of the entry that holds it
        self._fd: int | None = None
        self._torn = False  # the file ends within a line

    def write(self, event: Event) -> None:
        """Keep a durable event; others are for the moment only.

        Raises:
            OSError: the file cannot be written; nothing half-written is left that reading would not drop.
        """
        if not isinstance(event, DURABLE):
            return
        self._append("".join(line(entry) + "\n" for entry in self._entries(event)).encode())

    def close(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def _append(self, data: bytes) -> None:
        if self._fd is None:
            _make_private(self.path.parent)
            self._fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            size = os.fstat(self._fd).st_size
            self._torn = size > 0 and os.pread(self._fd, 1, size - 1) != b"\n"
        if self._torn:
            data = b"\n" + data  # else this line would be lost with the torn one
        self._torn = True
        while data:
            data = data[os.write(self._fd, data) :]
        self._torn = False

    def _entries(self, event: Event) -> Iterator[Json]:
        match event:
            case AssistantMessage(message=message, interrupted=interrupted, cost=cost):
                mark: Json = {"interrupted": True} if interrupted else {}
                for payload, extra in assistant_pieces(message):
                    if cost is not None and "of" in extra:  # once a message, in its first piece
                        extra["cost"] = cost
                    entry = self._entry("assistant", message=payload, harness={**extra, **mark})
                    self._calls |= {b["id"]: entry["uuid"] for b in payload["content"] if b["type"] == "tool_use"}
                    yield entry
            case UserMessage(message=ToolResult() as result):
                self._parent = self._calls.get(result.call_id, self._parent)
                extra = {} if result.data is None else {"toolUseResult": result.data}
                yield self._entry("user", message=message_json(result), **extra)
            case UserMessage(message=User(parts) as user, source=source):
                # The prompt as the person wrote it; what we added to it for the model rides beside it.
                added = [part.text for part in parts[1:] if isinstance(part, Text)]
                if added and len(added) == len(parts) - 1:
                    user, harness = User(parts[:1]), {"source": source, "added": added}
                else:
                    harness = {"source": source}
                meta: Json = {"isMeta": True} if source == "harness" else {}  # readers show the person's own prompts
                yield self._entry("user", message=message_json(user), harness=harness, **meta)
            case _:
                yield {"type": "harness", "timestamp": _now(), **self._fields, "event": plain(event)}

    def _entry(self, kind: str, **content: object) -> Json:
        entry = {"type": kind, "uuid": str(uuid4()), "parentUuid": self._parent, "isSidechain": False}
        self._parent = str(entry["uuid"])
        return {**entry, **self._fields, "timestamp": _now(), **content}


def _make_private(directory: Path) -> None:
    """Make a directory and its missing parents, each for its owner alone (`mkdir` would give only the last so)."""
    for missing in reversed([d for d in (directory, *directory.parents) if not d.exists()]):
        missing.mkdir(mode=0o700, exist_ok=True)


def replay(lines: Iterable[str]) -> list[HistoryMessage]:
    """The history that these lines hold. A torn last line and unknown lines are passed over.

    Read the file as UTF-8 with errors replaced: a torn line may end within a character.
    """
    history: list[HistoryMessage] = []
    pieces: list[tuple[Json, Json]] = []
    for kind, message, extra in _messages(lines):
        if kind == "fold":
            history = folded([*history, assistant_from(pieces)] if pieces else history, message)
            pieces = []
            continue
        if pieces and not (kind == "assistant" and continues((message, extra), pieces)):
            history.append(assistant_from(pieces))
            pieces = []
        if kind == "assistant":
            pieces.append((message, extra))
        else:
            found = user_from(message)
            if "added" in extra and found and isinstance(found[0], User):
                found[0] = User((*found[0].parts, *map(Text, extra["added"])))
            history.extend(found)
    return [*history, assistant_from(pieces)] if pieces else history


def _messages(lines: Iterable[str]) -> Iterator[tuple[str, Json, Json]]:
    """Type, `message` and `harness` of the entries that hold a message of this conversation (no sub-agent's)."""
    for text in lines:
        try:
            entry = json.loads(text)
        except (ValueError, RecursionError):  # RecursionError: thousands of brackets, which we never write
            continue
        match entry:
            case {"isSidechain": True}:
                continue
            case {"type": "assistant" | "user" as kind, "message": dict(message)}:
                extra = entry.get("harness")
                yield kind, message, extra if isinstance(extra, dict) else {}
            case {"type": "harness", "event": {"type": "system", "fold": dict(fold)}} if fold:
                yield "fold", fold, {}


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
