"""/rewind: go back to before a prompt, or undo that."""

from collections.abc import AsyncGenerator

from harness.checkpoints.back import Wish, history_of, rows, told
from harness.errors import UsageError
from harness.events import Event
from harness.session import Session
from harness.session.back import rewind as go_back

_WISHES = {"files": Wish(True, False), "code": Wish(True, False), "conversation": Wish(False, True), "both": Wish()}
_USE = "Try: /rewind 2, /rewind 2 files, /rewind 2 conversation, /rewind undo"


async def rewind(session: Session, argument: str) -> AsyncGenerator[Event | str, None]:
    words = [word.removeprefix("--") for word in argument.split()]
    if not words:
        for row in rows(history_of(session.origin.file)):
            yield row
        yield _USE
        return
    number, *rest = words
    wish = _WISHES.get(rest[0]) if rest else Wish(conversation="." not in number)
    if wish is None or len(rest) > 1:
        raise UsageError(f"/rewind {argument}: not understood.", _USE)
    way, done, event = await go_back(session, None if number == "undo" else number, wish)
    yield event
    for line in told(way, done.changed, done.left, session.cwd):
        yield line
