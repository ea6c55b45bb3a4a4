"""A call that a hook deferred, taken up again: what the model asked for in an earlier turn, before all that is new.

Its hooks are asked again, so whoever deferred it can allow it now, with the answer that was waited for, deny it, or
defer it once more.
"""

from collections.abc import AsyncGenerator, Callable

from anyio.abc import TaskGroup

from harness.calls import Calls, ToolEnd
from harness.events import Event, PreventContinuation
from harness.messages import Assistant, ToolCall
from harness.mux import Mux
from harness.request import Interrupt
from harness.step import State, Step, settle, take
from harness.turn import Spent, Turn

Execute = Callable[[ToolCall, Calls], AsyncGenerator[Event | Spent | ToolEnd, None]]


async def taken_up(
    reply: Assistant, turn: Turn, state: State, calls: Calls, execute: Execute, tasks: TaskGroup, interrupt: Interrupt
) -> AsyncGenerator[Event, None]:
    """Run the one call of `reply`; the turn goes on with its result, unless it is deferred again."""
    (call,), step = reply.calls, Step()
    turn.text, turn.stop = reply.text, reply.stop
    if calls.toolbox.find(call.name) is None:
        turn.deferred = call
        turn.end(
            "tool_deferred_unavailable", f"The deferred call needs {call.name}, which is not here in this session."
        )
        yield PreventContinuation(cause="deferred", reason=turn.errors[-1])
        return
    state.deferred = ""  # from here on it has begun, whatever becomes of it
    step.push(call, calls)
    step.complete(reply)
    async with Mux[Event | ToolEnd | Spent](tasks) as mux:
        interrupt.attach(mux.interrupt)
        try:
            for call_id in step.schedule.ready():
                step.running[call_id] = mux.add(execute(step.prepared[call_id].call, step.lent(calls)))
            async for item in mux:
                for event in take(item, step, turn, state, calls):
                    yield event
        finally:
            interrupt.attach(None)
    for event in settle(step, turn, state, model=reply.model, interrupted=interrupt.requested):
        yield event
