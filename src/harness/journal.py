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
from harness.codec import assistant_from, assistant_pieces, message_json, plain, user_from
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

    def write(self, event: Event) -> None:
        """Keep a durable event; others are for the moment only.

        Raises:
            OSError: the file cannot be written; nothing half-written is left that reading would not drop.
        """
        if not isinstance(event, DURABLE):
            return
        lines = [json.dumps(entry, ensure_ascii=False, separators=(",", ":")) for entry in self._entries(event)]
        self._append("".join(line + "\n" for line in lines).encode("utf-8", "surrogatepass"))

    def close(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def _append(self, data: bytes) -> None:
        if self._fd is None:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._fd = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        while data:
            data = data[os.write(self._fd, data) :]

    def _entries(self, event: Event) -> Iterator[Json]:
        match event:
            case AssistantMessage(message=message, interrupted=interrupted):
                mark = {"interrupted": True} if interrupted else {}
                for payload, extra in assistant_pieces(message):
                    entry = self._entry("assistant", message=payload, harness={**extra, **mark})
                    self._calls |= {b["id"]: entry["uuid"] for b in payload["content"] if b["type"] == "tool_use"}
                    yield entry
            case UserMessage(message=ToolResult() as result):
                self._parent = self._calls.get(result.call_id, self._parent)
                extra = {} if result.data is None else {"toolUseResult": result.data}
                yield self._entry("user", message=message_json(result), **extra)
            case UserMessage(message=User(parts) as user, source=source):
                # The prompt as the person wrote it; what we added to it for the model rides beside it.
                added = [part.text for part in parts[1:] if isinstance(part, Text)] if len(parts) > 1 else []
                shown = User(parts[:1]) if len(added) == len(parts) - 1 else user
                harness = {"source": source, **({"added": added} if shown is not user else {})}
                yield self._entry("user", message=message_json(shown), harness=harness)
            case _:
                yield {"type": "harness", "timestamp": _now(), **self._fields, "event": plain(event)}

    def _entry(self, kind: str, **content: object) -> Json:
        entry = {"type": kind, "uuid": str(uuid4()), "parentUuid": self._parent, "isSidechain": False}
        self._parent = str(entry["uuid"])
        return {**entry, **self._fields, "timestamp": _now(), **content}


def replay(lines: Iterable[str]) -> list[HistoryMessage]:
    """The history that these lines hold. A torn last line and unknown lines are passed over."""
    history: list[HistoryMessage] = []
    pieces: list[tuple[Json, Json]] = []
    for entry in _parsed(lines):
        message, extra = entry.get("message"), entry.get("harness") or {}
        same = bool(pieces) and message and message.get("id") == pieces[0][0].get("id")
        if pieces and not (entry.get("type") == "assistant" and same):
            history.append(assistant_from(pieces))
            pieces = []
        if entry.get("type") == "assistant" and message:
            pieces.append((message, extra))
        elif entry.get("type") == "user" and message:
            found = user_from(message)
            if extra.get("added") and isinstance(found[0], User):
                found[0] = User((*found[0].parts, *map(Text, extra["added"])))
            history.extend(found)
    return [*history, assistant_from(pieces)] if pieces else history


def _parsed(lines: Iterable[str]) -> Iterator[Json]:
    for line in lines:
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if isinstance(entry, dict):
            yield entry


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
