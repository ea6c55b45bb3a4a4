"""/resume, /rename and /export."""

from collections.abc import AsyncGenerator
from pathlib import Path

from harness import paths
from harness.errors import HarnessError, UsageError
from harness.events import Event
from harness.session import Session

SHOWN = 20


async def resume(session: Session, argument: str) -> AsyncGenerator[Event | str, None]:
    from harness.journal import store  # noqa: PLC0415
    from harness.journal.text import row  # noqa: PLC0415

    place = store.projects(session.origin.home, session.cwd)[:1]
    found = [one for one in store.matching(store.sessions(place), argument) if one.id != session.id]
    for one in found[:SHOWN]:
        yield row(one)
    if not found:
        yield f"No other session here{f' with {argument!r} in it' if argument else ''}."
    else:
        more = f"{len(found) - SHOWN} more: /resume WORD searches. " if len(found) > SHOWN else ""
        yield f"{more}Go on with one: harness --resume ID"


async def rename(session: Session, argument: str) -> AsyncGenerator[Event | str, None]:
    if not argument:
        raise UsageError("/rename needs a name.", "Like: /rename the parser")
    session.rename(argument)
    yield f"This session is named {argument!r}: harness --resume {argument!r}"


async def export(session: Session, argument: str) -> AsyncGenerator[Event | str, None]:
    from harness.journal.text import exported  # noqa: PLC0415

    if session.origin.journal is None or not session.origin.file.exists():
        raise UsageError(
            "There is nothing to export: this session is not kept.", "Start without --no-session-persistence."
        )
    text = exported(session.origin.file, as_json=argument.endswith(".json"))
    if not argument:
        yield text
        return
    target = paths.resolve(argument, session.cwd)
    try:
        with target.open("x", encoding="utf-8", errors="backslashreplace") as out:
            out.write(text + "\n")
    except OSError as error:
        raise HarnessError(f"{target} cannot be written: {error.strerror}.", "Name another file.") from None
    yield f"Written: {paths.shown(target, Path(session.cwd))}"
