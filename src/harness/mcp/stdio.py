"""A server that is a child process: the protocol's own package speaks to it.

The package's context managers must be left by the task that entered them, so each connection lives in a task of its
own, which the session's task group holds; the process ends with it.
"""

import os
import sys
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
from anyio.abc import TaskGroup

from harness import __version__
from harness.mcp.config import Config
from harness.mcp.remote import CLIENT, Json, Offered, ServerFailed
from harness.mux import aside
from harness.sandbox import programs
from harness.sandbox.policy import Policy

if TYPE_CHECKING:
    from mcp.client.session import ClientSession

_OURS = "HARNESS_SERVER_"  # before the names of a confined server's variables, on their way into the sandbox
_SAID = 2_000  # bytes of a server's stderr that its failure repeats


class Stdio:
    """`log` is the file that its stderr goes to. `held`: what a project's own server may touch, as
    rules and mode have it when it starts; None for the person's."""

    def __init__(self, config: Config, cwd: Path, log: Path, tasks: TaskGroup, held: Policy | None) -> None:
        self._config, self._cwd, self._log, self._tasks, self._held = config, cwd, log, tasks, held
        self._session: ClientSession | None = None
        self._ready, self._end, self._over = anyio.Event(), anyio.Event(), anyio.Event()
        self._failure = ""
        self._offered = Offered()

    async def connect(self) -> Offered:
        aside(self._tasks, self._live)
        try:
            await self._ready.wait()
        except anyio.get_cancelled_exc_class():
            self._end.set()
            raise
        if self._failure:
            raise ServerFailed(self._failure)
        return self._offered

    async def call(self, tool: str, arguments: Mapping[str, Any]) -> Json:
        if self._session is None or self._over.is_set():
            raise ServerFailed("it is not connected" + self._words())
        try:
            result = await self._session.call_tool(tool, dict(arguments))
        except Exception as error:
            raise ServerFailed(_flat(error)) from error
        return result.model_dump(mode="json", by_alias=True, exclude_none=True)

    async def close(self) -> None:
        self._end.set()
        with anyio.move_on_after(5):
            await self._over.wait()

    async def _live(self) -> None:
        """From the process's start to its end."""
        try:
            async with AsyncExitStack() as stack:
                await self._enter(stack)
                self._ready.set()
                await self._end.wait()
        except Exception as error:  # noqa: BLE001  it fails as a server, never as a session
            self._failure = f"{_flat(error)}{self._words()}"
        finally:
            self._session = None
            self._over.set()
            self._ready.set()

    async def _enter(self, stack: AsyncExitStack) -> None:
        from mcp.client.session import ClientSession  # noqa: PLC0415  slow to load, and most sessions have no server
        from mcp.client.stdio import StdioServerParameters, stdio_client  # noqa: PLC0415
        from mcp.types import Implementation, PaginatedRequestParams  # noqa: PLC0415

        self._log.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        errors = stack.enter_context(self._log.open("w", encoding="utf-8"))
        command, args, env = self._command()
        parameters = StdioServerParameters(command=command, args=args, env=env, cwd=self._cwd)
        read, write = await stack.enter_async_context(stdio_client(parameters, errlog=errors))
        client = Implementation(name=CLIENT, version=__version__)
        session = await stack.enter_async_context(ClientSession(read, write, client_info=client))
        began = await session.initialize()
        tools: list[Json] = []
        cursor: str | None = None
        while began.capabilities.tools is not None:
            page = await session.list_tools(params=PaginatedRequestParams(cursor=cursor) if cursor else None)
            tools += [tool.model_dump(mode="json", by_alias=True, exclude_none=True) for tool in page.tools]
            cursor = page.next_cursor
            if not cursor or len(tools) > 1000:
                break
        info = began.server_info.model_dump(mode="json", exclude_none=True)
        self._offered = Offered(info, tools, began.instructions or "")
        self._session = session

    def _command(self) -> tuple[str, list[str], dict[str, str]]:
        """Program, arguments and environment. What makes the sandbox runs outside of it: it imports nothing from the
        project that it starts in, and the project's variables reach it under names that mean nothing to it."""
        config = self._config
        if self._held is None:
            path = programs.guarded(os.environ.get("PATH", os.defpath), (self._cwd,))  # nothing that the model wrote
            return config.command, list(config.args), {"PATH": path, **config.env}
        words = ["-E", "-P", "-m", "harness", "sandbox", "exec", "--project", str(self._cwd), "--env-behind", _OURS]
        words += [word for path in self._held.deny_read for word in ("--deny-read", str(path))]
        words += ["--level", self._held.level, *(["--plan"] if self._held.project_readonly else [])]
        env = {f"{_OURS}{name}": value for name, value in config.env.items()}
        return sys.executable, [*words, "--", config.command, *config.args], env

    def _words(self) -> str:
        """The last of what it wrote to stderr."""
        try:
            said = self._log.read_bytes()[-_SAID:].decode("utf-8", "replace").strip()
        except OSError:
            said = ""
        return f"; it said: {said}" if said else ""


def _flat(error: BaseException) -> str:
    while isinstance(error, BaseExceptionGroup) and error.exceptions:
        error = error.exceptions[0]
    return str(error) or type(error).__name__
