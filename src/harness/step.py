"""One step of a turn: one model message, the calls it asks for, and what each thing that happens comes to.

Synchronous: what arrives is taken in (`take`), and at the end every call has an answer (`settle`).
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from uuid import uuid4

from harness.calls import Calls, Prepared, ToolEnd, judge, prepare
from harness.context.ledger import Ledger
from harness.errors import CATEGORIES
from harness.events import (
    AssistantMessage,
    Denial,
    Event,
    Notice,
    PreventContinuation,
    StopReason,
    StreamEvent,
    System,
    UserMessage,
)
from harness.guards.stuck import Ladder, Watch
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
from harness.mux import Source
from harness.permissions.decision import Allow
from harness.providers.port import CallReady, MessageEnd, ModelEvent, Retrying, Told
from harness.schedule import Schedule
from harness.turn import Bill, Spent, Turn

MALFORMED_LIMIT = 3  # messages in a row whose calls were all unusable
INTERRUPTED = "Interrupted by the user: this call did not finish, and what it had done so far may remain."


@dataclass(slots=True)
class State:
    """What a session remembers. `messages` only grows, but for compaction, which replaces it; `inbox` holds
    steering for the next request; `ledger` outlives every compaction."""

    system: str
    messages: list[HistoryMessage] = field(default_factory=list)
    inbox: deque[User] = field(default_factory=deque)
    ledger: Ledger = field(default_factory=Ledger)
    rewritten: bool = False  # since the last request, by a compaction
    deferred: str = ""  # the call that the last turn ended with, because a hook deferred it
    bill: Bill = field(default_factory=Bill)
    watch: Watch = field(default_factory=Watch)
    ladder: Ladder = field(default_factory=Ladder)

    @property
    def pending(self) -> Assistant | None:
        """The model's last message, where its call was deferred. One whose turn was left has no answer either."""
        last = self.messages[-1] if self.messages else None
        return last if isinstance(last, Assistant) and [call.id for call in last.calls] == [self.deferred] else None

    def add(self, message: HistoryMessage) -> None:
        """Something was said or done; what we say ourselves goes into `messages` alone."""
        self.messages.append(message)
        self.ledger.note(message)


@dataclass(slots=True)
class Step:
    """One model message and its calls."""

    schedule: Schedule = field(default_factory=Schedule)
    prepared: dict[str, Prepared] = field(default_factory=dict)
    running: dict[str, Source] = field(default_factory=dict)
    ends: dict[str, ToolEnd] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)
    reply: Assistant | None = None
    answered: int = 0  # calls of the reply whose results have been told
    refused: bool = False  # the person said no, and no more
    halted: str | None = None  # a hook ends the turn, and why

    @property
    def open_calls(self) -> tuple[ToolCall, ...]:
        return self.reply.calls[self.answered :] if self.reply else ()

    def lent(self, calls: Calls) -> Calls:
        """What a call of this message is run with: whether it is alone matters to hooks that defer."""
        alone = calls.hooks is not None and self.reply is not None and len(self.reply.calls) == 1
        return replace(calls, alone=True) if alone else calls

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
        from harness.effects import only_reads  # noqa: PLC0415  with the first call

        prepared = self.prepared[call.id] = prepare(call, calls)
        unasked = bool(prepared.problem) or isinstance(judge(prepared, calls)[1], Allow)
        beside = prepared.tool.parallel if prepared.tool else None
        hooked = calls.hooks is not None and calls.hooks.about_call(prepared.call.name)
        self.schedule.push(
            call.id, free=unasked and (beside or only_reads(prepared.effects)), early=not hooked and beside is None
        )

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


def take(
    item: Event | ModelEvent | ToolEnd | Spent, step: Step, turn: Turn, state: State, calls: Calls
) -> Iterator[Event]:
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
        case Spent(model, usage, cost):
            turn.aside(model, usage, cost)
        case MessageEnd():
            yield from _record_reply(item, step, turn, state, calls)
        case ToolEnd(result, _, stop_turn, halt):
            step.halted = step.halted if halt is None else halt
            step.ends[result.call_id] = item
            step.schedule.done(result.call_id)
            step.refused |= stop_turn
        case _:
            yield item
    for end in step.told():
        yield from _record_result(end, step, turn, state)


def _record_reply(end: MessageEnd, step: Step, turn: Turn, state: State, calls: Calls) -> Iterator[Event]:
    message = end.message
    step.complete(message)
    for call in message.calls:
        step.push(call, calls)
    turn.text, turn.stop = message.text, message.stop
    turn.spend(message.model, message.usage, end.cost)
    state.add(message)
    yield AssistantMessage(message=message, cost=end.cost)
    yield StopReason(message_id=message.id, reason=message.stop)


def _record_result(end: ToolEnd, step: Step, turn: Turn, state: State) -> Iterator[Event]:
    if end.outcome == "deferred":
        turn.deferred = next(call for call in step.reply.calls if call.id == end.result.call_id) if step.reply else None
        state.deferred = end.result.call_id
        return
    if end.outcome == "denied":
        call = step.prepared[end.result.call_id].call
        turn.denials.append(Denial(tool_name=call.name, tool_use_id=call.id, tool_input=dict(call.input or {})))
    turn.denials += end.denied
    state.add(end.result)
    if prepared := step.prepared.get(end.result.call_id):
        state.watch.note(prepared.call, end.result, end.content)
    yield UserMessage(message=end.result, source="tool")


def settle(step: Step, turn: Turn, state: State, *, model: str, interrupted: bool) -> Iterator[Event]:
    """After the step: every call has an answer; then decide whether the turn goes on."""
    if step.reply is None and step.said and turn.error is None:
        partial = Assistant(uuid4().hex, (Text("".join(step.said)),), model=model)
        state.add(partial)
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
    elif step.halted is not None:
        turn.end("hook_stopped", step.halted)
        yield PreventContinuation(cause="hook", reason=step.halted)
    elif turn.deferred:
        turn.end("tool_deferred")
    elif interrupted:
        turn.end(
            "aborted_tools" if step.reply and step.reply.calls else "aborted_streaming", "Interrupted by the user."
        )
    elif not (step.reply and step.reply.calls):
        if not state.inbox:
            turn.end("completed")
    else:
        yield from _count_malformed(step, turn)


def _count_malformed(step: Step, turn: Turn) -> Iterator[Event]:
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
