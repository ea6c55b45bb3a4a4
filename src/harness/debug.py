"""`--debug`: what happens, a line each with its time, for who looks for the fault."""

import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from harness.errors import UsageError
from harness.events import Event, StreamEvent, System

Log = Callable[[Event], None]
LONGEST = 500  # characters of a line
WORDS = {
    "request": ("stream_request_start", "assistant", "stopReason", "progress", "api_retry"),
    "tool": ("user", "tool_progress"),
    "permission": ("hookPermissionResult", "permission_request"),
    "hook": ("hook_started", "hook_response"),
    "turn": ("init", "result", "stop", "preventContinuation", "message", "compact_boundary", "status"),
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """Kinds to tell of; all but these where `but`."""

    kinds: frozenset[str]
    but: bool = False

    @staticmethod
    def parse(text: str) -> "Wanted":
        """`*`, or kinds and kinds that are not wanted: `request,tool`, `!hook`. Raises UsageError."""
        names = [name.strip() for name in text.split(",") if name.strip()]
        if text == "*":
            return Wanted(frozenset(), but=True)
        for name in names:
            if name.removeprefix("!") not in WORDS:
                raise UsageError(f"--debug={text}: there is no {name!r}.", f"Use some of: {', '.join(WORDS)}.")
        without = frozenset(name[1:] for name in names if name.startswith("!"))
        return Wanted(without, but=True) if len(without) == len(names) else Wanted(frozenset(names) - without)

    def of(self, kind: str) -> bool:
        return (kind in self.kinds) is not self.but


def opened(filter_: str | None, file: str | None, stack: ExitStack) -> Log:
    """Where each event is to be shown; nowhere unless one of the two flags is given.

    Raises:
        UsageError: a filter or a file that cannot be used.
    """
    if filter_ is None and file is None:
        return lambda _: None
    wanted = Wanted.parse(filter_ or "*")
    out = sys.stderr
    if file is not None:
        try:
            out = stack.enter_context(Path(file).open("a", encoding="utf-8"))  # noqa: SIM115
        except OSError as error:
            raise UsageError(f"--debug-file {file} cannot be written: {error.strerror}.", "Name another.") from None
    began = time.monotonic()

    from harness.render import safe  # noqa: PLC0415  seldom asked for

    def tell(event: Event) -> None:
        if isinstance(event, StreamEvent):
            return
        tag = event.subtype if isinstance(event, System) else event.type
        kind = next((kind for kind, tags in WORDS.items() if tag in tags), "turn")
        if wanted.of(kind):
            print(f"{time.monotonic() - began:9.3f} {kind:<10} {safe(repr(event)[:LONGEST])}", file=out, flush=True)

    return tell
