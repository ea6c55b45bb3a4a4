"""Hooks as settings files write them, made handlers. Kinds that are not run yet are said, each once."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from harness.hooks import condition
from harness.hooks.command import Place, command
from harness.hooks.handler import Concerns, Handler
from harness.hooks.matching import BadMatcher, matcher
from harness.settings import Settings
from harness.settings.keys import REPOSITORY
from harness.settings.layer import Layer

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
            elif handler := _handler(_Written(event, group, written, layer), place, confined, tell):
                yield handler


@dataclass(frozen=True, slots=True)
class _Written:
    """One command as a settings file has it."""

    event: str
    group: Mapping[str, Any]
    handler: Mapping[str, Any]
    layer: Layer

    def at(self, key: str, text: Any) -> str:
        """Where the key is given this text, for people."""
        return self.layer.where(self.layer.line(key, text) if isinstance(text, str) else 0)


def _person(chosen: Settings, key: str) -> bool:
    return any(chosen.of(source, key) for source in ("user", "file", "flag"))


def _handler(written: _Written, place: Place, confined: bool, tell: Callable[[str], None]) -> Handler | None:
    event, group, handler = written.event, written.group, written.handler
    repository = written.layer.source in REPOSITORY
    unreadable = False
    try:
        matches = matcher(group.get("matcher"))
    except BadMatcher as error:
        where = written.at("matcher", group.get("matcher"))
        if event != "PreToolUse":
            tell(f"{where}: a {event} hook is never asked: {error}.")
            return None
        # A guard that cannot say whom it guards guards all; what it would let pass without asking counts for none.
        tell(f"{where}: a PreToolUse hook is asked about every call and can only refuse or ask: {error}.")
        unreadable, matches = True, matcher(None)
    concerns: Concerns | None = None
    if (rule := handler.get("if")) is not None:
        if event not in condition.EVENTS:
            tell(f"{written.at('if', rule)}: a {event} hook is never asked: `if` is about calls, and this is none.")
            return None
        concerns, problem = condition.condition(rule, written.layer.source, written.layer.base, place.roots)
        unreadable |= concerns is None
        if problem:
            then = _OPEN if concerns is None else ""
            tell(f"{written.at('if', rule)}: `if` {str(rule)[:200]!r} of a {event} hook: {problem}{then}.")
    anchor = str(written.layer.base) if "(/" in str(rule) else ""  # the same path elsewhere is another one
    return Handler(
        event=event,
        matches=matches,
        name=_short(handler["command"]),
        run=command(event, handler, place, confined=repository and confined),
        timeout=_timeout(event, handler.get("timeout")),
        key=json.dumps([handler, group.get("matcher"), repository and confined, anchor], sort_keys=True),
        concerns=concerns,
        only_narrows=unreadable,
        keeps_rights=repository,
        background=handler.get("async") is True,
        status=str(handler.get("statusMessage") or ""),
    )


# What becomes of a hook whose `if` cannot be read: it fails open, as documented, and its allow counts for nothing.
_OPEN = "; it is asked about every call that its matcher means, and allows none"


def _timeout(event: str, asked: Any) -> float:
    default = {"UserPromptSubmit": SUBMIT_TIMEOUT, "SessionEnd": END_TIMEOUT}.get(event, TIMEOUT)
    usable = isinstance(asked, int | float) and not isinstance(asked, bool) and asked > 0
    return min(float(asked), 60.0 if event == "SessionEnd" else float("inf")) if usable else default


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 60 else line[:59] + "…"
