"""Decide yourself what may run: a hook that forbids, and a callback that is asked about the rest."""

import asyncio
from typing import Any

import harness


@harness.hook("PreToolUse", "Bash")
def no_push(given: dict[str, Any]) -> dict[str, Any] | None:
    if "git push" not in given["tool_input"]["command"]:
        return None
    said = {"permissionDecision": "deny", "permissionDecisionReason": "Nothing is pushed from here."}
    return {"hookSpecificOutput": said}


async def permission(question: harness.PermissionRequest) -> bool | str:
    command = str((question.call.input or {}).get("command", ""))
    print(f"asked: {question.call.name} {command}")
    return True if command.startswith("make ") else "Only make is allowed."


async def main() -> None:
    options = harness.Options(hooks=(no_push,), permission=permission)
    async with harness.open_session(options) as session:
        reply = await session.run("Build it, and push the result.")
    print(reply.text)
    for denial in reply.result.permission_denials:
        print(f"denied: {denial.tool_input.get('command')}")


if __name__ == "__main__":
    asyncio.run(main())
