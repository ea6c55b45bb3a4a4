"""From a host to addresses that may be connected to, and along a chain of redirects, each hop checked anew.

A name is looked up once per connection, every answer must be public, and the connection goes to a checked answer:
a resolver that answers differently the next time has nothing to win.
"""

import socket
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol, TypeVar

from harness.network import urls
from harness.network.addresses import refusals
from harness.network.hosts import Host, Refused
from harness.network.urls import Target

REDIRECTS = 10
_MOVED = frozenset({301, 302, 303, 307, 308})
Resolve = Callable[[str], Awaitable[Sequence[str]]]


async def system_resolver(name: str) -> Sequence[str]:
    """The addresses that this machine knows for a name; none where it knows none."""
    import anyio  # noqa: PLC0415  for who resolves: others read the pure parts

    try:
        found = await anyio.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return ()
    return tuple(dict.fromkeys(str(answer[4][0]) for answer in found))


async def addresses(host: Host, resolve: Resolve) -> tuple[str, ...]:
    """The addresses to connect to, all of them public. Raises Refused."""
    if host.literal:  # checked as it was read
        return (host.text,)
    answers = tuple(await resolve(host.text))
    if not answers:
        raise Refused(f"the name {host.text} cannot be resolved")
    if found := refusals(answers):
        raise Refused(f"{host.text} resolves to {found[0][0]}, which is {found[0][1]}")
    return answers


class Reply(Protocol):
    @property
    def status(self) -> int: ...

    @property
    def location(self) -> str: ...


R = TypeVar("R", bound=Reply)


async def follow(
    url: str, resolve: Resolve, request: Callable[[Target, tuple[str, ...]], Awaitable[R]]
) -> tuple[Target, R]:
    """Ask for `url` and go where it redirects within its host; the last place and its reply.

    `request` connects to one of the addresses it is given. Raises Refused and Elsewhere, see `urls.redirected`.
    """
    target = urls.parse(url)
    for _ in range(REDIRECTS + 1):
        reply = await request(target, await addresses(target.host, resolve))
        if reply.status not in _MOVED or not reply.location:
            return target, reply
        target = urls.redirected(target, reply.location)
    raise Refused(f"it redirects more than {REDIRECTS} times")
