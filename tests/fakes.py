"""Fakes that implement the ports: a provider that plays prepared messages, and tools whose work is to wait."""

from collections import deque
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
from pydantic import ValidationError

from harness.asks import Asks
from harness.calls import Calls
from harness.effects import Effect, Reads, Writes
from harness.errors import ProviderError, ToolError
from harness.events import Event
from harness.hooks.asking import Hooks
from harness.hooks.handler import Handler
from harness.loop import Deps, State, run
from harness.messages import Assistant, Stop, Text, TextDelta, ToolCall, ToolResult, User
from harness.permissions.decision import Allow, Decision
from harness.providers.port import CallReady, MessageEnd, Model, ModelEvent, Request
from harness.tools.input import ToolInput
from harness.tools.tool import Output, Tool

Script = Assistant | ProviderError | Callable[[Request], AsyncGenerator[ModelEvent, None]]


def call(call_id: str, tool: str = "read", **given: Any) -> ToolCall:
    return ToolCall(call_id, tool, "{}", given)


def says(text: str, *calls: ToolCall) -> Assistant:
    stop: Stop = "tool_use" if calls else "end_turn"
    return Assistant(f"m-{text}", (*((Text(text),) if text else ()), *calls), stop)


class FakeProvider:
    """Plays one script per request and keeps what it was asked."""

    def __init__(self, *scripts: Script) -> None:
        self.scripts = deque(scripts)
        self.asked: list[list[Any]] = []
        self.model = Model("fake", "http://fake")
        self.only_offered = self.priced = False

    def estimate(self, request: Request) -> int:
        return len(request.messages)

    async def ready(self) -> None:
        return None

    def weigh(self, request: Request) -> Sequence[float]:
        return [1.0] * len(request.messages)

    async def stream(self, request: Request) -> AsyncGenerator[ModelEvent, None]:
        self.asked.append(list(request.messages))
        script = self.scripts.popleft()
        if isinstance(script, ProviderError):
            raise script
        if not isinstance(script, Assistant):
            async for event in script(request):
                yield event
            return
        for char in script.text:
            yield TextDelta(char)
        for ready in script.calls:
            yield CallReady(ready)
            await anyio.sleep(0.01)
        yield MessageEnd(script)

    async def aclose(self) -> None: ...


class Wait(ToolInput):
    seconds: float = 0.02
    fails: str = ""


@dataclass
class FakeTools:
    """`read` only reads, `write` has an effect; both wait, and log when they start, end or are cancelled."""

    log: list[tuple[str, str]] = field(default_factory=list)
    specs: bytes = b"[]"
    names: Sequence[str] = ("read", "write")
    pending: bool = False

    def reveal(self) -> Sequence[str]:
        return ()

    def find(self, name: str) -> Tool | None:
        kinds: dict[str, type[Reads | Writes]] = {"read": Reads, "write": Writes}
        name = name.lower()
        effect = kinds.get(name)
        if effect is None:
            return None
        return Tool(name=name, description="", input=Wait, effects=lambda _a, cwd: [effect(cwd)], call=self._call)

    def parse(self, tool: Tool, given: Any) -> Any:
        try:
            return tool.input.model_validate(given)
        except ValidationError as error:
            raise ToolError(f"bad input: {error.errors()[0]['loc']}") from None

    async def _call(self, args: Wait, context: Any) -> AsyncGenerator[Any, None]:
        name = f"{args.seconds}"
        self.log.append(("start", name))
        try:
            await anyio.sleep(args.seconds)
        except anyio.get_cancelled_exc_class():
            self.log.append(("cancelled", name))
            raise
        if args.fails:
            raise ToolError(args.fails)
        self.log.append(("end", name))
        yield Output.text(f"ok {len(self.log)}")  # another each time: work that shows the same for ever is stopped


@dataclass
class Driven:
    """What a driven turn showed, and what it left behind."""

    events: list[Event]
    state: State
    provider: FakeProvider
    tools: FakeTools

    @property
    def results(self) -> list[ToolResult]:
        return [m for m in self.state.messages if isinstance(m, ToolResult)]

    def tags(self) -> list[str]:
        return [event.type for event in self.events]


class _Files:
    def real(self, path: Path) -> Path:
        return path


class _Shell:
    """Takes note of what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def prepare(self, cwd: Path) -> None:
        self.told.append(f"prepare {cwd}")

    def discard(self) -> None:
        self.told.append("discard")


class _Context:
    cwd = Path("/project")
    files = _Files()

    def __init__(self) -> None:
        self.decided: dict[Path, Path] = {}
        self.seen: dict[Path, Any] = {}
        self.shell = _Shell()
        self.jobs = None

    def prepare_shell(self) -> None:
        self.shell.prepare(self.cwd)

    def allow(self, _call_id: str, effects: Sequence[Effect], real: Mapping[Path, Path]) -> None:
        self.decided.update(real)
        if any(isinstance(effect, Writes) for effect in effects):
            self.shell.discard()


async def drive(
    *scripts: Script,
    decide: Callable[..., Decision] = lambda _call, _effects, _real: Allow("mode", "test"),
    hook: Callable[[Event, Deps, State], Any] | None = None,
    asks: Asks | None = None,
    hooks: Sequence[Handler] = (),
    **settings: Any,
) -> Driven:
    """Run one turn over these scripts; `hook` sees each event as it comes and may act on the loop."""
    provider, tools, state = FakeProvider(*scripts), FakeTools(), State("system")
    calls = Calls(tools, _Context(), decide, lambda: "default", lambda _rule: None, asks=asks)  # type: ignore[arg-type]
    events = []
    async with anyio.create_task_group() as tasks:
        if hooks:
            calls.hooks = Hooks(hooks, tasks, lambda: {"session_id": "s"})
        deps = Deps(tasks, provider, calls, **settings)
        async for event in run(User((Text("go"),)), state, deps):
            events.append(event)
            if hook:
                hook(event, deps, state)
    return Driven(events, state, provider, tools)
