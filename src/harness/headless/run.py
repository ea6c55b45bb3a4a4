"""`harness -p`: one turn without a person. The result goes to stdout, everything else to stderr.

Whatever happens, exactly one result is the last thing on stdout (docs/headless.md lists the waits and their limits);
only a command line that cannot be used is told on stderr alone, with exit code 2.
"""

import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack, aclosing
from dataclasses import dataclass, field, replace
from types import FrameType
from uuid import uuid4

import anyio

from harness import debug, slash
from harness.errors import EXIT_ERROR, EXIT_INTERRUPTED, EXIT_TERMINATED, HarnessError, ProviderError, UsageError
from harness.events import Event, Result
from harness.flags import Flags
from harness.headless.outlet import PATIENCE, Outlet, Stalled
from harness.headless.printing import Output, output, tell
from harness.headless.stdin import with_stdin
from harness.mux import aside
from harness.options import SessionOptions
from harness.session import Session, open_session
from harness.turn import stillborn

WATCHDOG = 1200.0  # seconds without any event; everything that may take longer gives signs of life
GRACE = 10.0  # seconds for an interrupted turn to come to its result
JOBS = 5.0  # seconds for background jobs to end by themselves, after the result


def main(flags: Flags) -> int:
    """Run one turn and return the exit code.

    Raises:
        HarnessError: what kept the turn from its result; a result has been printed unless it is a UsageError.
    """
    with ExitStack() as stack:
        run = Run(flags, debug.opened(flags.debug, flags.debug_file, stack))
        try:
            with _signals_raise():
                text = with_stdin(flags.prompt or "", sys.stdin)
        except _Ended as ended:
            return anyio.run(run.nothing, ended.code)
        text = text if text.strip() else ""
        if not text and not flags.start.old:
            raise _no_prompt("harness -p: there is no prompt.")
        return anyio.run(run.turn, text)


def _no_prompt(what: str) -> UsageError:
    return UsageError(what, 'Give one: harness -p "fix the failing test"')


class _Ended(BaseException):
    """A signal came while standard input was read."""

    def __init__(self, code: int) -> None:
        self.code = code


def _signals_raise() -> ExitStack:
    """SIGTERM and SIGINT end what is done within, by `_Ended`."""

    def ended(number: int, _frame: FrameType | None) -> None:
        raise _Ended(EXIT_TERMINATED if number == signal.SIGTERM else EXIT_INTERRUPTED)

    stack = ExitStack()
    for number in (signal.SIGTERM, signal.SIGINT):
        stack.callback(signal.signal, number, signal.signal(number, ended))
    return stack


def _milliseconds(name: str, default: float) -> float:
    text = os.environ.get(name, "")
    return int(text) / 1000 if text.isascii() and text.isdigit() and int(text) else default


@dataclass(slots=True)
class Run:
    """One turn and what became of it."""

    flags: Flags
    log: Callable[[Event], None]
    outlet: Outlet = field(init=False)
    result: Result | None = None
    heard: float = field(default_factory=time.monotonic)  # when the last event came
    ended_by: int = 0  # the exit code that a signal stands for
    why: str = ""
    _session: Session | None = None
    _whole: anyio.CancelScope | None = None
    _left: anyio.CancelScope | None = None  # the wait for what runs in the background
    _output: Output | None = None

    def __post_init__(self) -> None:
        stdout = sys.stdout.fileno() if sys.stdout else None
        self.outlet = Outlet(stdout, _milliseconds("HARNESS_DRAIN_MS", PATIENCE))

    async def turn(self, text: str) -> int:
        """The exit code. Raises what no result can tell: a command line that cannot be used, a fault of ours."""
        self._watch_signals()
        failure: Exception | None = None
        try:
            with anyio.CancelScope() as self._whole:
                await self._in_session(text)
        except (UsageError, OSError) as error:
            if self.result is None and self._untold(error):
                raise
            failure = error
        except Exception as error:  # noqa: BLE001  scripts get their one result all the same
            failure = error
        if self.result is None and not self.outlet.failed:
            self._fail(failure)
        if isinstance(failure, ProviderError):  # the result says it all
            failure = None
        return await self._ending(failure)

    async def nothing(self, code: int) -> int:
        """The result of a turn that a signal kept from beginning."""
        self.ended_by = code
        self._fail(None)
        return await self._ending(None)

    async def _in_session(self, text: str) -> None:
        options = replace(SessionOptions.from_flags(self.flags, interactive=False), defers=True)
        self.heard = time.monotonic()
        async with open_session(options) as session:
            if not text and not session.waits:
                raise _no_prompt("harness -p: there is no prompt, and no call of the session waits to be taken up.")
            self._session = session
            if self.ended_by:
                return  # between the opening and the turn
            self._output = output(self.flags, session.id, self.outlet)
            aside(session.tasks, self._watch)
            answering = session.prompt(text) if self.flags.no_commands else slash.turn(text, session)
            async with aclosing(answering) as events:
                async for event in events:
                    self._show(event)
                    await self.outlet.room()
            await self._jobs(session)

    async def _jobs(self, session: Session) -> None:
        if self.ended_by:
            return
        with anyio.CancelScope() as self._left:
            for job in await session.background.leave(JOBS):
                tell(f"Stopped, as it was still running in the background: {job.title}")

    def _show(self, event: Event) -> None:
        self.heard = time.monotonic()
        self.log(event)
        if self._output is None:
            self._output = output(self.flags, str(uuid4()), self.outlet)
        if isinstance(event, Result):
            if self.why:  # not the person's wish
                event = replace(event, errors=(self.why,), exit_code=EXIT_ERROR)
            self.result = event
        self._output.show(event)

    def _untold(self, error: Exception) -> bool:
        """Whether this has no result: the reader has gone, or the command line cannot be used and stdout is empty.

        What only servers can tell of a command line comes late: lines may have been printed by then.
        """
        return isinstance(error, BrokenPipeError) or (isinstance(error, UsageError) and not self.outlet.used)

    def _fail(self, error: Exception | None) -> None:
        """The result where the turn itself came to none."""
        reason = "internal_error" if self._session and not isinstance(error, UsageError) else "turn_setup_failed"
        if error is None:
            error = HarnessError(self.why or "Interrupted by the user.")
            reason = "aborted_streaming" if self.ended_by else "internal_error"
        model = self._session.model if self._session else self.flags.model or ""
        self._show(stillborn(error, reason, model))

    async def _ending(self, failure: Exception | None) -> int:
        try:
            await self.outlet.drain()
        except Stalled:
            tell("Error: The reader of standard output does not take the rest; it was dropped.")
            return EXIT_ERROR
        if failure:
            raise failure
        if self.ended_by == EXIT_TERMINATED:
            return self.ended_by
        return self.result.exit_code if self.result else EXIT_ERROR

    async def _watch(self) -> None:
        """End a turn that shows no sign of life: a fault of ours, or of what it waits for, must not hang a script."""
        limit = _milliseconds("HARNESS_WATCHDOG_MS", WATCHDOG)
        left = limit
        while left > 0:
            await anyio.sleep(left)
            left = self.heard + limit - time.monotonic()
        self.why = f"Nothing happened for {limit:g} s: the watchdog ended the turn."
        tell(f"Error: {self.why}")
        if self._session:
            self._session.interrupt(ahead=True)
        await anyio.sleep(GRACE)
        if self._whole:
            self._whole.cancel()

    def _watch_signals(self) -> None:
        """A signal ends the turn: what runs is killed, the result still comes. A second one does not wait for it."""
        import asyncio  # noqa: PLC0415  loaded by anyio already; signals have no portable form there

        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self._signalled, EXIT_TERMINATED)
        loop.add_signal_handler(signal.SIGINT, self._signalled, EXIT_INTERRUPTED)

    def _signalled(self, code: int) -> None:
        again, self.ended_by = bool(self.ended_by), max(self.ended_by, code)  # SIGTERM is the last word
        if self._left:
            self._left.cancel()
        elif self._session and not again:
            self._session.interrupt()
        elif self._whole:
            self._whole.cancel()
