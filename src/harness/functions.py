"""Python functions as what a session asks: tools for the model, and hooks. For programs that import Harness."""

import inspect
import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, get_type_hints, overload

import anyio
from pydantic import BaseModel, ConfigDict, create_model

from harness.effects import Effect, Opaque
from harness.errors import ToolError, UsageError
from harness.hooks.handler import Handler, HookFailed, Ran
from harness.hooks.matching import BadMatcher, matcher
from harness.hooks.verdict import Verdict, read
from harness.tools.specs import spec
from harness.tools.tool import Context, Output, Tool

__all__ = ["Handler", "Tool", "hook", "offered", "tool"]

HOOK_TIMEOUT = 60.0  # seconds
Function = Callable[..., Any]
HookFunction = Callable[[dict[str, Any]], Mapping[str, Any] | Awaitable[Mapping[str, Any] | None] | None]


@overload
def tool(function: Function) -> Tool: ...


@overload
def tool(*, name: str = "", description: str = "", unasked: bool = False) -> Callable[[Function], Tool]: ...


def tool(
    function: Function | None = None, *, name: str = "", description: str = "", unasked: bool = False
) -> Tool | Callable[[Function], Tool]:
    """Make a tool for the model from a function with type hints, plain or `async`.

    The parameters' hints are the tool's input (`Annotated[str, pydantic.Field(description=...)]` describes one), the
    docstring is its description. What the function returns goes to the model: text as it is, everything else as JSON.
    An exception is told to the model as the call's error; `harness.ToolError` says it in your words.

    A call is asked about like any other, unless `allow` names the tool, or `unasked` says that it needs no question.
    The function runs in your program, outside the sandbox, and a plain one in a thread.

        @harness.tool
        def stock(article: str) -> int:
            "How many pieces of an article there are."
            return warehouse[article]

    Raises:
        UsageError: a parameter without a hint, or of a kind that JSON has no form for.
    """
    if function is None:
        return partial(_tool, name=name, description=description, unasked=unasked)
    return _tool(function, name=name, description=description, unasked=unasked)


def _tool(function: Function, *, name: str, description: str, unasked: bool) -> Tool:
    name = name or function.__name__
    model = _input(name, function)

    def effects(_args: BaseModel, _cwd: Path) -> Sequence[Effect]:
        return () if unasked else (Opaque(name),)

    async def call(args: BaseModel, _context: Context) -> AsyncGenerator[Output, None]:
        given = {field: getattr(args, field) for field in type(args).model_fields}
        try:
            said = await _called(function, given)
        except ToolError:
            raise
        except Exception as error:
            raise ToolError(f"{type(error).__name__}: {error}") from error
        yield _output(said)

    about = description or inspect.getdoc(function) or name
    return Tool(name=name, description=about, input=model, effects=effects, call=call)


def _input(name: str, function: Function) -> type[BaseModel]:
    hints = get_type_hints(function, include_extras=True)
    fields: dict[str, Any] = {}
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind in {parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD, parameter.POSITIONAL_ONLY}:
            raise UsageError(f"The tool {name}: {parameter} has no name for the model.", "Use plain parameters.")
        if parameter.name not in hints:
            raise UsageError(f"The tool {name}: {parameter.name} has no type hint.", "Write `name: type`.")
        default = ... if parameter.default is parameter.empty else parameter.default
        fields[parameter.name] = (hints[parameter.name], default)
    try:
        model: type[BaseModel] = create_model(name, __config__=ConfigDict(extra="forbid"), **fields)
        model.model_json_schema()
    except Exception as error:
        raise UsageError(f"The tool {name} cannot be described to a model: {error}", "Use types of JSON.") from error
    return model


async def _called(function: Function, given: Mapping[str, Any]) -> Any:
    if inspect.iscoroutinefunction(function):
        return await function(**given)
    return await anyio.to_thread.run_sync(partial(function, **given), abandon_on_cancel=True)


def _output(said: Any) -> Output:
    if isinstance(said, str):
        return Output.text(said)
    value = said.model_dump(mode="json") if isinstance(said, BaseModel) else said
    try:
        text = "Done." if value is None else json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError):
        return Output.text(str(said))
    return Output.text(text, data=value if isinstance(value, dict) else {"result": value})


def offered(tools: Sequence[Tool]) -> tuple[tuple[Tool, dict[str, Any]], ...]:
    """The tools with what the model is told of them."""
    return tuple((each, spec(each)) for each in tools)


def hook(event: str, matches: str | None = None, *, timeout: float = HOOK_TIMEOUT) -> Callable[[HookFunction], Handler]:
    """Make a hook from a function, plain or `async`: it is asked at `event`, as hooks of settings files are.

    It gets the event's input as a dictionary and answers None (nothing to say) or the documented output of hooks,
    such as `{"decision": "block", "reason": "..."}`. `matches` is a tool's name, several (`Edit|Write`) or a pattern;
    `timeout` is in seconds, after which the hook has decided nothing.

        @harness.hook("PreToolUse", "Bash")
        def no_push(given):
            if "git push" in given["tool_input"]["command"]:
                return {"hookSpecificOutput": {"permissionDecision": "deny", "permissionDecisionReason": "not now"}}

    Raises:
        UsageError: a pattern that cannot be used.
    """
    try:
        wanted = matcher(matches)
    except BadMatcher as error:
        raise UsageError(f"The hook's pattern {matches!r} cannot be used: {error}.", "Name a tool.") from None

    def made(function: HookFunction) -> Handler:
        async def run(given: dict[str, Any], _call_id: str | None) -> Ran:
            try:
                said = await _called(function, {next(iter(inspect.signature(function).parameters)): given})
            except Exception as error:
                raise HookFailed(f"{type(error).__name__}: {error}") from error
            if said is not None and not isinstance(said, Mapping):
                raise HookFailed(f"it answered {type(said).__name__}, not a dictionary")
            return Ran(Verdict() if said is None else read(event, said))

        return Handler(event=event, matches=wanted, name=function.__name__, run=run, timeout=timeout, key=function)

    return made
