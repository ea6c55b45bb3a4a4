"""A session's MCP servers over its life: started with it, waited for before its first turn, ended with it."""

import os
import time
from collections.abc import AsyncGenerator, Callable, Collection, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from anyio.abc import TaskGroup

from harness.asks import Answer, Asks
from harness.events import Event
from harness.loop import Deps
from harness.mux import Mux
from harness.options import SessionOptions
from harness.request import heartbeat
from harness.settings import Settings
from harness.toolbox import Toolbox

if TYPE_CHECKING:
    from harness.mcp.prompting import PromptTool
    from harness.mcp.servers import Servers
    from harness.sandbox.policy import Policy


def opened(
    options: SessionOptions,
    chosen: Settings,
    toolbox: Toolbox,
    tasks: TaskGroup,
    results: Path,
    removed: Callable[[Iterable[str]], Collection[str]],
    held: "Callable[[], Policy] | None",
) -> "Servers | None":
    """The servers, beginning to connect; None where there is none. `removed`: which of these tools are denied.
    `held`: the policy that those of a project's files are confined by; None where they are not.

    Raises:
        UsageError: `--mcp-config` cannot be used.
    """
    if options.prompt_tool:  # it answers questions; it is not for the model to call
        denied, own = removed, options.prompt_tool
        removed = lambda names: {*denied(names), own}  # noqa: E731
    cwd = options.cwd.resolve()
    project = chosen.trust.trusted and os.path.lexists(cwd / ".mcp.json")
    if not options.mcp and not project and not any(layer.get("mcpServers") for layer in chosen.layers):
        return None
    from harness.mcp.config import configs  # noqa: PLC0415  most sessions have no server
    from harness.mcp.servers import Servers  # noqa: PLC0415

    found = configs(options.mcp, chosen, cwd, options.env, strict=options.strict_mcp)
    free = any(layer.get("sandbox.allowUnsandboxedServers") for layer in chosen.layers)
    logs = results.parent / "mcp"
    servers = Servers(found, toolbox, tasks, cwd, logs, removed, held=None if free else held, send=options.mcp_send)
    servers.start()
    return servers


def prompting(
    options: SessionOptions,
    servers: "Servers | None",
    asks: Asks | None,
    tasks: TaskGroup,
    answer: Callable[[str, Answer], bool],
) -> "PromptTool | None":
    """Who is put what `asks` asks, where a server's tool is to answer it."""
    if options.prompt_tool is None or asks is None:
        return None
    from harness.mcp.prompting import PromptTool  # noqa: PLC0415  seldom asked for

    made = PromptTool(options.prompt_tool, servers, tasks, answer)
    asks.put = made.put
    return made


async def settled(servers: "Servers | None", deps: Deps) -> AsyncGenerator[Event, None]:
    """Wait until each server is connected or has failed, with signs of life; an interrupt ends the waiting."""
    if servers is None:
        return
    async with Mux[Event | None](deps.tasks) as mux:
        deps.interrupt.attach(mux.interrupt)
        try:
            mux.add(_wait(servers))
            mux.add(heartbeat("MCP servers", time.monotonic(), deps.heartbeat))
            async for item in mux:
                if item is None:
                    break
                yield item
        finally:
            deps.interrupt.attach(None)


async def _wait(servers: "Servers") -> AsyncGenerator[Event | None, None]:
    await servers.settled()
    yield None
