"""`harness` at a terminal, first cut: a prompt loop with streamed output and permission questions."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncGenerator
from contextlib import ExitStack, aclosing
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import anyio
from prompt_toolkit import PromptSession
from prompt_toolkit.history import InMemoryHistory
from prompt_toolkit.patch_stdout import patch_stdout

from harness import debug, paths, question, settings, slash
from harness.asks import Answer
from harness.debug import Log
from harness.errors import EXIT_OK, UsageError
from harness.events import Event, PermissionRequest, Result
from harness.flags import Flags
from harness.mux import Mux
from harness.options import SessionOptions
from harness.render import Renderer, safe
from harness.session import Session, open_session

CHOICES = 20  # sessions that are shown to choose from
TRUST_ROWS = 60  # of a project's settings, when it is asked whether they shall count
HELP = """\
Type what you want done; Enter sends it. Ctrl-C interrupts a running turn, or clears the line; Ctrl-D leaves.
  /exit         leave
At a question: y allows once; s allows what the rule shown matches, for this session; a does so for good, in this
project; n refuses and ends the turn; any other text refuses and tells the model why."""


def main(flags: Flags) -> int:
    """Run the prompt loop until the person leaves; returns the exit code.

    Raises:
        HarnessError: what kept the session from starting.
    """
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError("harness needs a terminal for a conversation.", 'Without one, use: harness -p "what to do"')
    return anyio.run(_run, flags)


async def _run(flags: Flags) -> int:
    options = SessionOptions.from_flags(flags, interactive=True)
    lines = PromptSession[str](history=InMemoryHistory())
    await _ask_trust(options, lines)
    if options.start.resume == "":
        if (chosen := await _choose(options, lines)) is None:
            return EXIT_OK
        options = replace(options, start=replace(options.start, resume=chosen))
    with ExitStack() as stack:
        log = debug.opened(flags.debug, flags.debug_file, stack)
        return await _converse(flags, options, lines, log)


async def _converse(flags: Flags, options: SessionOptions, lines: PromptSession[str], log: Log) -> int:
    async with open_session(options) as session:
        color = "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"
        screen = Renderer(_write, color=color)
        model = safe(session.model)  # perhaps as the server lists it
        _write(f"harness · {model} · mode {session.mode} · {session.sandbox_note}\n/help lists the commands\n")
        text = flags.prompt
        while True:
            if text is None:
                text = await _idle(session, screen, lines)
            if text is None:
                return EXIT_OK
            if text.strip() in {"/exit", "/quit"}:
                return EXIT_OK
            if text.strip() == "/help":
                _write(HELP + "\n")
            if text.strip():
                await _turn(text, session, screen, lines, log)
            text = None


async def _ask_trust(options: SessionOptions, lines: PromptSession[str]) -> None:
    """Where the project brings settings that do not count yet: show them, and ask whether they shall."""
    cwd = options.cwd.resolve()
    if not settings.load(cwd, options.env, options.settings).trust.ignored:
        return
    from harness.settings import trust  # noqa: PLC0415  most projects bring nothing

    files = trust.inventory(cwd)  # before it is shown: what changes meanwhile is not trusted
    asked = settings.load(cwd, options.env, replace(options.settings, trust_project=True))
    rows = list(islice(settings.from_repository(asked), TRUST_ROWS + 1))
    if len(rows) + len(files) > TRUST_ROWS:
        _write("This project brings more settings than fit here: harness config show --trust-project --origin\n")
        return
    _write(f"{safe(str(cwd))} brings settings of its own. If you trust them, these count until they change:\n")
    for key, value, name in rows:
        _write(f"  {safe(f'{key} = {json.dumps(value)}')}   {safe(paths.shown(Path(name), cwd))}\n")
    _write(f"  files: {safe(', '.join(sorted(files)))}\n")
    try:
        said = await lines.prompt_async("Trust this project? [y]es, [n]o: ", handle_sigint=False)
    except (KeyboardInterrupt, EOFError):
        return
    if said.strip().lower() in {"y", "yes"}:
        trust.grant(paths.config_home(options.env), cwd, trust.digest(files))


async def _choose(options: SessionOptions, lines: PromptSession[str]) -> str | None:
    """The id of the session that the person chooses from a list; None where the person leaves."""
    from harness.journal import store  # noqa: PLC0415  most conversations are new ones
    from harness.journal.text import row  # noqa: PLC0415

    every = store.sessions(store.projects(paths.config_home(options.env), options.cwd.resolve())[:1])
    said = ""
    while True:
        found = store.matching(every, said)[:CHOICES]
        for number, one in enumerate(found, 1):
            _write(f"{number:>3}  {safe(row(one))}\n")
        _write("" if found else "There are no such sessions in this directory.\n")
        try:
            said = (await lines.prompt_async("Number, or word to search for: ", handle_sigint=False)).strip()
        except (KeyboardInterrupt, EOFError):
            return None
        if said.isdecimal() and 0 < int(said) <= len(found):
            return found[int(said) - 1].id


async def _read(lines: PromptSession[str]) -> str | None:
    """The next line; None where the person leaves."""
    while True:
        try:
            return await lines.prompt_async("> ", handle_sigint=False)
        except KeyboardInterrupt:
            continue  # clears the line
        except EOFError:
            return None


@dataclass(frozen=True, slots=True)
class _Typed:
    text: str | None


async def _typed(lines: PromptSession[str]) -> AsyncGenerator[_Typed, None]:
    yield _Typed(await _read(lines))


async def _idle(session: Session, screen: Renderer, lines: PromptSession[str]) -> str | None:
    """The next line. What background jobs do meanwhile is shown above it; what they ask, after it."""
    asked: list[PermissionRequest] = []
    typed = _Typed(None)
    with patch_stdout(raw=True):
        async with Mux[Event | _Typed](session.tasks) as mux:
            mux.add(_typed(lines))
            mux.add(session.background.watch())
            async for item in mux:
                if isinstance(item, _Typed):
                    typed = item
                    break
                if isinstance(item, PermissionRequest):
                    asked.append(item)
                else:
                    screen.show(item)
    for request in asked:
        session.answer(request.id, await _ask(request, lines))
    return typed.text


async def _turn(text: str, session: Session, screen: Renderer, lines: PromptSession[str], log: Log) -> None:
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGINT, session.interrupt)
    try:
        async with aclosing(slash.turn(text, session)) as events:
            async for event in events:
                log(event)
                screen.show(event)
                if isinstance(event, PermissionRequest):
                    session.answer(event.id, await _ask(event, lines))
                elif isinstance(event, Result):
                    _end(event, screen)
    finally:
        loop.remove_signal_handler(signal.SIGINT)


def _end(result: Result, screen: Renderer) -> None:
    if result.num_turns:
        screen.summary(result)
    else:  # a command of ours: its answer has not been streamed
        _write("".join(f"{safe(text)}\n" for text in (result.result, *result.errors) if text))


async def _ask(request: PermissionRequest, lines: PromptSession[str]) -> Answer:
    _write(question.shown(request))
    with patch_stdout():
        try:
            # The prompt reads Ctrl-C as a key; left to itself it would take our signal handler away for good.
            said = await lines.prompt_async(question.choices(request), handle_sigint=False)
        except (KeyboardInterrupt, EOFError):
            return Answer("deny", stop=True)
    return question.answer(said, request)


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()
