"""Which place one wants to go back to, and what that comes to: shared by `/rewind`, `harness rewind` and SDKs."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.checkpoints.history import History, Point, read, short
from harness.errors import UsageError

LEFT_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Wish:
    """What to bring back. Neither named: both."""

    files: bool = True
    conversation: bool = True

    @staticmethod
    def of(*, files: bool, conversation: bool) -> "Wish":
        return Wish(files, conversation) if files or conversation else Wish()


@dataclass(frozen=True, slots=True)
class Rewound:
    """What a rewind of files changed, or would change. `before`: the snapshot that undoes it."""

    before: str
    changed: tuple[str, ...] = ()
    insertions: int = 0
    deletions: int = 0
    left: tuple[str, ...] = ()

    def json(self) -> dict[str, Any]:
        return {
            "canRewind": True,
            "filesChanged": list(self.changed),
            "insertions": self.insertions,
            "deletions": self.deletions,
            "notRestored": list(self.left),
        }


def history_of(file: Path | None) -> History:
    """The history of a session file; empty where there is none yet."""
    if file is None:
        return History()
    try:
        with file.open(encoding="utf-8", errors="replace") as lines:
            return read(lines)
    except OSError:
        return History()


def target(history: History, number: str, wish: Wish) -> Point:
    """The point of that number.

    Raises:
        UsageError: there is none, or the conversation cannot go there.
    """
    point = history.find(number)
    if point is None:
        prompts = [point.number for point in history.points if "." not in point.number]
        known = f"its prompts are 1 to {prompts[-1]}" if prompts else "it has no prompts yet"
        raise UsageError(f"There is no checkpoint {number!r} in this session: {known}.", "--list shows them all.")
    if wish.conversation and "." in number:
        raise UsageError(f"{number} lies within a turn: a conversation goes back to a prompt.", "Add --files.")
    if wish.conversation and point.gone:
        raise UsageError(f"Prompt {number} was already taken out of the conversation.", "Add --files.")
    return point


def rows(history: History) -> Iterator[str]:
    """The list for people: a line a point."""
    width = max((len(point.number) for point in history.points), default=1)
    for point in history.points:
        marks = [*["taken back"][: point.gone], *["files as they are now"][: not point.snapshot]]
        time = point.time[:16].replace("T", " ")
        indent = "  " if "." in point.number else ""
        end = f"   ({', '.join(marks)})" if marks else ""
        yield f"{point.number:>{width}}  {time}  {indent}{short(point.text)}{end}"


def json_rows(history: History) -> list[dict[str, Any]]:
    return [
        {
            "to": point.number,
            "text": point.text,
            "time": point.time,
            "uuid": point.uuid or None,
            "snapshot": point.snapshot or None,
            "takenBack": point.gone,
        }
        for point in history.points
    ]


@dataclass(frozen=True, slots=True)
class Way:
    """One rewind: what it brings back, to where, and the line that says so. `name` is for people."""

    name: str
    wish: Wish
    snapshot: str
    parent: str | None
    data: dict[str, Any]


def way_to(history: History, number: str | None, wish: Wish) -> Way:
    """The way to that point; None: back to before the last rewind.

    Raises:
        UsageError: see `target`; or there is no rewind to undo.
    """
    if number is not None:
        point = target(history, number, wish)
        data: dict[str, Any] = {"to": number, "files": wish.files, "conversation": wish.conversation}
        kind = "state" if "." in number else "prompt"
        return Way(f"{kind} {number}", wish, point.snapshot, point.parent, data)
    if not history.rewinds:
        raise UsageError("There is no rewind to undo in this session.", "See: harness rewind --list")
    last = history.rewinds[-1]
    back = Wish(bool(last.get("files")), bool(last.get("conversation")))
    # undoing this again brings back files only: the conversation has one way back
    undoes = len(history.rewinds) - 1 if back.conversation else None
    data = {"to": None, "files": back.files, "conversation": False, "undoes": undoes}
    return Way("the rewind", back, str(last.get("before") or ""), None, data)


def told(way: Way, changed: Sequence[str], left: Sequence[str], root: Path) -> Iterator[str]:
    """What a rewind did, in lines for people."""
    if way.wish.files:
        count = len(changed)
        yield f"Files are as before {way.name}: {count} changed." if count else f"No file differs from {way.name}."
        shown = [name.removeprefix(f"{root}/") for name in changed]
        yield from (f"  {name}" for name in shown[:LEFT_SHOWN])
        if count > LEFT_SHOWN:
            yield f"  and {count - LEFT_SHOWN} more"
    for line in list(left)[:LEFT_SHOWN]:
        yield f"Not restored: {line.removeprefix(f'{root}/')}"
    if way.wish.conversation:
        yield f"The conversation is as before {way.name}."
