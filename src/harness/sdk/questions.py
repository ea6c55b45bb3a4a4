"""`can_use_tool`: a question to the program; `answers.read` says what its answer means."""

from harness.asks import Answer
from harness.events import PermissionRequest
from harness.permissions.updates import suggested
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


def refused(error: str) -> Answer:
    return Answer("deny", reason=f"the program that was asked failed: {error}")
