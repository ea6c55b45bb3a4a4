"""Ask all handlers of an event at once, show that they run, and add their answers up."""

import time
from collections.abc import AsyncGenerator, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any
from uuid import uuid4

import anyio
from anyio.abc import TaskGroup

from harness.effects import Effect
from harness.events import Event, Notice, Progress, System
from harness.hooks.handler import Handler, HookFailed, Json, Ran
from harness.hooks.verdict import Verdict, merged, refusal
from harness.messages import ToolCall, ToolResult
from harness.mux import Mux, aside

BEAT = 5.0  # seconds between signs of life of hooks that run
CALL_EVENTS = ("PreToolUse", "PostToolUse", "PostToolUseFailure")


@dataclass(frozen=True, slots=True)
class _Answered:
    index: int
    ran: Ran
    outcome: str  # success, error or cancelled, as `hook_response` says it


class Hooks:
    """A session's handlers. `base` gives the fields that every event's input begins with, as they are now.

    `agent` is what the events of a sub-agent carry besides.
    """

    def __init__(
        self,
        handlers: Sequence[Handler],
        tasks: TaskGroup,
        base: Callable[[], Mapping[str, Any]],
        agent: Mapping[str, Any] | None = None,
    ) -> None:
        self._handlers = tuple({(h.event, h.key): h for h in reversed(handlers)}.values())[::-1]
        self._tasks, self._base = tasks, base
        self.agent = dict(agent or {})

    def within(self, agent: Mapping[str, Any]) -> "Hooks":
        """The same hooks, for a sub-agent."""
        return Hooks(self._handlers, self._tasks, self._base, agent)

    def matching(self, event: str, subject: str = "") -> list[Handler]:
        return [handler for handler in self._handlers if handler.event == event and handler.matches(subject)]

    def about_call(self, tool: str) -> bool:
        """Whether any hook may want to know of a call of this tool: such a call is not started ahead."""
        return any(self.matching(event, tool) for event in CALL_EVENTS)

    def before(self, call: ToolCall, effects: Sequence[Effect]) -> AsyncGenerator[Event | Verdict, None]:
        """PreToolUse: what hooks say of a call that could run."""
        fields = {**_fields(call), "tool_use_id": call.id}
        return self._ask(self._concerned("PreToolUse", call, effects), "PreToolUse", call.id, fields)

    def in_place_of_a_person(
        self, call: ToolCall, effects: Sequence[Effect], suggestions: Sequence[Mapping[str, Any]]
    ) -> AsyncGenerator[Event | Verdict, None]:
        """PermissionRequest: hooks may answer what a person would be asked."""
        fields = {**_fields(call), **({"permission_suggestions": list(suggestions)} if suggestions else {})}
        return self._ask(self._concerned("PermissionRequest", call, effects), "PermissionRequest", call.id, fields)

    def after(
        self, call: ToolCall, effects: Sequence[Effect], result: ToolResult, seconds: float
    ) -> AsyncGenerator[Event | Verdict, None]:
        """PostToolUse, or PostToolUseFailure where the call failed."""
        event = "PostToolUseFailure" if result.is_error else "PostToolUse"
        fields = {**_fields(call), "tool_use_id": call.id, "duration_ms": round(seconds * 1000)}
        if result.is_error:
            fields |= {"error": result.text, "is_interrupt": False}
        else:
            fields["tool_response"] = result.text if result.data is None else result.data
        return self._ask(self._concerned(event, call, effects), event, call.id, fields)

    def ask(self, event: str, subject: str = "", **fields: Any) -> AsyncGenerator[Event | Verdict, None]:
        """Ask about what is no call; the last thing yielded is the `Verdict`."""
        return self._ask(self.matching(event, subject), event, None, fields)

    def _concerned(self, event: str, call: ToolCall, effects: Sequence[Effect]) -> list[Handler]:
        """Those that are asked about this call; what an unsure one allows does not count."""
        found: list[Handler] = []
        for handler in self.matching(event, call.name):
            sure = handler.concerns(call, effects) if handler.concerns else "yes"
            if sure != "no":
                found.append(handler if sure == "yes" else replace(handler, only_narrows=True))
        return found

    async def _ask(
        self, handlers: Sequence[Handler], event: str, call_id: str | None, fields: Mapping[str, Any]
    ) -> AsyncGenerator[Event | Verdict, None]:
        """The last thing yielded is the `Verdict`. A hook without an answer in time has decided nothing."""
        given = {**self._base(), **self.agent, "hook_event_name": event, **fields}
        for handler in handlers:
            if handler.background:
                aside(self._tasks, partial(_unwatched, handler, given, call_id))
        handlers = [handler for handler in handlers if not handler.background]
        answers: dict[int, Ran] = {}
        ids = [str(uuid4()) for _ in handlers]
        for index, handler in enumerate(handlers):
            yield System(subtype="hook_started", data=_about(ids[index], handler))
        if handlers:
            async with Mux[Event | _Answered](self._tasks) as mux:
                for index, handler in enumerate(handlers):
                    mux.add(_answer(index, handler, given, call_id))
                beat = mux.add(_beat(event, handlers, answers))
                async for item in mux:
                    if not isinstance(item, _Answered):
                        yield item
                        continue
                    answers[item.index] = item.ran
                    if len(answers) == len(handlers):
                        beat.drop()
                    for told in _told(ids[item.index], handlers[item.index], item):
                        yield told
        yield merged(answers[index].verdict for index in sorted(answers))


def _fields(call: ToolCall) -> Json:
    return {"tool_name": call.name, "tool_input": dict(call.input or {})}


async def _answer(
    index: int, handler: Handler, given: Json, call_id: str | None
) -> AsyncGenerator[Event | _Answered, None]:
    ran, outcome = Ran(Verdict()), "success"
    try:
        with anyio.move_on_after(handler.timeout) as limit:
            ran = await handler.run(given, call_id)
        if limit.cancelled_caught:
            outcome, ran = "cancelled", Ran(Verdict(), stderr=f"no answer within {handler.timeout:g} s")
    except HookFailed as error:
        outcome, ran = "error", Ran(Verdict(), stderr=str(error))
    if outcome != "success" and handler.guards:
        what = f"the hook {handler.name} gave no answer ({ran.stderr})"
        ran = replace(ran, verdict=refusal(handler.event, what))
    if handler.only_narrows and ran.verdict.permission == "allow":
        ran = replace(ran, verdict=replace(ran.verdict, permission="", updated_input=None))
    if handler.keeps_rights and ran.verdict.updates:
        ran = replace(ran, verdict=replace(ran.verdict, updates=()))
    yield _Answered(index, ran, outcome)


async def _unwatched(handler: Handler, given: Json, call_id: str | None) -> None:
    with anyio.move_on_after(handler.timeout):
        try:
            await handler.run(given, call_id)
        except HookFailed:
            pass  # nobody waits for it and nobody is told: that is what `async` asks for


async def _beat(
    event: str, handlers: Sequence[Handler], answers: Collection[int]
) -> AsyncGenerator[Event | _Answered, None]:
    began = time.monotonic()
    while True:
        await anyio.sleep(BEAT)
        open_ = [handler.status or handler.name for index, handler in enumerate(handlers) if index not in answers]
        yield Progress(what=f"{event} hook {', '.join(open_)}"[:200], elapsed=round(time.monotonic() - began, 1))


def _about(hook_id: str, handler: Handler) -> Json:
    return {"hook_id": hook_id, "hook_event": handler.event, "hook_name": f"{handler.event}:{handler.name}"}


def _told(hook_id: str, handler: Handler, answered: _Answered) -> list[Event]:
    """What the person sees of an answer. A hook that failed is said: a guard that does not work must not be silent."""
    ran = answered.ran
    response = {
        **_about(hook_id, handler),
        "output": ran.output or ran.stderr,
        "stdout": ran.output,
        "stderr": ran.stderr,
        "exit_code": ran.exit_code,
        "outcome": answered.outcome,
    }
    events: list[Event] = [System(subtype="hook_response", data=response)]
    if answered.outcome != "success":
        text = f"The {handler.event} hook {handler.name} failed: {ran.stderr or 'no reason was given'}"
        events.append(Notice(level="warning", cause="hook", text=text))
    if ran.verdict.message:
        events.append(Notice(level="warning", cause="hook", text=ran.verdict.message))
    return events
