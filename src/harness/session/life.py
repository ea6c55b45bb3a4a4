"""How a session begins, before its first turn, and how it ends: what must be waited for, and who must be told."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness import beginnings, hooking, serving
from harness.context.budget import LEAN_WINDOW
from harness.context.keeper import Keeper
from harness.context.ledger import Ledger
from harness.definitions import Definitions, load
from harness.events import Event, Notice
from harness.hooks.verdict import Verdict
from harness.journal import Past
from harness.loop import Deps, State
from harness.memory import Memory
from harness.messages import HistoryMessage, Mode
from harness.options import SessionOptions
from harness.providers.port import Told
from harness.session.agents import Agents
from harness.session.origin import Origin
from harness.settings import Settings
from harness.toolbox import Toolbox

if TYPE_CHECKING:
    from harness.classifier import Classifier
    from harness.mcp.prompting import PromptTool
    from harness.mcp.servers import Servers
    from harness.structured import Contract


def definitions(options: SessionOptions, chosen: Settings, cwd: Path) -> Definitions:
    """The agents, commands and skills that people wrote, and the session's own agents."""
    trusted, allowed = chosen.trust.trusted, not options.no_commands
    found = load(cwd, options.env, options.customs, trusted=trusted, commands=allowed)
    if (wanted := options.skills) is not None:
        found.skills = {name: skill for name, skill in found.skills.items() if name in wanted}
    found.agents |= {agent.name: agent for agent in options.agents}
    return found


def state(options: SessionOptions, messages: list[HistoryMessage], past: Past) -> State:
    """What the loop goes on with."""
    system, ledger = beginnings.system_prompt(options), Ledger.of(past.ever)
    return State(system, messages, ledger=ledger, deferred=past.deferred)


def standing(memory: Memory) -> str:
    """The person's own instructions: what a project or a package says of itself, or the model has written, argues with
    nobody."""
    return "\n\n".join(file.text for file in memory.files if file.kind in {"Managed", "User"})


async def begun(
    deps: Deps,
    keeper: Keeper,
    toolbox: Toolbox,
    servers: "Servers | None",
    prompting: "PromptTool | None",
    agents: Agents,
    notices: list[Notice],
) -> AsyncGenerator[Event | Verdict, None]:
    """The model's window, servers and SessionStart hooks. `notices` gets what the person should know of it.

    Raises:
        UsageError: there is no such permission prompt tool.
    """
    if told := await deps.provider.ready():
        notices.append(notice(told))
    async with aclosing(serving.settled(servers, deps)) as waiting:
        async for event in waiting:
            yield event
    if prompting and not deps.interrupt.requested:
        prompting.check()
    toolbox.describe("Agent", agents.described())
    if servers:
        notices += [Notice(level="warning", cause="mcp", text=text) for text in servers.problems]
    toolbox.reveal()
    if small(keeper):
        toolbox.lean()
    async with aclosing(hooking.begun(deps)) as said:
        async for item in said:
            yield item


def small(keeper: Keeper) -> int:
    """The window in tokens, where it is so small that tools and prompt go by it; else 0."""
    return limits.window if (limits := keeper.budget) and limits.window <= LEAN_WINDOW else 0


async def ended(deps: Deps, servers: "Servers | None", classifier: "Classifier | None") -> None:
    """Hooks are told, with little time for all together; servers and what else was opened are closed."""
    await hooking.ended(deps)
    if servers:
        await servers.close()
    if classifier:
        await classifier.aclose()


def notice(told: Told) -> Notice:
    return Notice(level=told.level, cause=told.cause, text=told.text, mend=told.mend)


def contract(options: SessionOptions, toolbox: Toolbox) -> "Contract | None":
    """What answers must be, with the tool that gives them put into the toolbox; and the program's own tools."""
    for tool, spec in options.functions:
        toolbox.add(tool, spec)
    if options.schema is None:
        return None
    from harness.structured import Contract  # noqa: PLC0415  seldom wanted

    made = Contract(options.schema)
    toolbox.add(made.tool(), made.spec)
    return made


def hook_input(origin: Origin, cwd: Path, mode: Mode, agent: str | None) -> dict[str, Any]:
    """What the input of every hook begins with. `agent`: what the session is held as."""
    known = {"session_id": origin.id, "transcript_path": str(origin.file), "cwd": str(cwd), "permission_mode": mode}
    return {**known, **({"agent_type": agent} if agent else {})}
