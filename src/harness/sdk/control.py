"""Control requests of the program: one function each, and their table."""

from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from harness.errors import HarnessError
from harness.sdk.prompts import Prompt
from harness.sdk.wire import Json
from harness.session import Session

if TYPE_CHECKING:
    from harness.mcp.servers import Servers

Request = Mapping[str, Any]


class Host(Protocol):
    """What requests are about. `queue` holds prompts that wait; `busy`: one is being answered."""

    session: Session
    queue: deque[Prompt]

    @property
    def busy(self) -> bool: ...


class BadRequest(HarnessError):
    """A request that cannot be done as it is."""


def _text(request: Request, name: str) -> str:
    value = request.get(name)
    if not isinstance(value, str) or not value:
        raise BadRequest(f"{request.get('subtype')}: {name} must be a string that is not empty.")
    return value


async def interrupt(host: Host, request: Request) -> Json:
    if request.get("cancel_queued") is True:
        host.queue.clear()
    host.session.interrupt(ahead=host.busy)
    return {"still_queued": [prompt.uuid for prompt in host.queue]} if host.queue else {}


async def set_permission_mode(host: Host, request: Request) -> Json:
    host.session.set_mode(_text(request, "mode"))
    return {"mode": host.session.mode}


async def set_model(host: Host, request: Request) -> Json:
    model = request.get("model")
    if not isinstance(model, str | None):
        raise BadRequest("set_model: model must be a string or null.")
    await host.session.set_model(model or None)
    return {}


async def context_usage(host: Host, _request: Request) -> Json:
    from harness.sdk.usage import context_usage as usage  # noqa: PLC0415  seldom asked for

    return usage(host.session)


async def rewind(host: Host, request: Request) -> Json:
    from harness.session.back import rewind_files  # noqa: PLC0415  seldom asked for

    return await rewind_files(host.session, _text(request, "user_message_id"), dry=request.get("dry_run") is True)


async def mcp_status(host: Host, _request: Request) -> Json:
    servers = host.session.servers
    if servers is None:
        return {"mcpServers": []}
    await servers.settled()
    return {"mcpServers": servers.status()}


async def mcp_reconnect(host: Host, request: Request) -> Json:
    await _servers(host).reconnect(_text(request, "serverName"))
    return {}


async def mcp_toggle(host: Host, request: Request) -> Json:
    await _servers(host).toggle(_text(request, "serverName"), enabled=request.get("enabled") is True)
    return {}


def _servers(host: Host) -> "Servers":
    if host.session.servers is None:
        raise BadRequest("This session has no MCP servers.")
    return host.session.servers


async def stop_task(host: Host, request: Request) -> Json:
    jobs, name = host.session.background.jobs, _text(request, "task_id")
    if host.session.agents.stop(name):
        return {}
    job = jobs.get(name) if jobs else None
    if jobs is None or job is None or job.state != "running":
        raise BadRequest(f"There is no task {name!r} that runs.")
    await jobs.stop(job)
    return {}


async def again(_host: Host, _request: Request) -> Json:
    raise BadRequest("initialize has been answered already.")


Handle = Callable[[Host, Request], Awaitable[Json]]
HANDLERS: dict[str, Handle] = {
    "initialize": again,
    "interrupt": interrupt,
    "set_permission_mode": set_permission_mode,
    "set_model": set_model,
    "get_context_usage": context_usage,
    "rewind_files": rewind,
    "mcp_status": mcp_status,
    "mcp_reconnect": mcp_reconnect,
    "mcp_toggle": mcp_toggle,
    "stop_task": stop_task,
}
# Those that ask the program something themselves, and so must not keep its answers from being read.
BESIDE = frozenset({"mcp_status", "mcp_reconnect", "mcp_toggle"})


async def answered(host: Host, line: Json) -> Json:
    """The line that answers a control request, whatever it asks for."""
    request_id, request = line.get("request_id"), line.get("request")
    request = request if isinstance(request, Mapping) else {}
    handle = HANDLERS.get(str(request.get("subtype")))
    try:
        if handle is None:
            raise BadRequest(f"There is no control request {request.get('subtype')!r} here.")
        payload = await handle(host, request)
    except HarnessError as error:
        return failure(request_id, str(error).replace("\n", " "))
    return success(request_id, payload)


def success(request_id: Any, payload: Json) -> Json:
    response = {"subtype": "success", "request_id": request_id, "response": payload}
    return {"type": "control_response", "response": response}


def failure(request_id: Any, text: str) -> Json:
    return {"type": "control_response", "response": {"subtype": "error", "request_id": request_id, "error": text}}
