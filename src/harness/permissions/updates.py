"""Permission updates as SDKs and hooks write them (`addRules`, `setMode`, ...): rules suggested, and answers read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from harness.permissions.rules import Behavior


def suggested(rules: Sequence[str]) -> list[dict[str, Any]]:
    """Rules that would have allowed a call, as one update for the session; [] where no rule would."""
    if not rules:
        return []
    return [
        {
            "type": "addRules",
            "rules": [wire_rule(rule) for rule in rules],
            "behavior": "allow",
            "destination": "session",
        }
    ]


def wire_rule(text: str) -> dict[str, str]:
    tool, _, rest = text.partition("(")
    return {"toolName": tool, **({"ruleContent": rest.removesuffix(")")} if rest else {})}


def rule_text(rule: Mapping[str, Any]) -> str:
    """`Tool(content)` of a rule on the wire. Raises ValueError."""
    tool, content = rule.get("toolName"), rule.get("ruleContent")
    if not isinstance(tool, str) or not tool or not isinstance(content, str | None):
        raise ValueError(f"no rule: {rule!r}")
    return f"{tool}({content})" if content else tool


@dataclass(frozen=True, slots=True)
class Change:
    """One update, read: rules as text, a mode, or directories."""

    kind: Literal["addRules", "replaceRules", "removeRules", "setMode", "addDirectories", "removeDirectories"]
    behavior: Behavior = "allow"
    rules: tuple[str, ...] = ()
    mode: str = ""
    directories: tuple[str, ...] = ()
    destination: str = "session"


DESTINATIONS = ("session", "localSettings", "projectSettings", "userSettings")


def changes(updates: Sequence[Mapping[str, Any]]) -> list[Change]:
    """Updates read. Raises ValueError where one is not of the documented form: then none of them is to be applied."""
    return [_change(update) for update in updates]


def _change(update: Mapping[str, Any]) -> Change:
    destination = update.get("destination", "session")
    if destination not in DESTINATIONS:
        raise ValueError(f"no permission update: {update!r}")
    match update:
        case {"type": "addRules" | "replaceRules" | "removeRules" as kind, "rules": list(rules)}:
            behavior = update.get("behavior", "allow")
            if behavior not in ("allow", "ask", "deny") or not all(isinstance(rule, Mapping) for rule in rules):
                raise ValueError(f"no permission update: {update!r}")
            return Change(kind, behavior, tuple(rule_text(rule) for rule in rules), destination=destination)
        case {"type": "setMode", "mode": str(mode)}:
            return Change("setMode", mode=mode, destination=destination)
        case {"type": "addDirectories" | "removeDirectories" as kind, "directories": list(names)} if all(
            isinstance(name, str) for name in names
        ):
            return Change(kind, directories=tuple(names), destination=destination)
    raise ValueError(f"no permission update: {update!r}")
