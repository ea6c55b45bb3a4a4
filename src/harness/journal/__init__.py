"""The session file: append-only JSON Lines in the layout that session readers know (`sdk.md` 5).

`writer` writes it as things happen, `entries` says in which form, `fold` reads it back: `replay` is the one fold
from lines to what a session remembers. `store` finds, lists and copies the files.
"""

from harness.journal.fold import Past, replay
from harness.journal.writer import Busy, Journal, session_file

__all__ = ["Busy", "Journal", "Past", "replay", "session_file"]
