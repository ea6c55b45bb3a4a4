"""Model servers on this machine: the usual ports, asked at once. No key is ever sent to one found so."""

from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass

import anyio

from harness.errors import UsageError
from harness.mux import Mux
from harness.providers.body import read_json
from harness.providers.http import client, httpx
from harness.providers.models import read_ids
from harness.providers.owner import is_trusted
from harness.providers.servers import LOCAL, Server

_CONNECT = 0.3  # seconds: loopback answers at once or not at all
_ANSWER = 2.0


@dataclass(frozen=True, slots=True)
class FoundServer:
    """A server on this machine. `trusted`: it belongs to our user, root, or a known service account."""

    name: str
    base_url: str
    models: tuple[str, ...]
    trusted: bool


class NoServer(UsageError):
    """Nothing was found, or nothing that may be used unasked. `found` is for asking the person."""

    def __init__(self, what: str, mend: str, found: Sequence[FoundServer] = ()) -> None:
        super().__init__(what, mend)
        self.found = tuple(found)


async def find_servers(
    servers: Sequence[Server] = LOCAL, trusted: Callable[[int], bool] = is_trusted
) -> list[FoundServer]:
    """All servers that answer GET /v1/models on their usual port, in the order of `servers`."""
    async with anyio.create_task_group() as tasks, Mux[FoundServer](tasks) as mux:
        for server in servers:
            mux.add(_probe(server, trusted))
        found = [one async for one in mux]
    return sorted(found, key=lambda one: [server.name for server in servers].index(one.name))


async def _probe(server: Server, trusted: Callable[[int], bool]) -> AsyncGenerator[FoundServer, None]:
    base_url = f"http://127.0.0.1:{server.port}/v1"
    limits = httpx.Timeout(_ANSWER, connect=_CONNECT)
    async with client(base_url, {}, None) as asking:
        try:
            response = await asking.get(f"{base_url}/models", timeout=limits)
        except httpx.HTTPError:
            return
    ids = read_ids(read_json(response.text)) if response.status_code == 200 else None
    needs_key = response.status_code in {401, 403}
    if ids is not None or needs_key:
        yield FoundServer(server.name, base_url, tuple(ids or ()), trusted(server.port))


def only_one(found: Sequence[FoundServer]) -> FoundServer:
    """The one server that may be used without asking.

    Raises:
        NoServer: none, several, or one that belongs to somebody else.
    """
    if not found:
        ports = ", ".join(f"{server.name} {server.port}" for server in LOCAL)
        raise NoServer(
            f"No model server is set, and none was found on this machine ({ports}).",
            "Set OPENAI_BASE_URL (and OPENAI_API_KEY), or start one of them, such as `ollama serve`.",
        )
    listed = "; ".join(f"{one.name} at {one.base_url}" for one in found)
    if len(found) > 1:
        raise NoServer(
            f"Several model servers run on this machine: {listed}.",
            f"Choose one: set OPENAI_BASE_URL={found[0].base_url}, for example.",
            found,
        )
    if not found[0].trusted:
        raise NoServer(
            f"{listed} belongs to another user of this machine, so it is not used unasked.",
            f"If it is yours to use, set OPENAI_BASE_URL={found[0].base_url}",
            found,
        )
    return found[0]
