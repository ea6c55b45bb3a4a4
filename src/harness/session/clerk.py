"""What a session keeps: each durable event with the state that it changed, written before anybody sees it."""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.errors import HarnessError
from harness.events import AssistantMessage, Event, System, UserMessage
from harness.journal import Journal, Past
from harness.journal.fold import mended, paired
from harness.messages import HistoryMessage, ToolResult, User
from harness.paths import within
from harness.tools.tool import Context, FileSeen, Seen


class Clerk:
    """`live` gives what else the session remembers: mode, model, todos and so on, as plain JSON."""

    def __init__(self, journal: Journal | None, live: Callable[[], Mapping[str, Any]], seen: Seen) -> None:
        self._journal, self._live, self._seen = journal, live, seen
        self._kept: dict[str, Any] = {}
        self.title = ""
        self.prompt = ""  # the uuid that the next prompt's entry is to have
        self._said = ""

    def keep(self, event: Event) -> Event:
        """The event, once it is in the file.

        Raises:
            HarnessError: it cannot be written, or another process writes the session.
        """
        if self._journal is None:
            return event
        state: Mapping[str, Any] = {}
        if isinstance(event, UserMessage):
            # a prompt has all of it: whoever copies or cuts the file there finds the state of that moment
            if event.source == "prompt":
                self._kept = {}
                self._said = event.message.text
                event, self.prompt = replace(event, uuid=self.prompt), ""
            state = self._changed()
        try:
            self._journal.write(event, state)
        except OSError as error:
            raise _unwritable(self._journal, error) from error
        if isinstance(event, AssistantMessage | UserMessage):
            return replace(event, uuid=self._journal.entries.parent or "")
        return event

    def rename(self, title: str) -> None:
        """Name the session. Raises HarnessError, see `keep`."""
        self.title = title
        if self._journal:
            try:
                self._journal.rename(title)
            except OSError as error:
                raise _unwritable(self._journal, error) from error

    def close(self) -> None:
        """Keep what changed last; a listing reads only a file's end, so its name and last prompt stand there."""
        if self._journal is None or not self._journal.begun:
            return
        try:
            if state := self._changed():
                self._journal.note(state)
            self._journal.last_words(self.title, self._said)
        except OSError:
            pass  # the disk is full: that has been said

    def _changed(self) -> dict[str, Any]:
        now = self._live()
        changed = {key: value for key, value in now.items() if self._kept.get(key) != value}
        self._kept.update(changed)
        if self._seen.changed:
            changed["seen"] = {str(p): [s.digest.hex(), s.whole, s.upto] for p, s in self._seen.taken()}
        return changed


def _unwritable(journal: Journal, error: OSError) -> HarnessError:
    return HarnessError(
        f"The session file {journal.path} cannot be written: {error.strerror}.",
        "Free some space or mend its permissions; with -p, --no-session-persistence runs without it.",
    )


def restored(past: Past, context: Context, clerk: Clerk) -> list[HistoryMessage]:
    """The history to go on with; the tools' context gets back what they knew.

    Every call has an answer in it: one that was running when the process died is told as interrupted, never run
    again. What that adds is written, so that the file by itself gives this history.
    """
    state = past.state
    todos, seen, cwd = state.get("todos"), state.get("seen"), state.get("cwd")
    context.todos[:] = [dict(todo) for todo in todos if isinstance(todo, dict)] if isinstance(todos, list) else []
    for name, found in seen.items() if isinstance(seen, dict) else ():
        match found:  # of anything else the file is as good as not seen: it is read again before it is written
            case [str(digest), bool(complete), int(upto)] if re.fullmatch(r"(?:[0-9a-f]{2})*", digest):
                context.seen[Path(name)] = FileSeen(bytes.fromhex(digest), complete, upto)
    if isinstance(context.seen, Seen):
        context.seen.changed.clear()
    place = Path(cwd) if isinstance(cwd, str) and cwd and "\0" not in cwd else context.cwd
    if place.is_dir() and within(place, context.cwd):
        context.cwd = place
    clerk.title = past.title
    whole = paired(past)
    known = len(past.messages)
    if whole[:known] == past.messages:
        for message in whole[known:]:
            assert isinstance(message, ToolResult | User)  # noqa: S101  answers to the last calls
            clerk.keep(UserMessage(message=message, source="harness"))
    else:
        clerk.keep(System(subtype="status", data={"status": "history mended"}, fold=mended(past, whole)))
    return whole
