"""Going back in a session that runs: files, conversation or both (`checkpoints/back.py` says to where)."""

from typing import Any

from harness.checkpoints.back import Rewound, Way, Wish, history_of, way_to
from harness.context.ledger import Ledger
from harness.errors import HarnessError, UsageError
from harness.events import Event, System
from harness.journal import replay
from harness.session.clerk import restored
from harness.session.session import Session


async def rewind(session: Session, number: str | None, wish: Wish) -> tuple[Way, Rewound, Event]:
    """Go back to before that prompt; None: undo the last rewind. What says so is kept.

    Raises:
        HarnessError: it cannot be gone back to, or a turn runs; nothing has changed then.
    """
    _check_idle(session)
    way = way_to(history_of(session.origin.file), number, wish)
    done = await _files(session, way.snapshot) if way.wish.files else Rewound("")
    data = {**way.data, **({"before": done.before} if done.before else {})}
    event = session._kept(System(subtype="rewind", data=data))
    if way.wish.conversation:
        _conversation(session, way, undo=number is None)
    return way, done, event


async def rewind_files(session: Session, message: str, *, dry: bool = False) -> dict[str, Any]:
    """Make the files what they were at that message of the person. Raises HarnessError, see `rewind`."""
    _check_idle(session)
    point = history_of(session.origin.file).of_message(message)
    if point is None:
        raise UsageError(f"No checkpoint of the message {message!r} is known.", "Give the uuid of a user message.")
    done = await _files(session, point.snapshot, dry=dry)
    if not dry:
        data = {"to": point.number, "files": True, "conversation": False, "before": done.before}
        session._kept(System(subtype="rewind", data=data))
    return done.json()


def _check_idle(session: Session) -> None:
    if session.checkpoints is None:
        raise HarnessError("This session keeps no checkpoints.", "docs/checkpoints.md says what switches them off.")
    if session._running:
        raise HarnessError("A turn is running.", "Interrupt it first, or wait for its end.")


async def _files(session: Session, snapshot: str, *, dry: bool = False) -> Rewound:
    if not snapshot or session.checkpoints is None:
        return Rewound("")
    return await session.checkpoints.rewind(snapshot, dry=dry)


def _conversation(session: Session, way: Way, *, undo: bool) -> None:
    """Say in the file where it goes on, and read anew what it comes to."""
    journal, file = session.origin.journal, session.origin.file
    if journal is None or file is None:
        return
    journal.undo_back() if undo else journal.back_to(way.parent)
    with file.open(encoding="utf-8", errors="replace", newline="\n") as lines:
        past = replay(lines)
    journal.follow(past)
    session._state.messages[:] = restored(past, session._deps.calls.context, session.clerk)
    session._state.ledger, session._state.deferred = Ledger.of(past.ever), past.deferred
