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
from harness.mcp.config import Config, Scope
from harness.mcp.names import Named, named
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
        self._offered: dict[str, Remote] = {}  # the tools that are in the toolbox, and who serves each

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
        failed = (server for server in self._all.values() if server.status == "failed")
        return [*(f"The MCP server {s.config.name} failed: {s.error}" for s in failed), *self._named_tools[1]]

    @property
    def tool_names(self) -> list[str]:
        """Of all tools of those that are connected, offered to the model or not."""
        return list(self._named_tools[0])

    def remote_tool(self, name: str) -> tuple[Remote, str, Scope] | None:
        """The connection to the server that has this tool, what the server calls it, and who brought the server."""
        found = self._named_tools[0].get(name)
        server = self._all[found.server] if found else None
        return (server.remote, found.name, server.config.scope) if found and server and server.remote else None

    @property
    def _named_tools(self) -> tuple[dict[str, Named], list[str]]:
        here = (server for server in self._all.values() if server.status == "connected" and server.remote)
        return named({server.config.name: server.offered.tools for server in here})

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
        remote, server.remote = server.remote, None
        self._arrange()
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
            server.status = "connected"
            self._arrange()
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

    def _arrange(self) -> None:
        """Put what the connected servers have into the toolbox, where it is not yet, and take out what is gone."""
        found, _ = self._named_tools
        denied = self._removed(found)
        wanted = {full: found[full] for full in sorted(found) if full not in denied}
        remotes = {full: self._all[tool.server].remote for full, tool in wanted.items()}
        self._toolbox.drop([full for full, remote in self._offered.items() if remotes.get(full) is not remote])
        for full, tool in wanted.items():
            remote = remotes[full]
            if remote and self._offered.get(full) is not remote:
                made = tools.tool(tool.server, tool.listed, remote.call)
                self._toolbox.add(made, tools.spec(tool.server, tool.listed))
        self._offered = {full: remote for full, remote in remotes.items() if remote}


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
