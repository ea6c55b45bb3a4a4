"""`--permission-prompt-tool mcp__server__tool`: a server's tool answers what a person would be asked.

It gets `tool_name`, `input` and `tool_use_id`, and gives JSON as text: `{"behavior": "allow", "updatedInput": {...}}`
or `{"behavior": "deny", "message": "..."}`. Anything else denies. The model is not offered it.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from difflib import get_close_matches
from functools import partial
from typing import Any

import anyio
from anyio.abc import TaskGroup

from harness import answers
from harness.asks import Answer
from harness.errors import UsageError
from harness.events import PermissionRequest
from harness.mcp import tool as tools
from harness.mcp.remote import ServerFailed
from harness.mcp.servers import Servers
from harness.mux import aside

_SHOWN = 200  # characters of an answer that is none


class PromptTool:
    """`answer` takes the answer to a question, by its id."""

    def __init__(self, name: str, servers: Servers | None, tasks: TaskGroup, answer: Callable[[str, Answer], bool]):
        self._name, self._servers, self._tasks, self._answer = name, servers, tasks, answer

    def check(self) -> None:
        """Once servers are connected.

        Raises:
            UsageError: none of them has the tool.
        """
        if self._servers and self._servers.remote_tool(self._name):
            return
        has = self._servers.tool_names if self._servers else []
        near = get_close_matches(self._name, has, 1)
        mend = f"The servers have: {', '.join(has[:20])}." if has else "Give its server with --mcp-config."
        mend = f"Did you mean {near[0]}?" if near else mend
        why = " ".join(self._servers.problems) if self._servers else ""
        raise UsageError(
            f"--permission-prompt-tool {self._name}: no MCP server of this session has that tool. {why}".strip(), mend
        )

    def put(self, question: PermissionRequest) -> Callable[[], None]:
        """Put a question to it; what is returned calls that off."""
        scope = anyio.CancelScope()
        aside(self._tasks, partial(self._work, question, scope))
        return scope.cancel

    async def _work(self, question: PermissionRequest, scope: anyio.CancelScope) -> None:
        with scope:
            self._answer(question.id, await self._asked(question))

    async def _asked(self, question: PermissionRequest) -> Answer:
        call, limit = question.call, tools.limit()
        given = {"tool_name": call.name, "input": dict(call.input or {}), "tool_use_id": call.id}
        found = self._servers.remote_tool(self._name) if self._servers else None
        if found is None:
            return self._denied("is no longer there: its server has ended")
        result: Mapping[str, Any] = {}
        try:
            with anyio.move_on_after(limit) as scope:
                result = await found[0].call(found[1], given)
        except ServerFailed as error:
            return self._denied(f"failed: {error}")
        if scope.cancelled_caught:
            return self._denied(f"gave no answer within {limit:g} s")
        answer = self._read(result)
        # as with hooks, a repository's may answer, and changes neither mode nor rules
        return replace(answer, rules=(), save=False, updates=()) if found[2] == "project" else answer

    def _read(self, result: Mapping[str, Any]) -> Answer:
        blocks = result.get("content")
        texts = [b["text"] for b in blocks if _is_text(b)] if isinstance(blocks, list) else []
        said = "".join(texts).strip()
        if result.get("isError") is True:
            return self._denied(f"failed: {said[:_SHOWN] or 'without a word'}")
        try:
            value = json.loads(said)
        except (ValueError, RecursionError):
            value = None
        if not isinstance(value, dict):
            return self._denied(f"gave no JSON object: {said[:_SHOWN]!r}")
        if value.get("behavior") not in {"allow", "deny"}:
            return self._denied(f"said neither allow nor deny: {said[:_SHOWN]!r}")
        answer = answers.read(value)
        silent = answer.decision == "deny" and not answer.reason and not answer.stop
        return self._denied("refuses it") if silent else answer

    def _denied(self, why: str) -> Answer:
        return Answer("deny", reason=f"the permission prompt tool {self._name} {why}")


def _is_text(block: Any) -> bool:
    return isinstance(block, dict) and block.get("type") == "text" and isinstance(block.get("text"), str)
