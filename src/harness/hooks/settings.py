"""Hooks as settings files write them, made handlers. Kinds that are not run yet are said, each once."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from harness.hooks.command import Place, command
from harness.hooks.handler import Handler
from harness.hooks.matching import BadMatcher, matcher
from harness.settings import Settings
from harness.settings.keys import REPOSITORY

TIMEOUT = 600.0  # seconds
SUBMIT_TIMEOUT = 30.0  # a person waits for their prompt to be taken
END_TIMEOUT = 1.5  # all of them together: somebody wants to leave
EVENTS = frozenset(
    {
        "PreToolUse", "PostToolUse", "PostToolUseFailure", "UserPromptSubmit", "Stop", "SubagentStart",
        "SubagentStop", "PreCompact", "PostCompact", "SessionStart", "SessionEnd", "Notification", "PermissionRequest",
    }
)  # fmt: skip


def from_settings(chosen: Settings, place: Place, tell: Callable[[str], None]) -> Iterator[Handler]:
    """The handlers of all layers that count. `tell` gets one sentence for each that will not be asked, or not so."""
    if chosen.of("managed", "disableAllHooks") or _person(chosen, "disableAllHooks"):
        return
    confined = not _person(chosen, "sandbox.allowUnsandboxedHooks")
    managed_only = chosen.of("managed", "allowManagedHooksOnly") is True
    for event, group, layer in chosen.hooks():
        if managed_only and layer.source != "managed":
            continue
        if event not in EVENTS:
            tell(f"{layer.name}: there is no event {event!r} that hooks here are asked about yet.")
            continue
        for written in group["hooks"]:
            if written["type"] != "command" or not isinstance(written.get("command"), str):
                what = (
                    "has no command" if written["type"] == "command" else f"of type {written['type']!r} is not run yet"
                )
                tell(f"{layer.name}: a {event} hook {what}.")
                continue
            for made in _handler(
                event, group, written, layer.source in REPOSITORY and confined, layer.name, place, tell
            ):
                yield replace(made, keeps_rights=layer.source in REPOSITORY)


def _person(chosen: Settings, key: str) -> bool:
    return any(chosen.of(source, key) for source in ("user", "file", "flag"))


def _handler(
    event: str,
    group: Mapping[str, Any],
    written: Mapping[str, Any],
    repository: bool,
    where: str,
    place: Place,
    tell: Callable[[str], None],
) -> Iterator[Handler]:
    unreadable = False
    try:
        matches = matcher(group.get("matcher"))
    except BadMatcher as error:
        if event != "PreToolUse":
            tell(f"{where}: a {event} hook is never asked: {error}.")
            return
        # A guard that cannot say whom it guards guards all; what it would let pass without asking counts for none.
        tell(f"{where}: a PreToolUse hook is asked about every call and can only refuse or ask: {error}.")
        unreadable, matches = True, matcher(None)
    yield Handler(
        event=event,
        matches=_only_if(written.get("if"), matches),
        name=_short(written["command"]),
        run=command(event, written, place, confined=repository),
        timeout=_timeout(event, written.get("timeout")),
        key=json.dumps([written, group.get("matcher"), repository], sort_keys=True),
        only_narrows=unreadable,
        background=written.get("async") is True,
        status=str(written.get("statusMessage") or ""),
    )


def _only_if(rule: Any, matches: Callable[[str], bool]) -> Callable[[str], bool]:
    """`if` narrows by a permission rule. Its tool is read; a specifier is not, so that such a hook is asked more
    often than it says, never less."""
    if not isinstance(rule, str) or not rule.strip():
        return matches
    tool = rule.partition("(")[0].strip()
    try:
        named = matcher(tool)
    except BadMatcher:
        return matches
    return lambda subject: matches(subject) and named(subject)


def _timeout(event: str, asked: Any) -> float:
    default = {"UserPromptSubmit": SUBMIT_TIMEOUT, "SessionEnd": END_TIMEOUT}.get(event, TIMEOUT)
    usable = isinstance(asked, int | float) and not isinstance(asked, bool) and asked > 0
    return min(float(asked), 60.0 if event == "SessionEnd" else float("inf")) if usable else default


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 60 else line[:59] + "…"
