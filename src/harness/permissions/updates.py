"""Permission updates as SDKs and hooks write them (`addRules`, `setMode`, ...): rules suggested, and answers read."""

from collections.abc import Mapping, Sequence
from typing import Any


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
