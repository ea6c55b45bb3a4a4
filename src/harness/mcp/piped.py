"""A server that lives in the program which drives us: its messages ride in control requests.

Small enough to be spoken without the protocol's package, which takes long to load.
"""

import itertools
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import anyio

from harness import __version__
from harness.mcp.remote import CLIENT, Json, Offered, ServerFailed

VERSION = "2025-06-18"
Send = Callable[[str, Json], Awaitable[Json]]  # a server's name and a message, to its answer; raises ServerFailed


class Piped:
    """`send` carries one message to the program and its answer back."""

    def __init__(self, name: str, send: Send) -> None:
        self._name, self._send = name, send
        self._numbers = itertools.count(1)

    async def connect(self) -> Offered:
        client = {"name": CLIENT, "version": __version__}
        began = await self._ask("initialize", protocolVersion=VERSION, capabilities={}, clientInfo=client)
        await self._send(self._name, {"jsonrpc": "2.0", "method": "notifications/initialized"})
        tools: list[Json] = []
        cursor: dict[str, Any] = {}
        while "tools" in (began.get("capabilities") or {"tools": {}}):
            page = await self._ask("tools/list", **cursor)
            tools += [tool for tool in page.get("tools") or () if isinstance(tool, dict)]
            if not page.get("nextCursor") or len(tools) > 1000:
                break
            cursor = {"cursor": page["nextCursor"]}
        return Offered(began.get("serverInfo") or {}, tools, str(began.get("instructions") or ""))

    async def call(self, tool: str, arguments: Mapping[str, Any]) -> Json:
        return await self._ask("tools/call", name=tool, arguments=dict(arguments))

    async def close(self) -> None:
        pass  # it is the program's

    async def _ask(self, method: str, **params: Any) -> Json:
        number = next(self._numbers)
        message = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
        try:
            answer = await self._send(self._name, message)
        except anyio.get_cancelled_exc_class():
            with anyio.CancelScope(shield=True), anyio.move_on_after(1):
                cancelled = {"requestId": number, "reason": "interrupted"}
                await self._send(
                    self._name, {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": cancelled}
                )
            raise
        if "error" in answer:
            error = answer["error"] if isinstance(answer["error"], Mapping) else {}
            raise ServerFailed(str(error.get("message") or "it refused the request"))
        result = answer.get("result")
        return result if isinstance(result, dict) else {}
