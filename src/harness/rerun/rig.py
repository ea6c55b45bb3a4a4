"""The loop as `Session` wires it, with a journal and a recording in place of person, tools and server."""

import tempfile
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import anyio
import anyio.lowlevel
from anyio.abc import TaskGroup

from harness import beginnings, settings
from harness.calls import Calls
from harness.connection import connection
from harness.context.keeper import Keeper
from harness.definitions import load
from harness.errors import HarnessError
from harness.execute import execute
from harness.files import Files
from harness.hooks.asking import Hooks
from harness.hooks.handler import Handler
from harness.loop import Deps, State
from harness.messages import MODES, Mode
from harness.options import SessionOptions
from harness.permissions import removed_tools
from harness.permissions.decision import Allow
from harness.permit import starting_rules
from harness.providers.chat import ChatProvider
from harness.providers.options import Options, normal_base_url
from harness.request import Interrupt
from harness.rerun.cassette import Cassette
from harness.rerun.plan import Plan, Turn
from harness.rerun.player import Ended, Feeds, Player, Results, stub
from harness.sandbox.outcome import Finished
from harness.session import open_session
from harness.session.agents import described
from harness.session.builtin_agents import BUILTIN
from harness.session.life import contract
from harness.session.persona import as_agent
from harness.settings import Settings
from harness.toolbox import Toolbox, name_of
from harness.tools import TOOLS
from harness.tools.tool import Context

_NEVER = 1e9  # seconds between heartbeats


@dataclass(slots=True)
class Rig:
    """`live`: a server answers, not a recording."""

    state: State
    deps: Deps
    player: Player
    results: Results
    feeds: Feeds
    connected: Options
    transport: Cassette | None
    requests: int = 0

    @property
    def live(self) -> bool:
        return self.transport is None

    async def speak_to(self, model: str) -> None:
        """The session went on with another model."""
        if model and model != self.player.model.id:
            await self.player.inner.aclose()
            self.player.inner = _provider(self.connected, model, self.transport)


@asynccontextmanager
async def rigged(
    plan: Plan, against: Cassette | str, options: SessionOptions, tasks: TaskGroup, *, run_tools: bool
) -> AsyncIterator[Rig]:
    """Raises HarnessError: options or settings that cannot be used."""
    options = replace(options, persist=False, record=None, mode=options.mode or _mode(plan))
    chosen = settings.load(options.cwd.resolve(), options.env, options.settings)
    if options.agent is None:
        options = replace(as_agent(replace(options, agent=_agent(plan)), chosen, again=True), model=options.model)
    else:
        options = as_agent(options, chosen)
    connected, model = _connection(plan, against, options, chosen)
    transport = against if isinstance(against, Cassette) else None
    interrupt, feeds = Interrupt(), Feeds(plan)
    player = Player(_provider(connected, model, transport), interrupt)
    if transport:
        transport.doubtful = lambda: player.cuts and player.step is None
    results = Results(interrupt)
    try:
        async with _calls(plan, options, chosen, player, run_tools=run_tools) as calls:
            keeper = Keeper(
                tasks,
                player,
                interrupt,
                beginnings.compaction(chosen, options.env),
                calls.context.results,
                todos=lambda: calls.context.todos,
                memory=feeds.memory,
                facts=feeds.facts,
                in_work=feeds.in_work,
                heartbeat=_NEVER,
                move=feeds.move,
            )
            calls.hooks = Hooks([Handler("Stop", lambda _: True, "replay", feeds.stop, _NEVER, "replay")], tasks, dict)
            if not run_tools:
                calls.context.jobs = Ended(feeds)
            how = execute if run_tools else results.execute
            deps = Deps(tasks, player, calls, interrupt, keeper, heartbeat=_NEVER, execute=how)
            _describe(deps, options, chosen, transport)
            state = State(beginnings.system_prompt(options))
            yield Rig(state, deps, player, results, feeds, connected, transport)
    finally:
        with anyio.CancelScope(shield=True):
            await player.aclose()


def _describe(deps: Deps, options: SessionOptions, chosen: Settings, recorded: Cassette | None) -> None:
    """What only this session knows of its tools enters their specs, as `session.life.begun` does it.

    Servers' tools are those of the recording: the servers are not started.
    """
    toolbox = deps.calls.toolbox
    if not isinstance(toolbox, Toolbox):
        return
    deps.contract = contract(options, toolbox)
    trusted, commands = chosen.trust.trusted, not options.no_commands
    found = load(options.cwd.resolve(), options.env, options.customs, trusted=trusted, commands=commands)
    known = {**BUILTIN, **found.agents, **{agent.name: agent for agent in options.agents}}
    toolbox.describe("Agent", described(known.values()))
    for spec in recorded.tools() if recorded else ():
        if (name := name_of(spec)).startswith("mcp__") and name not in toolbox.callable:
            toolbox.add(stub(name), spec)
    toolbox.reveal()


def _connection(plan: Plan, against: Cassette | str, options: SessionOptions, chosen: Settings) -> tuple[Options, str]:
    """What to connect to, and the first model. For a recording nothing of this machine is brought, no key above all."""
    if isinstance(against, Cassette):
        made = connection(replace(options, base_url=against.base_url, endpoint=None), chosen)
        made = replace(made, api_key=None, headers={}, ca_file=None, proxy=None, learnt_file=None)
        made = replace(made, server=against.server)
        return made, against.exchanges[0].model
    made = connection(replace(options, base_url=normal_base_url(against), endpoint=None), chosen)
    return made, options.model or next((turn.model for turn in plan.turns if isinstance(turn, Turn)), "")


def _provider(connected: Options, model: str, transport: Cassette | None) -> ChatProvider:
    """Nobody waits here: what was a pause before a retry has been waited for already."""
    url = normal_base_url(connected.base_url or "")
    if transport is None:
        return ChatProvider(connected, url, model)
    return ChatProvider(connected, url, model, sleep=_at_once, transport=transport)


async def _at_once(_seconds: float) -> None:
    await anyio.lowlevel.checkpoint()


def _mode(plan: Plan) -> Mode | None:
    """The mode that the session began in."""
    began = next((turn.state.get("mode") for turn in plan.turns if isinstance(turn, Turn)), None)
    return next((mode for mode in MODES if mode == began), None)


def _agent(plan: Plan) -> str | None:
    """The agent that the session began as."""
    began = next((turn.state.get("agent") for turn in plan.turns if isinstance(turn, Turn)), None)
    return began if isinstance(began, str) else None


@asynccontextmanager
async def _calls(
    plan: Plan, options: SessionOptions, chosen: Settings, player: Player, *, run_tools: bool
) -> AsyncIterator[Calls]:
    """Those of a real session where tools are run; else with nothing behind them but what they are called."""
    if run_tools:
        async with open_session(options, player) as session:
            yield session._deps.calls  # its wiring is what is wanted, and nobody else wants it
        return
    with tempfile.TemporaryDirectory(prefix="harness-replay-") as place:
        rules = starting_rules(options, chosen, options.cwd.resolve())
        toolbox = Toolbox(removed_tools(rules, TOOLS), options.tools)
        files = Files((Path(place),))
        context = Context(Path(plan.cwd or "/"), files, _NoShell(), Path(place), search=toolbox.search)
        try:
            yield Calls(
                toolbox, context, lambda *_: Allow("replay", "it was decided then"), lambda: "default", _no_rule
            )
        finally:
            files.close()


def _no_rule(_text: str) -> None:
    """Nobody is asked."""


class _NoShell:
    """Nothing is run."""

    async def run(
        self, command: str, cwd: Path, *, timeout: float, outlast: bool = False, outside: bool = False
    ) -> AsyncGenerator[Finished, None]:
        nothing: Finished
        for nothing in ():
            yield nothing
        raise HarnessError(f"A replay runs no commands: {command}")

    def prepare(self, cwd: Path) -> None: ...

    def discard(self) -> None: ...
