"""The agent loop: ask the model, run what it asks for, answer every call, until it ends its turn."""

import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import anyio
from anyio.abc import TaskGroup

from harness.errors import ProviderError
from harness.events import (
    Event,
    Notice,
    PreventContinuation,
    Progress,
    Stopped,
    StreamRequestStart,
    UserMessage,
)
from harness.execute import Calls, ToolEnd, execute
from harness.hooks.verdict import NOTHING, Verdict
from harness.messages import Text, User, joined_text
from harness.mux import Mux
from harness.providers.port import MessageEnd, ModelEvent, Provider, Request
from harness.step import State, Step, settle, take
from harness.turn import Spent, Turn

if TYPE_CHECKING:  # most sessions have no hooks
    from harness.hooks.asking import Hooks

SENT_BACK_LIMIT = 8  # times in a row that Stop hooks may make the model go on

__all__ = ["Deps", "Interrupt", "State", "asked", "run"]


class Interrupt:
    """A wish to stop that is never lost: it ends what runs now, or else what would run next."""

    def __init__(self) -> None:
        self.requested = False
        self._end: Callable[[], None] | None = None

    def request(self) -> None:
        self.requested = True
        if self._end:
            self._end()

    def attach(self, end: Callable[[], None] | None) -> None:
        self._end = end
        if end and self.requested:
            end()


@dataclass(slots=True)
class Deps:
    """The loop's ports. `heartbeat`: seconds between signs of life while the model is silent."""

    tasks: TaskGroup
    provider: Provider
    calls: Calls
    interrupt: Interrupt = field(default_factory=Interrupt)
    max_turns: int | None = None
    heartbeat: float = 5.0

    @property
    def hooks(self) -> "Hooks | None":
        return self.calls.hooks


async def run(prompt: User, state: State, deps: Deps) -> AsyncGenerator[Event, None]:
    """One turn: from the user's message to exactly one `stop` and one `result`."""
    turn = Turn()
    async with aclosing(_begin(prompt, turn, state, deps)) as events:
        async for event in events:
            yield event
    while not turn.ended:
        while state.inbox:
            state.messages.append(message := state.inbox.popleft())
            yield UserMessage(message=message, source="steering")
        if deps.interrupt.requested:
            turn.end("aborted_streaming", "Interrupted by the user.")
        elif deps.max_turns is not None and turn.requests >= deps.max_turns:
            turn.end("max_turns", f"Reached the maximum number of turns ({deps.max_turns}).")
            yield PreventContinuation(cause="max_turns", reason=turn.errors[-1])
        else:
            async with aclosing(_step(turn, state, deps)) as events:
                async for event in events:
                    yield event
        if deps.hooks and turn.ended.startswith("completed"):
            async with aclosing(_may_end(turn, state, deps)) as events:
                async for event in events:
                    yield event
    yield Stopped(reason=turn.ended)
    yield turn.result(deps.provider.model)


async def _begin(prompt: User, turn: Turn, state: State, deps: Deps) -> AsyncGenerator[Event, None]:
    """Take the prompt, unless a hook refuses it; what hooks add goes to its end."""
    verdict = NOTHING
    if deps.hooks and not deps.hooks.agent:
        async with aclosing(asked(deps, "UserPromptSubmit", prompt=joined_text(prompt.parts[:1]))) as answers:
            async for item in answers:
                if isinstance(item, Verdict):
                    verdict = item
                else:
                    yield item
    refused = verdict.stop if verdict.block is None else verdict.block
    if refused is not None:
        turn.end("hook_stopped", refused)
        yield PreventContinuation(cause="hook", reason=refused)
        return
    if verdict.context:
        prompt = User((*prompt.parts, Text(f"<hook>\n{verdict.context}\n</hook>")))
    state.messages.append(prompt)
    yield UserMessage(message=prompt, source="prompt")


async def _may_end(turn: Turn, state: State, deps: Deps) -> AsyncGenerator[Event, None]:
    """Stop hooks: each may send the model back to work, but not for ever."""
    agent = deps.hooks.agent if deps.hooks else {}
    event = "SubagentStop" if agent else "Stop"
    fields: dict[str, Any] = {"stop_hook_active": turn.sent_back > 0, "last_assistant_message": turn.text}
    verdict = NOTHING
    async with aclosing(asked(deps, event, agent.get("agent_type", ""), **fields)) as answers:
        async for item in answers:
            if isinstance(item, Verdict):
                verdict = item
            else:
                yield item
    if verdict.block is None or verdict.stop is not None:
        return
    if turn.sent_back >= SENT_BACK_LIMIT:
        text = f"{event} hooks have sent the model back {SENT_BACK_LIMIT} times in a row; this time it ends."
        yield Notice(level="warning", cause="hook", text=text)
        return
    turn.ended = ""
    turn.sent_back += 1
    message = User((Text(verdict.block),))
    state.messages.append(message)
    yield UserMessage(message=message, source="harness")


async def asked(deps: Deps, event: str, subject: str = "", **fields: Any) -> AsyncGenerator[Event | Verdict, None]:
    """Ask hooks about the turn; an interrupt ends them, and then there is no verdict."""
    if deps.hooks is None:
        return
    async with Mux[Event | Verdict](deps.tasks) as mux:
        deps.interrupt.attach(mux.interrupt)
        try:
            mux.add(deps.hooks.ask(event, subject, **fields))
            async for item in mux:
                yield item
        finally:
            deps.interrupt.attach(None)


async def _step(turn: Turn, state: State, deps: Deps) -> AsyncGenerator[Event, None]:
    """One request to the model and the calls it asks for."""
    step, asked = Step(), time.monotonic()
    request = Request(uuid4().hex, state.system, state.messages, deps.calls.toolbox.specs)
    turn.requests += 1
    yield StreamRequestStart(
        request_id=request.id,
        model=deps.provider.model.id,
        endpoint=deps.provider.model.endpoint,
        estimated_input_tokens=deps.provider.estimate(request),
    )
    try:
        async with Mux[Event | ModelEvent | ToolEnd | Spent](deps.tasks) as mux:
            deps.interrupt.attach(mux.interrupt)
            mux.add(_answer(deps.provider, request), paced=False)
            beat = mux.add(_heartbeat("request", asked, deps.heartbeat))
            async for item in mux:
                if isinstance(item, MessageEnd):
                    beat.drop()
                    turn.api_seconds += time.monotonic() - asked
                for event in take(item, step, turn, state, deps.calls):
                    yield event
                if step.refused:
                    mux.interrupt()
                for call_id in step.schedule.ready():
                    step.running[call_id] = mux.add(execute(step.prepared[call_id].call, deps.calls))
    except ProviderError as error:
        turn.fail(error)
    finally:
        deps.interrupt.attach(None)
    interrupted, model = deps.interrupt.requested, deps.provider.model.id
    for event in settle(step, turn, state, model=model, interrupted=interrupted):
        yield event


async def _answer(provider: Provider, request: Request) -> AsyncGenerator[ModelEvent, None]:
    """The provider's stream, held to its contract: without a whole message at its end a step would wait for ever."""
    whole = False
    async with aclosing(provider.stream(request)) as events:
        async for event in events:
            whole = isinstance(event, MessageEnd)
            yield event
    if not whole:
        raise ProviderError("protocol", "The model's answer ended without a whole message.", "Try again.")


async def _heartbeat(what: str, began: float, every: float) -> AsyncGenerator[Event, None]:
    while True:
        await anyio.sleep(every)
        yield Progress(what=what, elapsed=round(time.monotonic() - began, 1))
