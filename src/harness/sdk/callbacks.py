"""Hooks that the program registered with `initialize`: each is asked by its callback's id."""

from collections.abc import Iterator, Mapping
from typing import Any

from harness.hooks.handler import Handler, HookFailed, Json, Ran, Run
from harness.hooks.matching import BadMatcher, matcher
from harness.hooks.verdict import Verdict, read
from harness.sdk.wire import Refused, Wire

TIMEOUT = 60.0  # seconds


def handlers(hooks: Any, wire: Wire) -> Iterator[Handler]:
    """The handlers of `initialize.hooks`. Raises ValueError where they are not of the documented form."""
    if hooks is None:
        return
    if not isinstance(hooks, Mapping):
        raise ValueError("hooks must be an object of events")
    for event, matchers in hooks.items():
        if not isinstance(matchers, list):
            raise ValueError(f"hooks.{event} must be a list")
        for index, group in enumerate(matchers):
            yield from _group(event, index, group, wire)


def _group(event: str, index: int, group: Any, wire: Wire) -> Iterator[Handler]:
    ids = group.get("hookCallbackIds") if isinstance(group, Mapping) else None
    if not isinstance(ids, list) or not all(isinstance(each, str) for each in ids):
        raise ValueError(f"hooks.{event}[{index}].hookCallbackIds must be a list of ids")
    text, timeout = group.get("matcher"), group.get("timeout")
    if not isinstance(text, str | None):
        raise ValueError(f"hooks.{event}[{index}].matcher must be a string or null")
    try:
        matches = matcher(text)
    except BadMatcher as error:
        raise ValueError(f"hooks.{event}[{index}]: {error}") from None
    for callback in ids:
        yield Handler(
            event=event,
            matches=matches,
            name=callback,
            run=_run(event, callback, wire),
            timeout=float(timeout) if isinstance(timeout, int | float) and timeout > 0 else TIMEOUT,
            key=(callback, text),
            guards=group.get("onFailure") == "block",
        )


def _run(event: str, callback: str, wire: Wire) -> Run:
    async def run(given: Json, call_id: str | None) -> Ran:
        body = {"subtype": "hook_callback", "callback_id": callback, "input": given, "tool_use_id": call_id}
        try:
            said = await wire.request(body)
        except Refused as error:
            raise HookFailed(str(error)) from error
        return Ran(Verdict() if said.get("async") is True else read(event, said))

    return run
