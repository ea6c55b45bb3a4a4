"""The agent loop: ask the model, run what it asks for, answer every call, until it ends its turn."""

import time
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing
from dataclasses import dataclass, field
from uuid import uuid4

import anyio
from anyio.abc import TaskGroup

from harness.effects import only_reads
from harness.errors import CATEGORIES, ProviderError
from harness.events import (
    AssistantMessage,
    Denial,
    Event,
    Notice,
    PreventContinuation,
    Progress,
    Stopped,
    StopReason,
    StreamEvent,
    StreamRequestStart,
    System,
    UserMessage,
)
from harness.execute import Calls, Prepared, ToolEnd, execute, judge, prepare
from harness.messages import (
    Assistant,
    HistoryMessage,
    Text,
    TextDelta,
    ThinkingDelta,
    ToolCall,
    ToolInputDelta,
    ToolResult,
    User,
)
from harness.mux import Mux, Source
from harness.permissions.decision import Allow
from harness.providers.port import CallReady, MessageEnd, ModelEvent, Provider, Request, Retrying, Told
from harness.schedule import Schedule
from harness.turn import Turn

MALFORMED_LIMIT = 3  # messages in a row whose calls were all unusable
INTERRUPTED = "Interrupted by the user: this call did not finish, and what it had done so far may remain."


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
class State:
    """What a session remembers. `messages` is append-only; `inbox` holds steering for the next request."""

    system: str
    messages: list[HistoryMessage] = field(default_factory=list)
    inbox: deque[User] = field(default_factory=deque)


@dataclass(slots=True)
class Deps:
    """The loop's ports. `heartbeat`: seconds between signs of life while the model is silent."""

    tasks: TaskGroup
    provider: Provider
    calls: Calls
    interrupt: Interrupt = field(default_factory=Interrupt)
    max_turns: int | None = None
    heartbeat: float = 5.0


@dataclass(slots=True)
class _Step:
    """One model message and its calls."""

    schedule: Schedule = field(default_factory=Schedule)
    prepared: dict[str, Prepared] = field(default_factory=dict)
    running: dict[str, Source] = field(default_factory=dict)
    ends: dict[str, ToolEnd] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)
    reply: Assistant | None = None
    answered: int = 0  # calls of the reply whose results have been told
    refused: bool = False  # the person said no, and no more

    @property
    def open_calls(self) -> tuple[ToolCall, ...]:
        return self.reply.calls[self.answered :] if self.reply else ()

    def forget(self) -> None:
        """The stream is asked for again: nothing of it counts, and reads that ran ahead are dropped."""
        for source in self.running.values():
            source.drop()
        self.schedule.clear()
        self.prepared.clear()
        self.running.clear()
        self.ends.clear()
        self.said.clear()

    def push(self, call: ToolCall, calls: Calls) -> None:
        if call.id in self.prepared:
            return
        prepared = self.prepared[call.id] = prepare(call, calls)
        unasked = bool(prepared.problem) or isinstance(judge(prepared, calls)[1], Allow)
        self.schedule.push(call.id, free=unasked and only_reads(prepared.effects))

    def complete(self, reply: Assistant) -> None:
        """The message is whole. A call that it takes back (a content filter does) is not to be done."""
        self.reply, self.schedule.complete = reply, True
        for call_id in self.prepared.keys() - {call.id for call in reply.calls}:
            self.schedule.withdraw(call_id)
            if source := self.running.get(call_id):
                source.drop()

    def told(self) -> Iterator[ToolEnd]:
        """Ends that may be told now: in the order of the calls, each when all before it are there."""
        for call in self.open_calls:
            if call.id not in self.ends:
                return
            self.answered += 1
            yield self.ends[call.id]


async def run(prompt: User, state: State, deps: Deps) -> AsyncGenerator[Event, None]:
    """One turn: from the user's message to exactly one `stop` and one `result`."""
    turn = Turn()
    state.messages.append(prompt)
    yield UserMessage(message=prompt, source="prompt")
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
    yield Stopped(reason=turn.ended)
    yield turn.result(deps.provider.model)


async def _step(turn: Turn, state: State, deps: Deps) -> AsyncGenerator[Event, None]:
    """One request to the model and the calls it asks for."""
    step, asked = _Step(), time.monotonic()
    request = Request(uuid4().hex, state.system, state.messages, deps.calls.toolbox.specs)
    turn.requests += 1
    yield StreamRequestStart(
        request_id=request.id,
        model=deps.provider.model.id,
        endpoint=deps.provider.model.endpoint,
        estimated_input_tokens=deps.provider.estimate(request),
    )
    try:
        async with Mux[Event | ModelEvent | ToolEnd](deps.tasks) as mux:
            deps.interrupt.attach(mux.interrupt)
            mux.add(_answer(deps.provider, request), paced=False)
            beat = mux.add(_heartbeat("request", asked, deps.heartbeat))
            async for item in mux:
                if isinstance(item, MessageEnd):
                    beat.drop()
                    turn.api_seconds += time.monotonic() - asked
                for event in _take(item, step, turn, state, deps.calls):
                    yield event
                if step.refused:
                    mux.interrupt()
                for call_id in step.schedule.ready():
                    step.running[call_id] = mux.add(execute(step.prepared[call_id].call, deps.calls))
    except ProviderError as error:
        turn.fail(error)
    finally:
        deps.interrupt.attach(None)
    for event in _settle(step, turn, state, deps):
        yield event


def _take(item: Event | ModelEvent | ToolEnd, step: _Step, turn: Turn, state: State, calls: Calls) -> Iterator[Event]:
    """What one thing that happened means: for the step, for the history, and for whoever watches."""
    match item:
        case TextDelta() | ThinkingDelta() | ToolInputDelta():
            if isinstance(item, TextDelta):
                step.said.append(item.text)
            yield StreamEvent(delta=item)
        case CallReady(call):
            step.push(call, calls)
        case Retrying():
            step.forget()
            yield System(subtype="api_retry", data=_retry_data(item))
        case Told():
            yield Notice(level=item.level, cause=item.cause, text=item.text, mend=item.mend)
        case MessageEnd():
            yield from _record_reply(item, step, turn, state, calls)
        case ToolEnd(result, _, stop_turn):
            step.ends[result.call_id] = item
            step.schedule.done(result.call_id)
            step.refused |= stop_turn
        case _:
            yield item
    for end in step.told():
        yield from _record_result(end, step, turn, state)


def _record_reply(end: MessageEnd, step: _Step, turn: Turn, state: State, calls: Calls) -> Iterator[Event]:
    message = end.message
    step.complete(message)
    for call in message.calls:
        step.push(call, calls)
    turn.text, turn.stop = message.text, message.stop
    turn.spend(message.model, message.usage, end.cost)
    state.messages.append(message)
    yield AssistantMessage(message=message, cost=end.cost)
    yield StopReason(message_id=message.id, reason=message.stop)


def _record_result(end: ToolEnd, step: _Step, turn: Turn, state: State) -> Iterator[Event]:
    if end.outcome == "denied":
        call = step.prepared[end.result.call_id].call
        turn.denials.append(Denial(tool_name=call.name, tool_use_id=call.id, tool_input=dict(call.input or {})))
    state.messages.append(end.result)
    yield UserMessage(message=end.result, source="tool")


def _settle(step: _Step, turn: Turn, state: State, deps: Deps) -> Iterator[Event]:
    """After the step: every call has an answer; then decide whether the turn goes on."""
    if step.reply is None and step.said and turn.error is None:
        partial = Assistant(uuid4().hex, (Text("".join(step.said)),), model=deps.provider.model.id)
        state.messages.append(partial)
        yield AssistantMessage(message=partial, interrupted=True)
    for call in step.open_calls:
        result = ToolResult(call.id, (Text(INTERRUPTED),), is_error=True, data=f"Error: {INTERRUPTED}")
        end = step.ends.get(call.id) or ToolEnd(result)
        yield from _record_result(end, step, turn, state)
    if turn.error:
        yield Notice(level="error", cause=turn.error.kind, text=turn.error.what, mend=turn.error.mend)
    elif step.refused:
        turn.end("aborted_tools", "A call was refused.")
        yield PreventContinuation(cause="permission", reason="The person refused a call and ended the turn.")
    elif deps.interrupt.requested:
        turn.end(
            "aborted_tools" if step.reply and step.reply.calls else "aborted_streaming", "Interrupted by the user."
        )
    elif not (step.reply and step.reply.calls):
        if not state.inbox:
            turn.end("completed")
    else:
        yield from _count_malformed(step, turn)


def _count_malformed(step: _Step, turn: Turn) -> Iterator[Event]:
    if any(end.outcome != "malformed" for end in step.ends.values()):
        turn.malformed = 0
        return
    turn.malformed += 1
    if turn.malformed >= MALFORMED_LIMIT:
        last = next(iter(step.ends.values())).result.text
        reason = f"{MALFORMED_LIMIT} messages in a row held only calls that cannot be run. The last problem: {last}"
        turn.end("malformed_tool_use_exhausted", reason)
        yield PreventContinuation(cause="malformed_tool_use", reason=reason)


def _retry_data(retrying: Retrying) -> dict[str, object]:
    return {
        "attempt": retrying.attempt,
        "max_retries": retrying.max_retries,
        "retry_delay_ms": round(retrying.delay * 1000),
        "error_status": retrying.status,
        "error": CATEGORIES.get(retrying.kind, "unknown"),
        "message": retrying.error,
    }


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
