"""A session's servers: connected at once, beside everything else; their tools put into the toolbox."""

import os
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal

import anyio
from anyio.abc import TaskGroup

from harness.errors import HarnessError
from harness.mcp import tool as tools
from harness.mcp.config import Config
from harness.mcp.piped import Piped, Send
from harness.mcp.remote import Json, Offered, Remote, ServerFailed
from harness.mux import aside
from harness.sandbox.policy import Policy
from harness.toolbox import Toolbox

START_LIMIT = 30.0  # seconds
Status = Literal["pending", "connected", "failed", "disabled"]


@dataclass(slots=True)
class Server:
    config: Config
    remote: Remote | None = None
    status: Status = "pending"
    offered: Offered = field(default_factory=Offered)
    error: str = ""
    names: tuple[str, ...] = ()  # its tools, as the model knows them
    settled: anyio.Event = field(default_factory=anyio.Event)


class Servers:
    """`held`: the policy of a project's servers, None where they run as the person's. `send` carries
    messages to the program's own."""

    def __init__(
        self,
        configs: Sequence[Config],
        toolbox: Toolbox,
        tasks: TaskGroup,
        cwd: Path,
        logs: Path,
        removed: Callable[[Iterable[str]], Collection[str]],
        *,
        held: Callable[[], Policy] | None,
        send: Send | None = None,
    ) -> None:
        self._toolbox, self._tasks, self._cwd, self._logs = toolbox, tasks, cwd, logs
        self._removed, self._held, self._send = removed, held, send
        self._all = {config.name: Server(config) for config in configs}

    def start(self) -> None:
        """Begin to connect all; nobody waits yet."""
        for server in self._all.values():
            aside(self._tasks, partial(self._connect, server))

    async def settled(self) -> None:
        """Wait until each is connected or has failed."""
        for server in self._all.values():
            await server.settled.wait()

    @property
    def problems(self) -> list[str]:
        return [f"The MCP server {s.config.name} failed: {s.error}" for s in self._all.values() if s.status == "failed"]

    @property
    def tool_names(self) -> list[str]:
        """Of all tools of those that are connected, offered to the model or not."""
        return [name for server in self._connected for name in map(partial(_full_name, server), server.offered.tools)]

    def remote_tool(self, name: str) -> tuple[Remote, str] | None:
        """The connection to the server that has this tool, and what the server calls it."""
        for server in self._connected:
            for listed in server.offered.tools:
                if server.remote and _full_name(server, listed) == name:
                    return server.remote, str(listed.get("name"))
        return None

    @property
    def _connected(self) -> list[Server]:
        return [server for server in self._all.values() if server.status == "connected"]

    @property
    def listed(self) -> list[Json]:
        """As `system/init` lists them."""
        return [{"name": name, "status": server.status} for name, server in self._all.items()]

    def status(self) -> list[Json]:
        """As `mcp_status` tells of them."""
        return [_told(server) for server in self._all.values()]

    async def reconnect(self, name: str) -> None:
        """Raises HarnessError where it fails."""
        server = self._named(name)
        await self._close(server)
        server.settled = anyio.Event()
        await self._connect(server)
        if server.status != "connected":
            raise HarnessError(f"The MCP server {name} failed: {server.error}")

    async def toggle(self, name: str, *, enabled: bool) -> None:
        if enabled:
            await self.reconnect(name)
            return
        server = self._named(name)
        await self._close(server)
        server.status = "disabled"

    async def close(self) -> None:
        async with anyio.create_task_group() as closing:
            for server in self._all.values():
                closing.start_soon(self._close, server)

    def _named(self, name: str) -> Server:
        if name not in self._all:
            raise HarnessError(f"There is no MCP server {name!r}. There are: {', '.join(self._all) or 'none'}.")
        return self._all[name]

    async def _close(self, server: Server) -> None:
        self._toolbox.drop(server.names)
        server.names, remote, server.remote = (), server.remote, None
        if remote:
            await remote.close()

    async def _connect(self, server: Server) -> None:
        """Never raises: what is wrong is the server's status."""
        config = server.config
        server.status, server.error = "pending", ""
        limit = config.timeout or _number("MCP_TIMEOUT", int(START_LIMIT * 1000)) / 1000
        try:
            if config.problem:
                raise ServerFailed(config.problem)
            remote = server.remote = self._remote(config)
            with anyio.move_on_after(limit) as scope:
                server.offered = await remote.connect()
            if scope.cancelled_caught:
                raise ServerFailed(f"it was not ready within {limit:g} s")
            self._offer(server, remote)
            server.status = "connected"
        except ServerFailed as error:
            server.status, server.error = "failed", str(error)
        finally:
            server.settled.set()

    def _remote(self, config: Config) -> Remote:
        if config.kind == "sdk":
            if self._send is None:
                raise ServerFailed("it lives in a program, and none drives this session")
            return Piped(config.name, self._send)
        from harness.mcp.stdio import Stdio  # noqa: PLC0415  most sessions start no server

        log = self._logs / f"{tools.full_name(config.name, 'stderr')}.log"
        held = self._held() if self._held and config.scope == "project" else None
        return Stdio(config, self._cwd, log, self._tasks, held)

    def _offer(self, server: Server, remote: Remote) -> None:
        by_name = {str(listed.get("name")): listed for listed in server.offered.tools}
        denied = self._removed(tools.full_name(server.config.name, name) for name in by_name)
        names: list[str] = []
        for name in sorted(by_name):
            spec = tools.spec(server.config.name, by_name[name])
            full: str = spec["function"]["name"]
            if full not in denied:
                self._toolbox.add(tools.tool(server.config.name, by_name[name], remote.call), spec)
                names.append(full)
        server.names = tuple(names)


def _full_name(server: Server, listed: Mapping[str, Any]) -> str:
    return tools.full_name(server.config.name, str(listed.get("name")))


def _told(server: Server) -> Json:
    told: Json = {"name": server.config.name, "status": server.status, "scope": _SCOPES[server.config.scope]}
    if server.error:
        told["error"] = server.error
    if server.status == "connected":
        told["serverInfo"] = {"name": server.config.name, "version": "", **server.offered.info}
        told["tools"] = [_tool(listed) for listed in server.offered.tools]
    return told


_SCOPES: Mapping[str, str] = {"flag": "dynamic", "user": "user", "project": "project"}


def _tool(listed: Mapping[str, Any]) -> Json:
    told: Json = {"name": listed.get("name")}
    if listed.get("description"):
        told["description"] = listed["description"]
    hints = listed.get("annotations")
    if isinstance(hints, Mapping):
        known = {"readOnlyHint": "readOnly", "destructiveHint": "destructive", "openWorldHint": "openWorld"}
        told["annotations"] = {ours: hints[theirs] for theirs, ours in known.items() if theirs in hints}
    return told


def _number(name: str, default: int) -> int:
    value = os.environ.get(name, "")
    return int(value) if value.isascii() and value.isdigit() and int(value) else default
