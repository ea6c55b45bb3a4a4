"""A server as we speak to it: connected, it offers tools, and they can be called. What it says is plain JSON."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

Json = dict[str, Any]
CLIENT = "harness"


class ServerFailed(Exception):
    """A server cannot be started or spoken to, or refused a request."""


@dataclass(frozen=True, slots=True)
class Offered:
    """What a server is and has: `info` is its name and version, `tools` its listing."""

    info: Mapping[str, Any] = field(default_factory=dict)
    tools: Sequence[Mapping[str, Any]] = ()
    instructions: str = ""


class Remote(Protocol):
    """A connection. Every method raises ServerFailed."""

    async def connect(self) -> Offered: ...

    async def call(self, tool: str, arguments: Mapping[str, Any]) -> Json:
        """The result object of `tools/call`."""
        ...

    async def close(self) -> None: ...
