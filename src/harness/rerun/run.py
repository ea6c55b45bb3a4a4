"""Run a session again: what `Session` wires, with a journal and a recording in place of person, tools and server."""

from contextlib import aclosing

import anyio

from harness.context.budget import LEAN_WINDOW
from harness.errors import UsageError
from harness.events import AssistantMessage, Event, StreamRequestStart, System
from harness.loop import compact, run
from harness.options import SessionOptions
from harness.rerun.cassette import Cassette
from harness.rerun.difference import Difference
from harness.rerun.plan import Compaction, Plan, Turn
from harness.rerun.player import same_answer
from harness.rerun.rig import Rig, rigged
from harness.toolbox import Toolbox


async def rerun(plan: Plan, against: Cassette | str, options: SessionOptions, *, run_tools: bool = False) -> int:
    """Run the session again; how many requests were made. `against`: a recording, or the URL of a server.

    `options` are those that the session was begun with, as far as they change what the model is told.

    Raises:
        Difference: a request (with a server: an answer) is not what it was.
    """
    if plan.uses_agents and run_tools:
        raise UsageError("Sub-agents are not run again.", "Drop --run-tools: their reports are in the session.")
    if plan.uses_agents and isinstance(against, Cassette):
        against.without_agents()
    try:
        async with (
            anyio.create_task_group() as tasks,
            rigged(plan, against, options, tasks, run_tools=run_tools) as rig,
        ):
            await _session(plan, rig)
            tasks.cancel_scope.cancel()
    except BaseExceptionGroup as group:
        raise _alone(group) from None
    if isinstance(against, Cassette):
        against.left()
        return against.played
    return rig.requests


def _alone(error: BaseException) -> BaseException:
    """What was raised within task groups, of which nothing else came."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error


async def _session(plan: Plan, rig: Rig) -> None:
    try:
        for turn in plan.turns:
            if isinstance(turn, Compaction):
                async with aclosing(compact(rig.state, rig.deps, "manual", turn.focus)) as events:
                    async for event in events:
                        _saw(event, rig)
            else:
                await _turn(turn, rig)
            rig.deps.interrupt.requested = False
    finally:
        rig.deps.calls.context.shell.discard()


async def _turn(turn: Turn, rig: Rig) -> None:
    await rig.speak_to(turn.model)
    if turn.end and turn.end.context_window:
        rig.player.window = (turn.end.context_window, turn.end.max_output)
    small = bool(rig.player.window[0]) and (rig.player.window[0] or 0) <= LEAN_WINDOW
    if not rig.state.messages and small and isinstance(rig.deps.calls.toolbox, Toolbox):
        rig.deps.calls.toolbox.lean()
    rig.state.messages += turn.said
    rig.state.inbox += turn.steps[0].steering if turn.steps else turn.late
    rig.feeds.ended += turn.steps[0].endings if turn.steps else ()
    asked = 0
    async with aclosing(run(turn.prompt, rig.state, rig.deps)) as events:
        async for event in events:
            _saw(event, rig)
            if isinstance(event, StreamRequestStart):
                _asks(turn, asked, rig)
                asked += 1
            elif isinstance(event, AssistantMessage) and rig.live:
                _answered(turn, asked - 1, event)


def _asks(turn: Turn, number: int, rig: Rig) -> None:
    """Before a request: what is known of its answer, and what the person said meanwhile."""
    rig.requests += 1
    step = turn.steps[number] if number < len(turn.steps) else None
    lost = step is None and not turn.ends_by_itself
    unanswered = lost and turn.end is not None and turn.end.terminal_reason == "aborted_streaming"
    if lost and not unanswered and not (turn.end and turn.end.terminal_reason == "api_error"):
        rig.requests -= 1
        rig.deps.interrupt.request()  # the turn was ended here, from outside
    rig.feeds.step = step
    rig.player.step, rig.player.cuts = step, unanswered or (step is not None and step.interrupted)
    rig.results.begin(turn, step)
    if step is not None:
        following = turn.steps[number + 1] if number + 1 < len(turn.steps) else None
        rig.state.inbox += following.steering if following else turn.late
        rig.feeds.ended += following.endings if following else ()


def _answered(turn: Turn, number: int, event: AssistantMessage) -> None:
    if number >= len(turn.steps):
        raise Difference(f"The server answered more often than the journal has it: {event.message.text[:200]!r}")
    if not event.interrupted and (
        why := same_answer(turn.steps[number], list(event.message.calls), event.message.text)
    ):
        raise Difference(f"Answer {number + 1} to {turn.prompt.text[:60]!r} differs from the journal's: {why}")


def _saw(event: Event, rig: Rig) -> None:
    if isinstance(event, System) and event.subtype == "compact_boundary" and "texts" in event.fold:
        rig.feeds.compactions += 1
