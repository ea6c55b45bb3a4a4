"""Which conversation a session goes on with. Pure values."""

from dataclasses import dataclass
from uuid import UUID

from harness.errors import UsageError


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """All defaults: a new conversation. `resume` is an id or a name, '' where the person is to choose.

    `at` keeps the conversation through that entry; `drops_turn` allows it only if all that goes belongs to the turn
    of that prompt ('' to none).
    """

    newest: bool = False
    resume: str | None = None
    fork: bool = False
    session_id: str | None = None
    name: str | None = None
    at: str | None = None
    drops_turn: str | None = None

    @property
    def old(self) -> bool:
        return self.newest or self.resume is not None

    def checked(self) -> "Start":
        """The same. Raises UsageError where the wishes contradict each other."""
        if self.newest and self.resume is not None:
            raise UsageError("--continue and --resume ask for two sessions.", "Drop one.")
        if self.fork and not self.old:
            raise UsageError("--fork-session copies a session, and none is named.", "Add --continue or --resume ID.")
        if self.session_id is not None and not is_id(self.session_id):
            raise UsageError(f"--session-id {self.session_id}: no UUID.", "Make one: python3 -m uuid, or uuidgen")
        if self.session_id is not None and self.old and not self.fork:
            raise UsageError(
                "--session-id names a new session, and an old one keeps its id.", "Add --fork-session, or drop one."
            )
        if (self.at or self.drops_turn) and not self.old:
            raise UsageError("--resume-session-at needs a session to resume.", "Add --resume ID.")
        return self


def is_id(text: str) -> bool:
    """Whether this is a session's id: a UUID as it is written."""
    try:
        return str(UUID(text)) == text.lower()
    except ValueError:
        return False
