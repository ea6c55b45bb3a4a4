"""Sub-agents: the loop once more, with a history, a toolbox and a prompt of its own, and the session's judges.

Whatever an agent wants to do is decided by the same rules, and asked of the same person, as the session's own calls.
"""

import copy
import os
import time
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import anyio

from harness.calls import Calls
from harness.context.keeper import Keeper
from harness.definitions import Agent, Definitions
from harness.errors import HarnessError, ToolError
from harness.events import AssistantMessage, Event, Result, System
from harness.guards.limits import Limits
from harness.hooks.verdict import Verdict
from harness.loop import Deps, Interrupt, State, asked, run
from harness.messages import MODES, TOOL_ALIASES, Text, ToolCall, Usage, User
from harness.permit import Permit
from harness.providers import ALIASES
from harness.providers.port import Provider
from harness.session.builtin_agents import BUILTIN, NEVER, builtin_prompt
from harness.session.models import Models
from harness.session.origin import Origin
from harness.session.transcript import Transcript
from harness.toolbox import Toolbox
from harness.tools.tool import Context, Inner, Output, Seen, current_call
from harness.turn import Spent

if TYPE_CHECKING:
    from harness.effects import Effect
    from harness.permissions.decision import Decision

DEPTH, CONCURRENT = 3, 20
_NARROW = frozenset({"plan", "dontAsk"})
_WIDE = frozenset(
    {"bypassPermissions", "acceptEdits", "auto", "plan", "dontAsk"}
)  # modes that an agent's own never changes


@dataclass(slots=True)
class Parent:
    """What sub-agents take from their session. `facts`: the text about place and moment."""

    origin: Origin
    cwd: Path
    models: Models
    toolbox: Toolbox
    calls: Calls
    permit: Permit
    keeper: Keeper
    definitions: Callable[[], Definitions]
    facts: Callable[[], str]
    aliases: Mapping[str, str] = field(default_factory=dict)


def described(agents: Iterable[Agent]) -> str:
    """The agents as the model is told of them."""
    return "Agents:\n" + "\n".join(f"- {a.name}: {' '.join(a.description.split())[:300]}" for a in agents)


class Agents:
    """A session's sub-agents. `open` are the tasks that run: each must come to an end that is told."""

    def __init__(self, parent: Parent) -> None:
        self._parent = parent
        self.open: dict[str, System] = {}
        self._ends: dict[str, Interrupt] = {}

    def known(self) -> dict[str, Agent]:
        """By name: people's own before ours."""
        return {**BUILTIN, **self._parent.definitions().agents}

    def described(self) -> str:
        return described(self.known().values())

    def left(self) -> list[System]:
        """Tasks whose end nobody told: they were interrupted with the turn."""
        told = [_notification(task, "stopped", "Interrupted by the user.") for task in self.open.values()]
        self.open.clear()
        return told

    def stop(self, agent_id: str) -> bool:
        """End one that runs; its caller reads that. False where there is none."""
        if agent_id not in self.open or agent_id not in self._ends:
            return False
        self._ends[agent_id].request()
        return True

    def spawner(self, context: Context, depth: int = 0) -> Callable[[Any], AsyncGenerator[Any, None]] | None:
        """What the Agent tool of this context starts agents with; None where it may start none."""
        if depth >= _number("CLAUDE_CODE_MAX_SUBAGENT_SPAWN_DEPTH", DEPTH):
            return None
        return lambda args: self._work(args, context, depth)

    async def _work(self, args: Any, context: Context, depth: int) -> AsyncGenerator[Any, None]:
        agent = self._agent(args.subagent_type or "general-purpose")
        if len(self.open) >= _number("CLAUDE_CODE_MAX_CONCURRENT_SUBAGENTS", CONCURRENT):
            raise ToolError("Too many sub-agents run at once.", "Wait for one to end, or do the task yourself.")
        agent_id, began = uuid4().hex[:12], time.monotonic()
        transcript = Transcript.of(self._parent.origin, agent_id, self._parent.cwd, current_call.get())
        provider = await self._provider(args.model or agent.model)
        started = _started(agent_id, args.description, current_call.get(), transcript.path)
        self.open[agent_id] = started
        yield Inner(agent_id, started)
        tally = _Tally()
        try:
            deps = self._deps(agent, agent_id, provider, context, depth, transcript.path)
            self._ends[agent_id] = deps.interrupt
            async with aclosing(self._turn(args.prompt, agent, deps)) as events:
                async for event in events:
                    transcript.write(event)
                    tally.take(event)
                    yield Inner(agent_id, event)
                    if isinstance(event, AssistantMessage):
                        yield Inner(agent_id, Spent(event.message.model, event.message.usage, event.cost))
        finally:
            transcript.close()
            if provider is not self._parent.models.now:
                with anyio.CancelScope(shield=True):
                    await provider.aclose()
        seconds = time.monotonic() - began
        del self.open[agent_id]
        status = "failed" if tally.failed else "completed"
        if self._ends.pop(agent_id).requested:
            status = "stopped"
            killed = {"task_id": agent_id, "patch": {"status": "killed"}}
            yield Inner(agent_id, System(subtype="task_updated", data=killed))
        yield Inner(agent_id, _notification(started, status, tally.text[:200] or status, tally.usage(seconds)))
        yield tally.output(agent_id, seconds)

    async def _turn(self, prompt: str, agent: Agent, deps: Deps) -> AsyncGenerator[Event, None]:
        state = State(agent.prompt)
        context: list[str] = [self._parent.facts()]
        if agent.source != "builtin" or agent.name == "general-purpose":
            context.insert(0, self._parent.keeper.memory())
        if deps.hooks and deps.hooks.matching("SubagentStart", agent.name):
            async with aclosing(asked(deps, "SubagentStart", agent.name)) as said:
                async for item in said:
                    if isinstance(item, Verdict):
                        context.append(f"<hook>\n{item.context}\n</hook>" if item.context else "")
                    else:
                        yield item
        user = User((Text(prompt), *(Text(text) for text in context if text)))
        async with aclosing(run(user, state, deps)) as events:
            async for event in events:
                yield event

    def _agent(self, name: str) -> Agent:
        known = self.known()
        if name not in known:
            raise ToolError(f"There is no agent {name!r}.", f"The agents are: {', '.join(known)}.")
        agent = known[name]
        return replace(agent, prompt=builtin_prompt(name)) if agent.source == "builtin" else agent

    async def _provider(self, model: str | None) -> Provider:
        """A connection of its own: a model's server is told apart by what it was asked before."""
        models = self._parent.models
        unmapped = model in ALIASES and model not in self._parent.aliases
        if models.connect is None:
            return models.now
        try:
            return await models.connect(models.now.model.id if model is None or unmapped else model)
        except HarnessError as error:
            raise ToolError(error.what, error.mend) from error

    def _deps(
        self, agent: Agent, agent_id: str, provider: Provider, outer: Context, depth: int, transcript: Path | None
    ) -> Deps:
        parent = self._parent
        context = Context(outer.cwd, outer.files, outer.shell, outer.results, hidden=outer.hidden)
        context.seen = Seen()
        context.spawn = self.spawner(context, depth + 1)
        toolbox = parent.toolbox.part(
            lambda name: _may_use(agent, name) and (name != "Agent" or context.spawn is not None)
        )
        context.search = toolbox.search
        hooks = parent.calls.hooks
        about = {"agent_id": agent_id, "agent_type": agent.name, "agent_transcript_path": str(transcript or "")}
        calls = replace(
            parent.calls,
            toolbox=toolbox,
            context=context,
            decide=self._judge(agent),
            memory=lambda _path: "",
            hooks=hooks.within(about) if hooks else None,
            agent=agent_id,
            defers=False,
        )
        interrupt = Interrupt()
        mine = parent.keeper
        keeper = Keeper(mine.tasks, provider, interrupt, mine.wanted, mine.results, heartbeat=mine.heartbeat)
        return Deps(mine.tasks, provider, calls, interrupt, keeper, Limits(turns=agent.max_turns), mine.heartbeat)

    def _judge(self, agent: Agent) -> "Callable[[ToolCall, Sequence[Effect], Mapping[Path, Path]], Decision]":
        """The session's judge; an agent's own mode counts where the session is in the default one."""
        permit = self._parent.permit
        own = next((mode for mode in MODES if mode == agent.mode and permit.may_lend(mode)), None)
        if agent.source == "project" and own not in _NARROW:  # as with settings, a repository's never widens
            own = None

        def decide(call: ToolCall, effects: "Sequence[Effect]", real: Mapping[Path, Path]) -> "Decision":
            if own is None or permit.mode in _WIDE:
                return permit.decide(call, effects, real)
            mine = copy.copy(permit)  # of this moment: rules may have been added
            mine.mode = own
            return mine.decide(call, effects, real)

        return decide


@dataclass(slots=True)
class _Tally:
    """What an agent's turn came to."""

    text: str = ""
    failed: bool = False
    errors: str = ""
    tokens: int = 0
    calls: int = 0
    total: Usage = field(default_factory=Usage)

    def take(self, event: Event) -> None:
        match event:
            case AssistantMessage(message=message):
                self.calls += len(message.calls)
                self.total += message.usage or Usage()
            case Result(result=text, is_error=failed, errors=errors):
                self.text, self.failed, self.errors = text, failed, " ".join(errors)

    def usage(self, seconds: float) -> dict[str, Any]:
        tokens = self.total.input_tokens + self.total.output_tokens
        return {"total_tokens": tokens, "tool_uses": self.calls, "duration_ms": round(seconds * 1000)}

    def output(self, agent_id: str, seconds: float) -> Output:
        text = self.text
        if self.failed:
            text = f"The agent did not finish: {self.errors or 'it failed'}." + (
                f" It said last: {text}" if text else ""
            )
        told = self.usage(seconds)
        data = {
            "status": "failed" if self.failed else "completed",
            "agentId": agent_id,
            "content": [{"type": "text", "text": text}],
            "totalTokens": told["total_tokens"],
            "totalToolUseCount": told["tool_uses"],
            "totalDurationMs": told["duration_ms"],
        }
        return Output.text(text or "(the agent said nothing)", is_error=self.failed, data=data)


def _may_use(agent: Agent, tool: str) -> bool:
    if tool in NEVER or any(_names(pattern, tool) for pattern in agent.disallowed):
        return False
    return agent.tools is None or any(_names(pattern, tool) for pattern in agent.tools)


def _names(pattern: str, tool: str) -> bool:
    """Whether an agent's list means this tool: by name, `*`, or its server's name; brackets are a rule's affair."""
    name = pattern.partition("(")[0].strip()
    name = TOOL_ALIASES.get(name, name)
    server = name.removesuffix("__*")
    return name in {"*", tool} or (name.startswith("mcp__") and tool.startswith(f"{server}__"))


def _started(agent_id: str, description: str, call_id: str, transcript: Path | None) -> System:
    data = {
        "task_id": agent_id,
        "description": description,
        "task_type": "local_agent",
        "tool_use_id": call_id,
        "output_file": str(transcript or ""),
    }
    return System(subtype="task_started", data=data)


def _notification(started: System, status: str, summary: str, usage: Mapping[str, Any] | None = None) -> System:
    kept = {key: started.data[key] for key in ("task_id", "tool_use_id", "output_file")}
    data = {**kept, "status": status, "summary": summary, **({"usage": dict(usage)} if usage else {})}
    return System(subtype="task_notification", data=data)


def _number(name: str, default: int) -> int:
    value = os.environ.get(name, "")
    return int(value) if value.isascii() and value.isdigit() else default
