"""Asking a server what it is: its list of models first, its own API only for what the list leaves open."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any, cast

import anyio

from harness.mux import Mux
from harness.providers.body import read_json
from harness.providers.http import httpx
from harness.providers.kinds import KINDS, VLLM, Kind, from_list
from harness.providers.prices import facts
from harness.providers.profile import Profile, today

_LARGEST = 16 << 20  # bytes of an answer


async def probe(client: httpx.AsyncClient, base_url: str, model: str, limit: float = 10.0) -> Profile:
    """Ask the server what it is and what the model can do: GETs, and POSTs to its own API, never a chat.

    Endpoints are told apart by what they answer. Never raises for a server that does not answer: what came within
    `limit` seconds counts, and an empty profile says that nothing did.
    """
    server, profile = _Server(client, base_url), Profile()
    with anyio.move_on_after(limit):
        answer = await server.get(f"{base_url}/models")
        entries = answer.get("data") if isinstance(answer, dict) else answer
        if isinstance(entries, list):
            profile = from_list([entry for entry in entries if isinstance(entry, dict)], model)
        await server.try_doors(_worth_asking(profile), model)
    for found in server.found:
        profile = _joined(profile, found)
    return _with_table(profile._replace(probed=today()) if server.answered else profile, model)


def _worth_asking(profile: Profile) -> tuple[Kind, ...]:
    """The doors that may tell more than the list of models did."""
    if profile.server == "vLLM":
        return (VLLM,)
    if profile.server in {kind.name for kind in KINDS}:
        return tuple(kind for kind in KINDS if kind.name == profile.server)
    return () if profile.context_window else KINDS


def _joined(listed: Profile, found: Profile) -> Profile:
    """What the server's own API told, and the list's where that is silent."""
    usual = Profile()
    told = {name: value for name, value in found._asdict().items() if value != getattr(usual, name)}
    return listed._replace(**told)


def _with_table(profile: Profile, model: str) -> Profile:
    known = facts(model)
    if profile.context_window or known is None or known.context_window is None:
        return profile
    if profile.server in {"Ollama", "LM Studio"}:
        return profile  # they load far less than a model could hold
    return profile.with_window(known.context_window, "table")


class _Server:
    """GETs and POSTs that are answered by JSON or by nothing. `found`: what its doors have told so far;
    `answered`: that anything came back, be it a refusal."""

    def __init__(self, client: httpx.AsyncClient, base_url: str) -> None:
        self._client = client
        self._root = base_url.removesuffix("/v1")
        self.found: list[Profile] = []
        self.answered = False

    async def get(self, url: str) -> Any:
        return await self._json("GET", url, None)

    async def post(self, path: str, body: Mapping[str, Any]) -> Any:
        return await self._json("POST", self._root + path, body)

    async def try_doors(self, kinds: tuple[Kind, ...], model: str) -> None:
        """Ask all at once; `found` has what answers as such a server."""
        async with anyio.create_task_group() as tasks, Mux[Profile](tasks) as mux:
            for kind in kinds:
                mux.add(self._one(kind, model))
            async for profile in mux:
                self.found.append(profile)

    async def _one(self, kind: Kind, model: str) -> AsyncGenerator[Profile, None]:
        answer = await self.get(self._root + kind.path)
        if isinstance(answer, dict) and (profile := await kind.read(answer, model, self.post)):
            yield profile

    async def _json(self, method: str, url: str, body: Mapping[str, Any] | None) -> Any:
        data = b""
        try:
            async with self._client.stream(method, url, json=body) as response:
                self.answered = True
                if response.status_code != 200:
                    return None
                async with aclosing(cast("AsyncGenerator[bytes, None]", response.aiter_bytes())) as chunks:
                    async for chunk in chunks:
                        data += chunk
                        if len(data) > _LARGEST:
                            return None
        except (httpx.HTTPError, httpx.InvalidURL):
            return None
        return read_json(data.decode("utf-8", "replace"))
