"""Harness from Python: the same sessions and events as every other surface has, without a process between.

Programs take these names from `harness` itself: `harness.query`, `harness.run`, `harness.Session` (docs/api.md).
"""

import asyncio
import inspect
import os
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio

from harness.asks import Answer
from harness.errors import HarnessError, UsageError
from harness.events import Event, PermissionRequest, Result
from harness.guards.limits import Limits
from harness.messages import Mode
from harness.mux import apart
from harness.options import SessionOptions
from harness.sandbox.policy import Level
from harness.session import Session as Core
from harness.session import open_session as open_core
from harness.settings import Asked
from harness.settings.places import SOURCES
from harness.start import Start

if TYPE_CHECKING:
    from pydantic import BaseModel

    from harness.functions import Handler, Tool

# What a permission callback may say: yes or no, no with a reason for the model, or all that an `Answer` can.
Said = bool | str | Answer
Permission = Callable[[PermissionRequest], Said | Awaitable[Said]]


class TurnFailed(HarnessError):
    """A turn whose result is an error; `result` is that result, `exit_code` what `harness -p` would end with."""

    def __init__(self, result: Result) -> None:
        super().__init__(" ".join(result.errors) or result.result or result.terminal_reason)
        self.result = result
        self.exit_code = result.exit_code


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a session shall be like. None and empty: as the user's settings say, else as the command's defaults are.

    Args:
        cwd: the project; the current directory unless given.
        model, base_url, api_key, endpoint: the model and its server, as `--model`, OPENAI_BASE_URL, OPENAI_API_KEY and
            `--endpoint` say them.
        mode: the permission mode (`default`, `acceptEdits`, `plan`, `auto`, `dontAsk`, `bypassPermissions`).
        allow, deny: permission rules, such as `Bash(git diff *)`, or the name of one of `tools`.
        permission: asked about what no rule and no mode decides, with a `PermissionRequest`. It answers True, False,
            a text (no, and why: the model reads it) or an `Answer`. Without it such calls are denied.
        builtin: the built-in tools to offer; () for none.
        tools: functions as tools, made by `harness.tool`.
        hooks: functions as hooks, made by `harness.hook`.
        answer: a pydantic model that each turn's answer must fit: `Reply.value` is one.
        system_prompt, append_system_prompt: in place of the system prompt, or added to it.
        max_turns, max_budget_usd, max_seconds: limits; the turn then ends with an error result.
        resume: the id or name of a session to go on with; "" for the newest of the directory.
        settings: a settings file, or JSON. sources: which settings files count besides. plain: nothing that files
            bring (hooks, definitions, memory).
        trust_project: whether the project's own settings count. sandbox: the level that must hold commands.
        persist: whether the session is kept on disk. env: in place of the environment.
    """

    cwd: str | Path | None = None
    model: str | None = None
    base_url: str | None = None
    api_key: str | None = None
    endpoint: str | None = None
    mode: Mode | None = None
    allow: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()
    permission: Permission | None = None
    builtin: tuple[str, ...] | None = None
    tools: "tuple[Tool, ...]" = ()
    hooks: "tuple[Handler, ...]" = ()
    answer: "type[BaseModel] | None" = None
    system_prompt: str | None = None
    append_system_prompt: str | None = None
    max_turns: int | None = None
    max_budget_usd: float | None = None
    max_seconds: float | None = None
    resume: str | None = None
    settings: str | None = None
    sources: tuple[str, ...] = SOURCES
    plain: bool = False
    trust_project: bool = False
    sandbox: Level | None = None
    persist: bool = True
    env: Mapping[str, str] | None = None


def _asked(options: Options) -> SessionOptions:
    env = dict(os.environ if options.env is None else options.env)
    if options.api_key is not None:
        env["OPENAI_API_KEY"] = options.api_key
    functions: tuple[Any, ...] = ()
    if options.tools:
        from harness.functions import offered  # noqa: PLC0415  pydantic is loaded where tools are

        functions = offered(options.tools)
    asked = SessionOptions(
        interactive=options.permission is not None,
        model=options.model,
        base_url=options.base_url,
        endpoint=options.endpoint,
        mode=options.mode,
        allow=_listed(options.allow),
        deny=_listed(options.deny),
        tools=None if options.builtin is None else _listed(options.builtin),
        functions=functions,
        hooks=tuple(options.hooks),
        schema=None if options.answer is None else options.answer.model_json_schema(),
        system_prompt=options.system_prompt,
        append_system_prompt=options.append_system_prompt,
        limits=Limits(options.max_turns, options.max_budget_usd, None, options.max_seconds),
        start=Start(newest=options.resume == "", resume=options.resume or None),
        settings=Asked(given=options.settings, sources=options.sources, trust_project=options.trust_project),
        plain=options.plain,
        sandbox=options.sandbox,
        persist=options.persist,
        env=env,
    )
    return asked if options.cwd is None else replace(asked, cwd=Path(options.cwd))


def _listed(words: Iterable[str]) -> tuple[str, ...]:
    """A text alone is one of them, not a list of letters."""
    return (words,) if isinstance(words, str) else tuple(words)


@dataclass(frozen=True, slots=True)
class Reply:
    """What a turn came to. `value` is an instance of `Options.answer`, None without one or where the turn failed."""

    result: Result
    value: Any = None

    @property
    def text(self) -> str:
        return self.result.result

    @property
    def ok(self) -> bool:
        return not self.result.is_error

    def check(self) -> "Reply":
        """Itself; raises TurnFailed where the result is an error."""
        if self.result.is_error:
            raise TurnFailed(self.result)
        return self


class Session:
    """A conversation: one turn after the other, each by `events` or `run`. Made by `open_session`."""

    def __init__(self, core: Core, options: Options) -> None:
        self._core, self._options = core, options

    @property
    def id(self) -> str:
        """For `Options.resume`, and for `harness --resume`."""
        return self._core.id

    @property
    def model(self) -> str:
        return self._core.model

    @property
    def mode(self) -> Mode:
        return self._core.mode

    async def events(self, prompt: str) -> AsyncGenerator[Event, None]:
        """One turn, event by event (docs/events.md); a `Result` is the last. Questions are answered on the way.

        Leave the loop early only within `contextlib.aclosing`: the turn is then ended, with all that it started.
        """
        async with aclosing(self._core.prompt(prompt)) as events:
            async for event in events:
                yield event
                if isinstance(event, PermissionRequest):
                    self._core.answer(event.id, await _answer(self._options.permission, event))

    async def run(self, prompt: str) -> Reply:
        """One turn, and what it came to. An error is a `Reply` too: see `Reply.check`."""
        result: Result | None = None
        async with aclosing(self.events(prompt)) as events:
            async for event in events:
                result = event if isinstance(event, Result) else result
        if result is None:
            raise HarnessError("The turn ended without a result.")
        return reply(result, self._options)

    def steer(self, text: str) -> None:
        """Say something to the turn that runs: the model reads it with its next request."""
        self._core.steer(text)

    def interrupt(self) -> None:
        """End the turn that runs; its result still comes."""
        self._core.interrupt()

    def set_mode(self, mode: Mode) -> None:
        """Change the permission mode from the next decision on. Raises UsageError."""
        self._core.set_mode(mode)

    async def set_model(self, model: str) -> None:
        """Speak to another model from the next request on. Raises HarnessError."""
        await self._core.set_model(model)


async def _answer(permission: Permission | None, question: PermissionRequest) -> Answer:
    """What the program's callback says. One that fails has not said yes."""
    try:
        said = False if permission is None else permission(question)
        if inspect.isawaitable(said):
            said = await said
    except Exception as error:  # noqa: BLE001  the program's own; the call is denied, and the model told why
        return Answer("deny", f"The permission callback failed: {type(error).__name__}: {error}")
    if isinstance(said, Answer):
        return said
    if isinstance(said, str):
        return Answer("deny", said)
    return Answer("allow") if said is True else Answer("deny", "The program that runs this session said no.")


def reply(result: Result, options: Options) -> Reply:
    """A result with its value, where one was asked for."""
    if options.answer is None or result.is_error:
        return Reply(result)
    return Reply(result, options.answer.model_validate(result.structured_output))


@asynccontextmanager
async def open_session(options: Options | None = None) -> AsyncIterator[Session]:
    """A session for several turns; whatever it started ends with the block.

        async with harness.open_session(harness.Options(mode="plan")) as session:
            print((await session.run("What does this project do?")).text)

    Raises:
        HarnessError: options, settings or environment that cannot be used, or no endpoint to talk to.
    """
    options = options or Options()
    async with open_core(_asked(options)) as core:
        yield Session(core, options)


async def query(prompt: str, options: Options | None = None) -> AsyncGenerator[Event, None]:
    """One turn of a session of its own, event by event; a `Result` is the last.

        async for event in harness.query("fix the failing test", harness.Options(mode="acceptEdits")):
            ...

    Raises:
        HarnessError: options, settings or environment that cannot be used, or no endpoint to talk to.
    """

    async def turn() -> AsyncGenerator[Event, None]:
        async with open_session(options) as session, aclosing(session.events(prompt)) as events:
            async for event in events:
                yield event

    async with aclosing(apart(turn())) as events:  # the session's scopes stay in a task of their own
        async for event in events:
            yield event


def run(prompt: str, options: Options | None = None) -> Reply:
    """One turn of a session of its own, for programs without an event loop.

        print(harness.run("What does this project do?", harness.Options(mode="plan")).text)

    Raises:
        HarnessError: as `open_session`. A turn that fails is a `Reply` too: see `Reply.check`.
        UsageError: called from within an event loop.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        pass
    else:
        raise UsageError("harness.run blocks, and this is within an event loop.", "Use open_session or query there.")

    async def turn() -> Reply:
        async with open_session(options) as session:
            return await session.run(prompt)

    return anyio.run(turn)
