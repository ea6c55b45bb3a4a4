"""What hooks answer: one handler's output read (`read`), several made one (`merged`), and what that means for a
decision (`weighed`) and for a result (`amended`). Pure.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from harness.messages import Text, ToolResult
from harness.permissions.decision import Allow, Ask, Decision, Deny

Permission = Literal["", "allow", "ask", "defer", "deny"]
RANKS: tuple[Permission, ...] = ("", "allow", "ask", "defer", "deny")  # the later wins
LIMIT = 10_000  # characters of a text that the model or the person reads
_LEGACY: Mapping[Any, Permission] = {"approve": "allow", "allow": "allow", "block": "deny", "deny": "deny"}


@dataclass(frozen=True, slots=True)
class Verdict:
    """One answer, or all of them together. `block` and `stop` are reasons: None where nothing is blocked or ended.

    `block` refuses what the event is about (a prompt, a stop) or tells the model something about a call that has
    run; `stop` ends the turn. `replaced` is what a call's result shall be instead.
    """

    permission: Permission = ""
    reason: str = ""
    updated_input: Mapping[str, Any] | None = None
    updates: tuple[Mapping[str, Any], ...] = ()
    context: str = ""
    block: str | None = None
    stop: str | None = None
    message: str = ""
    replaced: Any = None


NOTHING = Verdict()


def read(event: str, given: Mapping[str, Any]) -> Verdict:
    """A handler's JSON output, in the documented words. What it cannot mean is asked about, never allowed."""
    own = given.get("hookSpecificOutput")
    own = own if isinstance(own, Mapping) else {}
    if own.get("hookEventName") not in (None, event):
        own = {}
    permission, reason = _permission(event, given, own)
    decision = own.get("decision") if isinstance(own.get("decision"), Mapping) else {}
    updated = decision.get("updatedInput") if decision else own.get("updatedInput")
    blocked = given.get("decision") == "block" and event != "PreToolUse"
    ended = given.get("continue") is False or (permission == "deny" and bool(decision and decision.get("interrupt")))
    replaced = own.get("updatedMCPToolOutput")
    return Verdict(
        permission=permission,
        reason=reason,
        updated_input=updated if isinstance(updated, Mapping) else None,
        updates=_updates(decision or {}),
        context=_text(own.get("additionalContext")),
        block=(_text(given.get("reason")) or "a hook blocked it") if blocked else None,
        stop=(_text(given.get("stopReason")) or reason or "a hook ended the turn") if ended else None,
        message=_text(given.get("systemMessage")),
        replaced=own.get("updatedToolOutput") if replaced is None else replaced,
    )


def _permission(event: str, given: Mapping[str, Any], own: Mapping[str, Any]) -> tuple[Permission, str]:
    if event == "PermissionRequest":
        decision = own.get("decision")
        said = decision.get("behavior") if isinstance(decision, Mapping) else None
        reason = _text(decision.get("message")) if isinstance(decision, Mapping) else ""
        return ("allow" if said == "allow" else "deny" if said == "deny" else ""), reason
    if event != "PreToolUse":
        return "", ""
    said = own.get("permissionDecision")
    reason = _text(own.get("permissionDecisionReason"))
    if said is None:
        said, reason = _LEGACY.get(given.get("decision"), ""), reason or _text(given.get("reason"))
    for known in RANKS:
        if said == known:
            return known, reason
    return "ask", f"the hook's permissionDecision is {_text(said)[:80]!r}, not one of {', '.join(RANKS[1:])}"


def _updates(decision: Mapping[str, Any]) -> tuple[Mapping[str, Any], ...]:
    listed = decision.get("updatedPermissions")
    return tuple(each for each in listed if isinstance(each, Mapping)) if isinstance(listed, list) else ()


def _text(value: Any) -> str:
    text = value if isinstance(value, str) else "" if value is None else str(value)
    return text if len(text) <= LIMIT else f"{text[:LIMIT]}... ({len(text) - LIMIT} more characters were cut)"


def plain(event: str, text: str) -> Verdict:
    """A command's plain words: context where the event takes any, else for nobody."""
    return Verdict(context=_text(text.strip())) if event in {"SessionStart", "UserPromptSubmit"} else Verdict()


def refusal(event: str, reason: str) -> Verdict:
    """A command's exit status 2: it refuses what the event is about, in the form that the event has for it."""
    reason = _text(reason.strip()) or "a hook refused it"
    match event:
        case "PreToolUse":
            return Verdict(permission="deny", reason=reason)
        case "SessionStart" | "SessionEnd" | "SubagentStart" | "Notification" | "PermissionRequest":
            return Verdict(message=reason)  # nothing here can be refused
    return Verdict(block=reason)


def merged(verdicts: Iterable[Verdict]) -> Verdict:
    """All answers as one: deny before defer before ask before allow; the strongest one's reasons."""
    every = list(verdicts)
    strongest: Permission = max((v.permission for v in every), key=RANKS.index, default=RANKS[0])
    winners = [v for v in every if v.permission == strongest]
    blocks = [v.block for v in every if v.block is not None]
    return Verdict(
        permission=strongest,
        reason="\n".join(dict.fromkeys(v.reason for v in winners if v.reason)) if strongest else "",
        updated_input=next((v.updated_input for v in reversed(every) if v.updated_input is not None), None),
        updates=tuple(update for v in winners for update in v.updates),
        context="\n".join(v.context for v in every if v.context),
        block="\n".join(blocks) if blocks else None,
        stop=next((v.stop for v in every if v.stop is not None), None),
        message="\n".join(v.message for v in every if v.message),
        replaced=next((v.replaced for v in reversed(every) if v.replaced is not None), None),
    )


def halting(verdict: Verdict) -> Verdict:
    """What ends the turn denies the call that it was asked about."""
    if verdict.stop is None:
        return verdict
    return replace(verdict, permission="deny", reason=verdict.reason or verdict.stop)


def weighed(verdict: Verdict, decision: Decision) -> Decision:
    """The decision on a call with what the hooks said. Rules that deny or ask, and what no rule may answer (a
    removal that cannot be undone, a question that is the person's own), stand against a hook's allow."""
    match verdict.permission:
        case "deny":
            return Deny("hook", verdict.reason or "a hook denies it")
        case "ask" | "defer" if isinstance(decision, Allow):
            return Ask("hook", verdict.reason or "a hook wants a person to decide")
        case "ask" | "defer" if isinstance(decision, Ask):
            return replace(decision, classifiable=False)  # not auto mode's classifier, either
        case "allow" if isinstance(decision, Ask) and decision.source == "mode":
            return Allow("hook", verdict.reason or "a hook allows it")
    return decision


def amended(result: ToolResult, verdict: Verdict, before_: Verdict = NOTHING) -> ToolResult:
    """The result with what hooks put in its place, or want the model to read after it."""
    if verdict.replaced is not None:
        text = _as_text(verdict.replaced)
        data = verdict.replaced if isinstance(verdict.replaced, Mapping | str) else None
        result = replace(result, parts=(Text(text),), data=data)
    said = [before_.context, verdict.context]
    if verdict.block is not None:
        said.append(verdict.block)
    notes = [f"\n<hook>\n{text}\n</hook>" for text in said if text]
    return replace(result, parts=(*result.parts, *map(Text, notes))) if notes else result


def _as_text(value: Any) -> str:
    match value:
        case str(text):
            pass
        case {"content": list(blocks)} | list(blocks) if all(isinstance(b, Mapping) for b in blocks):
            text = "\n".join(str(block["text"]) for block in blocks if block.get("type") == "text")
        case _:
            text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 10 * LIMIT else text[: 10 * LIMIT] + "... (cut)"
