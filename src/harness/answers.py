"""What a program's answer to a permission question means, in the words that SDKs and permission prompt tools use."""

from collections.abc import Mapping, Sequence
from typing import Any

from harness.asks import Answer
from harness.permissions.updates import changes


def read(said: Mapping[str, Any]) -> Answer:
    """Whatever is no clear yes is a no."""
    match said:
        case {"behavior": "allow"}:
            return _allowed(said)
        case {"behavior": "deny"}:
            return Answer("deny", reason=str(said.get("message") or ""), stop=said.get("interrupt") is True)
    return Answer("deny", reason="the program's answer was neither allow nor deny")


def _allowed(said: Mapping[str, Any]) -> Answer:
    updated, updates = said.get("updatedInput"), said.get("updatedPermissions")
    if not (updated is None or isinstance(updated, dict)):
        return Answer("deny", reason="the program allowed it with an updatedInput that is no object")
    listed = updates if isinstance(updates, list) and all(isinstance(each, dict) for each in updates) else []
    kept = _to_keep(listed)
    return Answer("allow", rules=kept, save=bool(kept), updated_input=updated, updates=tuple(listed))


def _to_keep(updates: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """Allow rules for the project's local settings; none where any of the updates is bad, since then none counts."""
    try:
        given = changes(updates)
    except ValueError:
        return ()
    kept = [c for c in given if c.kind == "addRules" and c.behavior == "allow" and c.destination == "localSettings"]
    return tuple(rule for change in kept for rule in change.rules)
