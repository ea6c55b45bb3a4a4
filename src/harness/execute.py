"""One tool call, read top to bottom: bad input, effects, decide, ask, run, result."""

import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import anyio

from harness import contacts
from harness.asks import Answer, Asks
from harness.calls import Calls, Prepared, ToolEnd, deferred, judge, prepare
from harness.effects import Reads, Runs, Writes
from harness.errors import ToolError
from harness.events import (
    Denial,
    Event,
    HookPermissionResult,
    PermissionRequest,
    Progress,
    SubagentEvent,
    System,
    ToolProgress,
)
from harness.hooks.verdict import NOTHING, Verdict, amended, halting, weighed
from harness.messages import Text, ToolCall, ToolResult
from harness.network.contact import Contact
from harness.permissions.decision import Allow, Ask, Decision, Deny
from harness.tools.tool import Context, Inner, Output, current_call
from harness.turn import Spent

UNANSWERED = 6.0  # seconds after which Notification hooks hear of a question
SIGNS = 5.0  # seconds between signs of life of a question that a program answers

Running = AsyncGenerator[Event | Spent | ToolEnd, None]


async def execute(call: ToolCall, calls: Calls) -> AsyncGenerator[Event | Spent | ToolEnd, None]:
    """Run one call; the last thing yielded is its `ToolEnd`, whatever happened short of a bug or a cancel."""
    prepared = prepare(call, calls)  # now, not when the call came: an earlier one may have changed the directory
    verdict = NOTHING
    if calls.hooks and not prepared.problem:
        async with aclosing(calls.hooks.before(prepared.call, prepared.effects)) as asked:
            async for said in asked:
                if isinstance(said, Verdict):
                    verdict = said
                else:
                    yield said
        if verdict.updated_input is not None and verdict.permission != "deny":
            prepared = prepare(replace(prepared.call, input=verdict.updated_input), calls)
    call = prepared.call
    if prepared.problem or prepared.tool is None:
        yield ToolEnd(_failed(call, prepared.problem), "malformed")
        return
    verdict = halting(verdict)
    if verdict.permission == "defer" and (found := deferred(prepared, calls)):
        yield found
        if isinstance(found, ToolEnd):
            return
    decided = _Decided(prepared, {}, Deny("error", "nobody decided"))
    async with aclosing(_decide(prepared, verdict, calls)) as deciding:
        async for event in deciding:
            if isinstance(event, _Decided):
                decided = event
            else:
                yield event
    prepared, decision = decided.prepared, decided.decision
    if not isinstance(decision, Allow):
        end = ToolEnd(_denied(prepared, decision), "denied", decided.stop_turn, verdict.stop)
        yield replace(end, result=amended(end.result, NOTHING, verdict))
        return
    calls.context.allow(prepared.call.id, prepared.effects, decided.real)
    async with aclosing(_kept(prepared, calls, _run(prepared, calls, verdict))) as running:
        async for item in running:
            yield item


def _kept(prepared: Prepared, calls: Calls, run: Running) -> Running:
    """The call, with what it can change kept before it, where checkpoints are."""
    return calls.checkpoints.around(prepared.call.id, prepared.effects, run) if calls.checkpoints else run


@dataclass(frozen=True, slots=True)
class _Decided:
    """The last thing `_decide` yields. What is run is `prepared`: an answer may have changed the input."""

    prepared: Prepared
    real: Mapping[Path, Path]
    decision: Allow | Deny
    stop_turn: bool = False


async def _decide(prepared: Prepared, verdict: Verdict, calls: Calls) -> AsyncGenerator[Event | Spent | _Decided, None]:
    """Rules, mode and hooks; then, where they ask, whoever can be asked."""
    real, decision = judge(prepared, calls)
    decision = weighed(verdict, decision)
    yield _decided(prepared.call, decision)
    if isinstance(decision, Ask) and decision.classifiable and calls.classify:
        async with aclosing(calls.classify(prepared.call, decision)) as classifying:
            async for item in classifying:
                if isinstance(item, Allow | Ask | Deny):
                    decision = item
                else:
                    yield item
        yield _decided(prepared.call, decision)
    if not isinstance(decision, Ask):
        yield _Decided(prepared, real, decision)
        return
    answer, by = None, "user"
    async with aclosing(_whoever(prepared, decision, calls)) as asking:
        async for told in asking:
            if isinstance(told, _Said):
                answer, by = told.answer, told.by
            else:
                yield told
    if answer is None:
        denied = Deny("headless", f"{decision.reason}; nobody can be asked in this run", decision.rule)
        yield _decided(prepared.call, denied)
        yield _Decided(prepared, real, denied)
        return
    decided = _answered(prepared, real, answer, calls, by)
    if answer.save and answer.rules and calls.save:
        yield calls.save(answer.rules)
    yield _decided(decided.prepared.call, decided.decision)
    yield decided


@dataclass(frozen=True, slots=True)
class _Said:
    answer: Answer
    by: Literal["hook", "user"]


async def _whoever(prepared: Prepared, decision: Ask, calls: Calls) -> AsyncGenerator[Event | _Said, None]:
    """Hooks may answer in the person's place; else the person does, if there is one. The last item is the answer."""
    verdict = NOTHING
    if calls.hooks:
        call, effects = prepared.call, prepared.effects
        async with aclosing(calls.hooks.in_place_of_a_person(call, effects, _updates(decision))) as said:
            async for item in said:
                if isinstance(item, Verdict):
                    verdict = item
                else:
                    yield item
    if verdict.permission == "deny" or (verdict.permission == "allow" and _a_hooks(decision)):
        yield _Said(_of_hook(verdict), "hook")
    elif calls.asks is not None:
        async with aclosing(_ask(_question(prepared, decision, calls), calls, calls.asks)) as asking:
            async for told in asking:
                yield _Said(told, "user") if isinstance(told, Answer) else told


def _updates(ask: Ask) -> list[dict[str, Any]]:
    from harness.permissions.updates import suggested  # noqa: PLC0415  for hooks and SDKs only

    return suggested(ask.suggestions)


def _a_hooks(ask: Ask) -> bool:
    """Whether a hook may allow it in the person's place: no ask rule, nothing that leaves the sandbox, no removal that
    cannot be undone, and no question that is the person's own."""
    return ask.source not in {"rule", "sandbox", "critical", "tool"}


def _of_hook(verdict: Verdict) -> Answer:
    if verdict.permission == "deny":
        return Answer("deny", reason=verdict.reason or "a hook refused it", stop=verdict.stop is not None)
    return Answer("allow", updated_input=verdict.updated_input, updates=verdict.updates)


def _with_memory(end: ToolEnd, prepared: Prepared, calls: Calls) -> ToolEnd:
    """A file that was read may bring instructions of its directory: they ride behind it, frozen there."""
    if end.result.is_error or prepared.call.name != "Read":
        return end
    read = (effect.path for effect in prepared.effects if isinstance(effect, Reads))
    more = tuple(Text(text) for path in read if (text := calls.memory(path)))
    return replace(end, result=replace(end.result, parts=(*end.result.parts, *more))) if more else end


async def _ask(question: PermissionRequest, calls: Calls, asks: Asks) -> AsyncGenerator[Event | Answer, None]:
    """Put a question and wait, however long; hooks are told where nobody answers soon. The last item is the answer."""
    with asks.open(question):
        yield question
        answer: Answer | None = None
        with anyio.move_on_after(UNANSWERED):
            answer = await asks.wait(question.id)
        if answer is None and calls.hooks and calls.hooks.matching("Notification", "permission_prompt"):
            message = f"Permission is needed to use {question.call.name}: {question.reason}"
            fields = {"message": message, "notification_type": "permission_prompt"}
            async with aclosing(calls.hooks.ask("Notification", "permission_prompt", **fields)) as said:
                async for item in said:
                    if not isinstance(item, Verdict):
                        yield item
        began = time.monotonic()
        while answer is None and asks.put:  # no person sees that it is waited for
            with anyio.move_on_after(SIGNS):
                answer = await asks.wait(question.id)
            if answer is None:
                yield Progress(what=f"permission for {question.call.name}", elapsed=round(time.monotonic() - began, 1))
        yield answer or await asks.wait(question.id)


def _question_id(call: ToolCall, calls: Calls) -> str:
    """Calls of agents that run beside each other may have the same ids."""
    return f"{calls.agent}:{call.id}" if calls.agent else call.id


def _question(prepared: Prepared, ask: Ask, calls: Calls) -> PermissionRequest:
    call = prepared.call
    offer = calls.offer(call, prepared.effects, ask) if calls.offer else None
    return PermissionRequest(
        id=_question_id(call, calls),
        call=call,
        agent_id=calls.agent,
        mode=calls.mode(),
        reason=ask.reason,
        suggestions=tuple(each.rule for each in offer.rules) if offer else ask.suggestions,
        examples=tuple((each.matches, each.misses) for each in offer.rules) if offer else (),
        savable=offer is not None and offer.savable,
        again=offer.again if offer else "",
        cwd=calls.context.cwd,
    )


def _answered(prepared: Prepared, real: Mapping[Path, Path], answer: Answer, calls: Calls, by: str) -> _Decided:
    """What an answer comes to. Input that it changed is judged anew: a yes is to what was asked, and to no more than
    could have been asked."""
    if answer.decision == "deny":
        return _Decided(prepared, real, Deny(by, answer.reason or "refused when asked"), answer.stop)
    for rule in answer.rules:
        calls.allow_rule(rule)
    calls.updates(answer.updates)
    if answer.updated_input is not None and answer.updated_input != prepared.call.input:
        prepared = prepare(replace(prepared.call, input=answer.updated_input), calls)
        if prepared.problem:
            return _Decided(prepared, real, Deny(by, f"the input that was allowed instead is bad: {prepared.problem}"))
        real, decision = judge(prepared, calls)
        if isinstance(decision, Deny):
            return _Decided(prepared, real, decision)
        if by == "hook" and isinstance(decision, Ask) and not _a_hooks(decision):
            return _Decided(
                prepared, real, Deny(by, f"what a hook put in its place is a person's to allow: {decision.reason}")
            )
    return _Decided(prepared, real, Allow(by, "allowed when asked"))


async def _run(prepared: Prepared, calls: Calls, before: Verdict) -> AsyncGenerator[Event | Spent | ToolEnd, None]:
    call, began = prepared.call, time.monotonic()
    end: ToolEnd | None = None
    async with aclosing(_call(prepared, calls)) as running:
        async for item in running:
            if isinstance(item, ToolEnd):
                end = _with_memory(item, prepared, calls)
            else:
                yield item
    if end is None:
        end = ToolEnd(_failed(call, "The tool ended without a result."))
    verdict = NOTHING
    if calls.hooks:
        seconds = time.monotonic() - began
        async with aclosing(calls.hooks.after(call, prepared.effects, end.result, seconds)) as asked:
            async for answer in asked:
                if isinstance(answer, Verdict):
                    verdict = answer
                else:
                    yield answer
    yield replace(end, result=amended(end.result, verdict, before), halt=verdict.stop)


async def _call(prepared: Prepared, calls: Calls) -> AsyncGenerator[Event | Spent | ToolEnd, None]:
    call, tool, began = prepared.call, prepared.tool, time.monotonic()
    if tool is None:  # `execute` has answered it
        return
    denied: list[Denial] = []
    current_call.set(call.id)
    try:
        async with aclosing(tool.call(prepared.args, calls.context)) as stream:
            async for item in stream:
                if isinstance(item, Output):
                    yield ToolEnd(_result(call, item), denied=tuple(denied), content=_content(prepared, calls.context))
                elif isinstance(item, Inner):
                    yield _from_inside(call, item)
                elif isinstance(item, Contact):
                    if item.refused:
                        denied.append(contacts.denial(item))
                    else:
                        yield contacts.question(item, calls.mode())
                else:
                    yield ToolProgress(
                        call_id=call.id,
                        tool=tool.name,
                        text=item.text,
                        total_bytes=item.total_bytes,
                        elapsed=time.monotonic() - began,
                    )
    except ToolError as error:
        yield ToolEnd(_failed(call, str(error)))


def _from_inside(call: ToolCall, item: Inner) -> Event | Spent:
    """An event of a sub-agent: its questions are the person's, and its tasks the session's."""
    match item.event:
        case PermissionRequest() | SubagentEvent() | Spent() as event:  # the second: of one that it started itself
            return event
        case System(subtype="task_started" | "task_updated" | "task_notification") as event:
            return event
    return SubagentEvent(call_id=call.id, agent_id=item.agent, event=item.event)


def _content(prepared: Prepared, context: Context) -> str:
    changed = [effect.path for effect in prepared.effects if isinstance(effect, Writes)]
    seen = [context.seen.get(context.decided.get(path, path)) for path in changed]
    return "".join(each.digest.hex() for each in seen if each)


def _result(call: ToolCall, output: Output) -> ToolResult:
    return ToolResult(call.id, output.parts, output.is_error, output.data)


def _failed(call: ToolCall, text: str) -> ToolResult:
    return ToolResult(call.id, (Text(text),), is_error=True, data=f"Error: {text}")


def _denied(prepared: Prepared, decision: Decision) -> ToolResult:
    call, rule = prepared.call, decision.rule
    rule = f" (rule: {rule})" if rule and rule not in decision.reason else ""
    leaving = any(isinstance(effect, Runs) and effect.unsandboxed for effect in prepared.effects)
    theirs = "The user can run it themselves: name the command to them.\n" if leaving else ""
    return _failed(
        call,
        f"Permission denied for {call.name}: {decision.reason}{rule}.\n{theirs}"
        "Go on with what is permitted, or finish and say what was not permitted.",
    )


def _decided(call: ToolCall, decision: Decision) -> HookPermissionResult:
    kind: Literal["allow", "ask", "deny"] = "allow"
    if not isinstance(decision, Allow):
        kind = "ask" if isinstance(decision, Ask) else "deny"
    return HookPermissionResult(
        call_id=call.id,
        tool=call.name,
        decision=kind,
        source=decision.source,
        rule=decision.rule,
        reason=decision.reason,
    )
