"""One tool call, read top to bottom: bad input, effects, decide, ask, run, result."""

import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, Protocol

from harness.asks import Answer, Asks
from harness.effects import Effect, Reads, Writes
from harness.errors import ToolError
from harness.events import Event, HookPermissionResult, PermissionRequest, ToolProgress
from harness.messages import Mode, Text, ToolCall, ToolResult
from harness.permissions.decision import Allow, Ask, Decision, Deny
from harness.tools.tool import Context, Output, Tool


class Toolbox(Protocol):
    """The tools on offer. `specs` is their encoded JSON array; `find` loads a tool's module on first use."""

    @property
    def specs(self) -> bytes: ...

    @property
    def names(self) -> Sequence[str]: ...

    def find(self, name: str) -> Tool | None: ...

    def parse(self, tool: Tool, given: Mapping[str, Any]) -> Any:
        """The tool's validated input; raises `ToolError` naming the field, the rule and the mend."""
        ...


@dataclass(slots=True)
class Calls:
    """What executing a call needs. `asks` is None where nobody can be asked: what would ask is denied.

    `memory`: the standing instructions that count from now on because a file has been read.
    """

    toolbox: Toolbox
    context: Context
    decide: Callable[[ToolCall, Sequence[Effect], Mapping[Path, Path]], Decision]
    mode: Callable[[], Mode]
    allow_rule: Callable[[str], None]
    memory: Callable[[Path], str] = lambda _path: ""
    asks: Asks | None = None


@dataclass(frozen=True, slots=True)
class Prepared:
    """A call as far as it can be known without running it. `problem` answers a call that cannot be run.

    `call` names the tool and its fields as they are, however the model spelt them: rules go by those names.
    """

    call: ToolCall
    tool: Tool | None = None
    args: Any = None
    effects: tuple[Effect, ...] = ()
    problem: str = ""


@dataclass(frozen=True, slots=True)
class ToolEnd:
    """The end of one call: inside the loop only; surfaces see the result as a `user` event."""

    result: ToolResult
    outcome: Literal["ran", "malformed", "denied"] = "ran"
    stop_turn: bool = False


def prepare(call: ToolCall, calls: Calls) -> Prepared:
    """Find the tool, validate the input, declare the effects. Never raises for what a model can write."""
    if call.problem or call.input is None:
        return Prepared(call, problem=call.problem or "The arguments are not a JSON object.")
    tool = calls.toolbox.find(call.name)
    if tool is None:
        return Prepared(
            call,
            problem=f"There is no tool named {call.name!r}. The tools are: {', '.join(calls.toolbox.names)}.",
        )
    try:
        args = calls.toolbox.parse(tool, call.input)
        effects = tuple(tool.effects(args, calls.context.cwd))
    except ToolError as error:
        return Prepared(call, tool, problem=str(error))
    given = args.model_dump(mode="json", by_alias=True, exclude_unset=True)
    return Prepared(replace(call, name=tool.name, input=given), tool, args, effects)


def judge(prepared: Prepared, calls: Calls) -> tuple[dict[Path, Path], Decision]:
    """The decision, and where the call's paths lead: what is opened later must be what was decided on."""
    paths = [effect.path for effect in prepared.effects if isinstance(effect, Reads | Writes)]
    real = {path: calls.context.files.real(path) for path in paths}
    return real, calls.decide(prepared.call, prepared.effects, real)


async def execute(call: ToolCall, calls: Calls) -> AsyncGenerator[Event | ToolEnd, None]:
    """Run one call; the last thing yielded is its `ToolEnd`, whatever happened short of a bug or a cancel."""
    prepared = prepare(call, calls)  # now, not when the call came: an earlier one may have changed the directory
    call = prepared.call
    if prepared.problem or prepared.tool is None:
        yield ToolEnd(_failed(call, prepared.problem), "malformed")
        return
    real, decision = judge(prepared, calls)
    yield _decided(call, decision)
    stop_turn = False
    if isinstance(decision, Ask) and calls.asks is not None:
        with calls.asks.open(call.id):
            yield _question(call, decision, calls)
            answer = await calls.asks.wait(call.id)
        decision, stop_turn = _answered(answer, calls), answer.stop
        yield _decided(call, decision)
    elif isinstance(decision, Ask):
        decision = Deny("headless", f"{decision.reason}; nobody can be asked in this run", decision.rule)
        yield _decided(call, decision)
    if isinstance(decision, Allow):
        calls.context.decided.update(real)
        async with aclosing(_run(prepared.tool, prepared, calls.context)) as running:
            async for item in running:
                yield _with_memory(item, prepared, calls) if isinstance(item, ToolEnd) else item
    else:
        yield ToolEnd(_denied(call, decision), "denied", stop_turn)


def _with_memory(end: ToolEnd, prepared: Prepared, calls: Calls) -> ToolEnd:
    """A file that was read may bring instructions of its directory: they ride behind it, frozen there."""
    if end.result.is_error or prepared.call.name != "Read":
        return end
    read = (effect.path for effect in prepared.effects if isinstance(effect, Reads))
    more = tuple(Text(text) for path in read if (text := calls.memory(path)))
    return replace(end, result=replace(end.result, parts=(*end.result.parts, *more))) if more else end


def _question(call: ToolCall, ask: Ask, calls: Calls) -> PermissionRequest:
    return PermissionRequest(
        id=call.id,
        call=call,
        mode=calls.mode(),
        reason=ask.reason,
        suggestions=ask.suggestions,
        cwd=calls.context.cwd,
    )


def _answered(answer: Answer, calls: Calls) -> Allow | Deny:
    if answer.decision == "deny":
        return Deny("user", answer.reason or "refused when asked")
    for rule in answer.rules:
        calls.allow_rule(rule)
    return Allow("user", "allowed when asked")


async def _run(tool: Tool, prepared: Prepared, context: Context) -> AsyncGenerator[Event | ToolEnd, None]:
    call, began = prepared.call, time.monotonic()
    try:
        async with aclosing(tool.call(prepared.args, context)) as stream:
            async for item in stream:
                if isinstance(item, Output):
                    yield ToolEnd(_result(call, item))
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


def _result(call: ToolCall, output: Output) -> ToolResult:
    return ToolResult(call.id, output.parts, output.is_error, output.data)


def _failed(call: ToolCall, text: str) -> ToolResult:
    return ToolResult(call.id, (Text(text),), is_error=True, data=f"Error: {text}")


def _denied(call: ToolCall, decision: Decision) -> ToolResult:
    rule = f" (rule: {decision.rule})" if decision.rule else ""
    return _failed(
        call,
        f"Permission denied for {call.name}: {decision.reason}{rule}.\n"
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
