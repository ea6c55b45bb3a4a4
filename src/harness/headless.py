"""`harness -p`: one turn without a person. The result goes to stdout, everything else to stderr."""

import json
import os
import select
import signal
import sys
from collections.abc import Iterator
from contextlib import AsyncExitStack, aclosing
from typing import Any, Protocol, TextIO
from uuid import uuid4

import anyio

from harness import codec, slash
from harness.errors import EXIT_ERROR, EXIT_TERMINATED, ProviderError, UsageError
from harness.events import Event, Notice, Result
from harness.flags import Flags
from harness.lines import StreamLines
from harness.options import SessionOptions
from harness.providers.port import Model
from harness.render import safe
from harness.session import Session, open_session
from harness.turn import Turn

STDIN_LIMIT = 10_000_000  # bytes (`conventions.md` 1.1)
STDIN_PATIENCE = 3.0  # seconds to wait for the first byte of a pipe that may never be written to


def main(flags: Flags) -> int:
    """Run one turn and return the exit code.

    Raises:
        HarnessError: what kept the turn from starting.
    """
    text = with_stdin(flags.prompt or "", sys.stdin)
    if not text.strip():
        raise UsageError("harness -p: there is no prompt.", 'Give one: harness -p "fix the failing test"')
    return anyio.run(_run, text, flags)


def with_stdin(prompt: str, stdin: TextIO | None) -> str:
    """The prompt with what was piped in below it.

    Raises:
        UsageError: more than 10 MB.
    """
    if stdin is None or stdin.closed or stdin.isatty():
        return prompt
    try:
        fd = stdin.fileno()
        if not select.select([fd], [], [], STDIN_PATIENCE)[0]:
            _tell(f"Warning: nothing came on standard input within {STDIN_PATIENCE:.0f} s; going on without it.")
            return prompt
        data = b"".join(_chunks(fd))
    except (OSError, ValueError) as error:
        _tell(f"Warning: standard input cannot be read ({error}); going on without it.")
        return prompt
    piped = data.decode("utf-8", "replace").strip("\n")
    return f"{prompt}\n\n{piped}" if prompt and piped else prompt or piped


def _chunks(fd: int) -> Iterator[bytes]:
    total = 0
    while chunk := os.read(fd, 1 << 16):
        total += len(chunk)
        if total > STDIN_LIMIT:
            raise UsageError(
                "harness -p: standard input is larger than 10 MB.",
                "Save it to a file and name the file in the prompt.",
            )
        yield chunk


class _Output(Protocol):
    """What `--output-format` chooses."""

    def show(self, event: Event) -> None: ...


class _Text:
    """The final answer on stdout; warnings, denials and errors on stderr as they come."""

    def show(self, event: Event) -> None:
        if isinstance(event, Notice):
            _warn(event)
        elif isinstance(event, Result):
            for denial in event.permission_denials:
                _tell(f"Denied: {denial.tool_name} {json.dumps(denial.tool_input, ensure_ascii=False)}")
            _print(event.result if event.subtype == "success" else f"Error: {' '.join(event.errors)}")


class _Json:
    """The result object, alone; warnings on stderr as they come."""

    def __init__(self, session_id: str) -> None:
        self._lines = StreamLines(session_id)

    def show(self, event: Event) -> None:
        if isinstance(event, Notice):
            _warn(event)
        elif isinstance(event, Result):
            for line in self._lines.of(event):
                _print_json(line)


class _StreamJson:
    """Every event as a line."""

    def __init__(self, session_id: str, flags: Flags) -> None:
        self._lines = StreamLines(session_id, partial=flags.partial_messages, hooks=flags.hook_events)

    def show(self, event: Event) -> None:
        for line in self._lines.of(event):
            _print_json(line)


def _output(flags: Flags, session_id: str) -> _Output:
    match flags.output_format:
        case "json":
            return _Json(session_id)
        case "stream-json":
            return _StreamJson(session_id, flags)
    return _Text()


async def _run(text: str, flags: Flags) -> int:
    async with AsyncExitStack() as stack:
        opening = open_session(SessionOptions.from_flags(flags, interactive=False))
        try:
            session = await stack.enter_async_context(opening)
        except ProviderError as error:
            # The turn could not even begin (the list of models, say): scripts still get their one result.
            turn = Turn()
            turn.fail(error)
            turn.end("turn_setup_failed")
            result = turn.result(Model(flags.model or "", ""))
            _output(flags, str(uuid4())).show(result)
            return result.exit_code
        return await _turn(text, session, _output(flags, session.id))


async def _turn(text: str, session: Session, output: _Output) -> int:
    result: Result | None = None
    signals = _Signals(session)
    try:
        async with aclosing(slash.turn(text, session)) as events:
            async for event in events:
                output.show(event)
                if isinstance(event, Result):
                    result = event
    except Exception as error:
        if result is None and not isinstance(error, BrokenPipeError):  # scripts get their one result all the same
            turn = Turn()
            turn.end("internal_error", str(error) or type(error).__name__)
            output.show(turn.result(Model(session.model, "")))
        raise
    if signals.terminated:
        return EXIT_TERMINATED
    return result.exit_code if result else EXIT_ERROR


class _Signals:
    """SIGTERM and SIGINT end the turn: what runs is killed, the result still comes."""

    def __init__(self, session: Session) -> None:
        import asyncio  # noqa: PLC0415  loaded by anyio already; signals have no portable form there

        self.terminated = False
        self._session = session
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self._terminate)
        loop.add_signal_handler(signal.SIGINT, session.interrupt)

    def _terminate(self) -> None:
        self.terminated = True
        self._session.interrupt()


def _print_json(line: dict[str, Any]) -> None:
    _print(codec.line(line))


def _print(text: str) -> None:
    if sys.stdout.isatty():
        text = safe(text)
    # Lone surrogates (a model's, a file name's) must not end the run: they are written escaped.
    data = f"{text}\n".encode("utf-8", "backslashreplace")
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def _warn(notice: Notice) -> None:
    if notice.level != "info":
        _tell(f"{notice.level.capitalize()}: {notice.text}" + (f"\n{notice.mend}" if notice.mend else ""))


def _tell(text: str) -> None:
    print(safe(text) if sys.stderr.isatty() else text, file=sys.stderr)  # noqa: T201
