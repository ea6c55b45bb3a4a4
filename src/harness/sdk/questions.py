"""`can_use_tool`: a question to the program, and its answer in our words."""

from typing import Any

from harness.asks import Answer
from harness.events import PermissionRequest
from harness.permissions.updates import changes, suggested
from harness.sdk.wire import Json


def question(event: PermissionRequest) -> Json:
    """The request's body."""
    given = dict(event.call.input or {})
    body: Json = {
        "subtype": "can_use_tool",
        "tool_name": event.call.name,
        "input": given,
        "tool_use_id": event.call.id,
        "permission_suggestions": suggested(event.suggestions),
        "decision_reason": event.reason,
        "display_name": event.call.name,
    }
    if event.agent_id:
        body["agent_id"] = event.agent_id
    if isinstance(given.get("description"), str):
        body["description"] = given["description"]
    path = given.get("file_path") or given.get("notebook_path")
    return body | ({"blocked_path": path} if isinstance(path, str) and "outside" in event.reason else {})


def answer(said: Json) -> Answer:
    """What the program's payload means. Whatever is no clear yes is a no."""
    match said:
        case {"behavior": "allow"}:
            updated: Any = said.get("updatedInput")
            updates = said.get("updatedPermissions")
            listed = updates if isinstance(updates, list) and all(isinstance(each, dict) for each in updates) else []
            kept = _to_keep(listed)
            return Answer(
                "allow",
                rules=kept,
                save=bool(kept),
                updated_input=updated if isinstance(updated, dict) else None,
                updates=tuple(listed),
            )
        case {"behavior": "deny"}:
            return Answer("deny", reason=str(said.get("message") or ""), stop=said.get("interrupt") is True)
    return Answer("deny", reason="the program's answer was neither allow nor deny")


def _to_keep(updates: list[Json]) -> tuple[str, ...]:
    """Allow rules for the project's local settings; none where any of the updates is bad, since then none counts."""
    try:
        read = changes(updates)
    except ValueError:
        return ()
    kept = [c for c in read if c.kind == "addRules" and c.behavior == "allow" and c.destination == "localSettings"]
    return tuple(rule for change in kept for rule in change.rules)


def refused(error: str) -> Answer:
    return Answer("deny", reason=f"the program that was asked failed: {error}")
