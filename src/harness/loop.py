"""The agent loop: ask the model, run what it asks for, answer every call, until it ends its turn."""

import json
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from anyio.abc import TaskGroup

from harness.calls import Calls, ToolEnd
from harness.context.keeper import CannotFit, Keeper, Trigger
from harness.errors import ProviderError
from harness.events import (
    Event,
    Notice,
    PreventContinuation,
    Stopped,
    StreamRequestStart,
    UserMessage,
)
from harness.guards.limits import Forbidden, Limits
from harness.guards.stuck import RUNGS, Circle
from harness.hooks.verdict import NOTHING, Verdict
from harness.messages import HistoryMessage, Text, ToolCall, User, joined_text
from harness.mux import Mux
from harness.providers.port import MessageEnd, ModelEvent, Provider, Request
from harness.request import Interrupt, answer, heartbeat
from harness.step import State, Step, settle, take
from harness.turn import Spent, Turn

if TYPE_CHECKING:  # most sessions have no hooks
    from harness.hooks.asking import Hooks
    from harness.jobs import Jobs
    from harness.structured import Contract

SENT_BACK_LIMIT = 8  # times in a row that Stop hooks may make the model go on

__all__ = ["Deps", "Interrupt", "State", "asked", "run"]


def _executed(call: ToolCall, calls: Calls) -> AsyncGenerator[Event | Spent | ToolEnd, None]:
    from harness.execute import execute  # noqa: PLC0415  with the first call

    return execute(call, calls)


@dataclass(slots=True)
class Deps:
    """The loop's ports. `heartbeat`: seconds between signs of life while the model is silent. `execute` runs a call."""

    tasks: TaskGroup
    provider: Provider
    calls: Calls
    interrupt: Interrupt = field(default_factory=Interrupt)
    keeper: Keeper | None = None  # None: the conversation is let grow
    limits: Limits = field(default_factory=Limits)
    heartbeat: float = 5.0
    contract: "Contract | None" = None  # what the answer must be; None: whatever the model says
    execute: Callable[[ToolCall, Calls], AsyncGenerator[Event | Spent | ToolEnd, None]] = _executed

    @property
    def jobs(self) -> "Jobs | None":
        return self.calls.context.jobs

    @property
    def hooks(self) -> "Hooks | None":
        return self.calls.hooks


async def run(prompt: User | None, state: State, deps: Deps) -> AsyncGenerator[Event, None]:
    """One turn: from the user's message to exactly one `stop` and one `result`. None: what was deferred goes on."""
    turn = Turn.after(state.bill)
    if deps.keeper:
        deps.keeper.spent = turn.aside
    async with aclosing(_begin(prompt, turn, state, deps)) as events:
        async for event in events:
            yield event
    while not turn.ended:
        for event in _meanwhile(state, deps):
            yield event
        if deps.interrupt.requested:
            turn.end("aborted_streaming", "Interrupted by the user.")
        elif forbidden := _forbidden(turn, state, deps):
            turn.end(forbidden.reason, forbidden.text)
            yield PreventContinuation(cause=forbidden.cause, reason=forbidden.text)
        else:
            if circle := state.watch.found():
                yield _nudge(circle, state)
            async with aclosing(_fit(turn, state, deps)) as events:
                async for event in events:
                    yield event
            async with aclosing(_step(turn, state, deps)) as events:
                async for event in events:
                    yield event
        async with aclosing(_ending(turn, state, deps)) as events:
            async for event in events:
                yield event
    state.bill = turn.bill
    yield Stopped(reason=turn.ended)
    yield turn.result(deps.provider.model, _held(state, deps))


def _meanwhile(state: State, deps: Deps) -> Iterator[Event]:
    """What the next request says besides: what the person said to the turn, and how background jobs ended."""
    while state.inbox:
        state.add(message := state.inbox.popleft())
        yield UserMessage(message=message, source="steering")
    for text in deps.jobs.endings() if deps.jobs else ():
        state.messages.append(ended := User((Text(text),)))
        yield UserMessage(message=ended, source="harness")
    yield from deps.jobs.news() if deps.jobs else ()


async def _begin(prompt: User | None, turn: Turn, state: State, deps: Deps) -> AsyncGenerator[Event, None]:
    """Take up what was deferred, and take the prompt, unless a hook refuses it; what hooks add goes to its end."""
    verdict = NOTHING
    if deps.contract:
        deps.contract.begin()
    if reply := state.pending:
        from harness.deferring import taken_up  # noqa: PLC0415  seldom, and only with hooks

        again = taken_up(reply, turn, state, deps.calls, deps.execute, deps.tasks, deps.interrupt)
        async with aclosing(again) as events:
            async for event in events:
                yield event
    if turn.deferred and prompt:
        text = "The prompt was not taken: the call before it still waits."
        yield Notice(level="warning", cause="deferred", text=text)
    if turn.ended or prompt is None:
        return
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
    state.add(prompt)
    yield UserMessage(message=prompt, source="prompt")


def _held_to(contract: "Contract", turn: Turn, state: State) -> Iterator[Event]:
    """The turn ends with the answer that was asked for, or goes on until it is there, but not for ever."""
    if turn.ended not in {"", "completed"}:
        return
    again = contract.read(turn.text) if turn.ended and not contract.met else None
    if contract.met:
        turn.structured, turn.ended = contract.value, "completed"
        turn.text = json.dumps(contract.value, ensure_ascii=False)
    elif contract.exhausted:
        turn.end("structured_output_retry_exhausted", f"{contract.tries} answers did not fit the schema.")
        yield PreventContinuation(cause="structured_output", reason=turn.errors[-1])
    elif again:
        turn.ended = ""
        state.add(again)
        yield UserMessage(message=again, source="harness")


async def _ending(turn: Turn, state: State, deps: Deps) -> AsyncGenerator[Event, None]:
    """After each step: whether the turn may end as it would, or must."""
    if deps.contract:
        for event in _held_to(deps.contract, turn, state):
            yield event
    if deps.hooks and turn.ended == "completed":
        async with aclosing(_may_end(turn, state, deps)) as events:
            async for event in events:
                yield event


async def _may_end(turn: Turn, state: State, deps: Deps) -> AsyncGenerator[Event, None]:
    """Stop hooks: each may send the model back to work, but not for ever."""
    agent = deps.hooks.agent if deps.hooks else {}
    event = "SubagentStop" if agent else "Stop"
    fields: dict[str, Any] = {"stop_hook_active": turn.sent_back > 0, "last_assistant_message": turn.text}
    fields["background_tasks"] = [job.plain for job in deps.jobs.running] if deps.jobs else []
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


async def _fit(turn: Turn, state: State, deps: Deps) -> AsyncGenerator[Event, None]:
    """Before each request: make it fit the window. A request that was refused as too long is made shorter anyway."""
    if deps.keeper is None:
        return
    squeeze, turn.squeeze = turn.squeeze, False
    if deps.calls.toolbox.pending and (turn.requests == 0 or deps.provider.only_offered):
        names = deps.calls.toolbox.reveal()
        state.rewritten = state.rewritten or bool(state.messages)
        yield Notice(level="info", cause="tools", text=f"The request offers more tools now: {', '.join(names)}.")
    fitting = _folding(deps.keeper.fit(_request(state, deps), state.ledger), state)
    made = compact(state, deps, "auto") if squeeze else fitting
    try:
        async with aclosing(made) as events:
            async for event in events:
                yield event
    except CannotFit as error:
        turn.end(error.reason, str(error))
        yield PreventContinuation(cause="context", reason=str(error))


async def compact(state: State, deps: Deps, trigger: Trigger, focus: str = "") -> AsyncGenerator[Event, None]:
    """Let a summary take the conversation's place. Raises CannotFit."""
    if deps.keeper:
        made = deps.keeper.compact(_request(state, deps), state.ledger, trigger, focus)
        async with aclosing(_folding(made, state)) as events:
            async for event in events:
                yield event


async def _folding(
    made: AsyncGenerator[Event | list[HistoryMessage], None], state: State
) -> AsyncGenerator[Event, None]:
    """The events; each new history takes the old one's place, after the event that tells of it has been kept."""
    async with aclosing(made) as items:
        async for item in items:
            if isinstance(item, list):
                state.messages, state.rewritten = item, True
            else:
                yield item


def _forbidden(turn: Turn, state: State, deps: Deps) -> Forbidden | None:
    """Why no further request is made: a limit of the person's, or work that went in circles in spite of all words."""
    if forbidden := deps.limits.check(turn, priced=deps.provider.priced):
        return forbidden
    circle = state.watch.found()
    if circle is None or state.ladder.rung < RUNGS:
        if circle is None:
            state.ladder.calm()
        return None
    state.watch.forget()
    state.ladder.rung = 0
    text = f"Stopped, since the work goes round in circles: {circle.evidence}"
    return Forbidden("stuck", "stuck", text)


def _nudge(circle: Circle, state: State) -> Event:
    """Tell the model, with the evidence; the circle is then closed and looked for anew."""
    text = state.ladder.climb(circle)
    state.watch.forget()
    message = User((Text(f"<reminder>\n{text}\n</reminder>"),))
    state.messages.append(message)
    return UserMessage(message=message, source="harness")


def _held(state: State, deps: Deps) -> dict[str, Any] | None:
    return deps.keeper.account(_request(state, deps)).plain if deps.keeper else None


def _request(state: State, deps: Deps) -> Request:
    tools, rewritten = deps.calls.toolbox.specs, state.rewritten
    return Request(uuid4().hex, state.system, state.messages, tools, rewritten=rewritten)


async def _step(turn: Turn, state: State, deps: Deps) -> AsyncGenerator[Event, None]:
    """One request to the model and the calls it asks for."""
    if turn.ended or deps.interrupt.requested:
        return  # nothing could be made to fit, or the person has had enough meanwhile
    step, asked = Step(), time.monotonic()
    request = _request(state, deps)
    if deps.contract and turn.requests and (due := deps.contract.due(state.messages)):
        request = replace(request, force=due)
    turn.requests += 1
    state.rewritten = False
    yield StreamRequestStart(
        request_id=request.id,
        model=deps.provider.model.id,
        endpoint=deps.provider.model.endpoint,
        estimated_input_tokens=deps.provider.estimate(request),
    )
    try:
        async with Mux[Event | ModelEvent | ToolEnd | Spent](deps.tasks) as mux:
            deps.interrupt.attach(mux.interrupt)
            mux.add(answer(deps.provider, request), paced=False)
            beside = mux.add(heartbeat("request", asked, deps.heartbeat, deps.calls.context.prepare_shell))
            async for item in mux:
                if isinstance(item, MessageEnd):
                    beside.drop()
                    turn.api_seconds += time.monotonic() - asked
                for event in take(item, step, turn, state, deps.calls):
                    yield event
                for event in deps.jobs.news() if deps.jobs else ():
                    yield event
                if step.refused:
                    mux.interrupt()
                for call_id in step.schedule.ready():
                    step.running[call_id] = mux.add(deps.execute(step.prepared[call_id].call, step.lent(deps.calls)))
    except ProviderError as error:
        if error.kind == "overflow" and deps.keeper and not turn.overflows:
            turn.overflows, turn.squeeze = 1, True
            return
        turn.fail(error)
    finally:
        deps.interrupt.attach(None)
    interrupted, model = deps.interrupt.requested, deps.provider.model.id
    for event in settle(step, turn, state, model=model, interrupted=interrupted):
        yield event
