"""One GET over HTTP/1.1 to an address that was checked: no cookies, no proxy, bounded in size and time."""

import ssl
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import anyio
import anyio.abc
import httpcore
from anyio.streams.tls import TLSStream

from harness.network import reach
from harness.network.hosts import Refused
from harness.network.urls import Target
from harness.network.wire import Wire

LARGEST = 10 << 20  # bytes, as they come and unpacked
_PATIENCE = 60.0  # seconds for one page, redirects included
_CHUNK = 64 << 10


@dataclass(frozen=True, slots=True)
class Page:
    """`cut`: there was more than `LARGEST`. `kind` is the content type without parameters."""

    status: int
    location: str = ""
    kind: str = ""
    charset: str = ""
    body: bytes = b""
    cut: bool = False


async def fetch(url: str, wire: Wire, context: ssl.SSLContext, agent: str) -> tuple[Target, Page]:
    """A page, and where it was found. Raises Refused, also where nothing usable answers."""

    async def request(target: Target, addresses: tuple[str, ...]) -> Page:
        return await _get(target, _Pinned(wire, addresses), context, agent)

    try:
        with anyio.fail_after(_PATIENCE):
            return await reach.follow(url, wire.resolve, request)
    except TimeoutError:
        raise Refused(f"it was not there within {_PATIENCE:.0f} s") from None
    except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException, OSError, zlib.error) as error:
        raise Refused(f"it cannot be read: {str(error) or type(error).__name__}") from None


async def _get(target: Target, pinned: "_Pinned", context: ssl.SSLContext, agent: str) -> Page:
    where = httpcore.URL(
        scheme=target.scheme.encode(), host=target.host.text.encode(), port=target.port, target=target.path.encode()
    )
    headers = [
        ("Host", target.authority),
        ("User-Agent", agent),
        ("Accept", "text/markdown, text/html, text/*;q=0.9, application/json;q=0.9, */*;q=0.1"),
        ("Accept-Encoding", "gzip"),
    ]
    async with (
        httpcore.AsyncConnectionPool(ssl_context=context, network_backend=pinned) as pool,
        pool.stream("GET", where, headers=headers) as response,
    ):
        named = {name.lower(): value.decode("latin-1") for name, value in response.headers}
        kind, _, parameters = named.get(b"content-type", "").partition(";")
        charset = parameters.partition("charset=")[2].partition(";")[0].strip(" \"'")
        if 300 <= response.status < 400:
            return Page(response.status, named.get(b"location", ""))
        body, cut = await _body(response, named.get(b"content-encoding", ""))
        return Page(response.status, "", kind.strip().lower(), charset, body, cut)


async def _body(response: httpcore.Response, coding: str) -> tuple[bytes, bool]:
    """Unpacked piece by piece: a small answer that unpacks to a huge one is cut like a huge one."""
    if coding not in {"", "identity", "gzip"}:
        raise Refused(f"it comes packed as {coding[:40]!r}, which was not asked for")
    unpack = zlib.decompressobj(47) if coding == "gzip" else None
    body = bytearray()
    async for piece in response.aiter_stream():
        body += unpack.decompress(piece, LARGEST + 1 - len(body)) if unpack else piece
        if len(body) > LARGEST:
            return bytes(body[:LARGEST]), True
    return bytes(body), False


class _Pinned(httpcore.AsyncNetworkBackend):
    """Connects to the checked addresses, whatever name it is given; TLS is still for the name."""

    def __init__(self, wire: Wire, addresses: tuple[str, ...]) -> None:
        self._wire, self._addresses = wire, addresses

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        connected = await self._wire.connect(self._addresses, port)
        return _Stream(await anyio.abc.SocketStream.from_socket(connected))

    async def sleep(self, seconds: float) -> None:
        await anyio.sleep(seconds)


class _Stream(httpcore.AsyncNetworkStream):
    def __init__(self, stream: anyio.abc.ByteStream) -> None:
        self._stream = stream

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        try:
            return await self._stream.receive(min(max_bytes, _CHUNK))
        except anyio.EndOfStream:
            return b""
        except anyio.BrokenResourceError as error:
            raise httpcore.ReadError(str(error)) from error

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        if buffer:
            try:
                await self._stream.send(buffer)
            except anyio.BrokenResourceError as error:
                raise httpcore.WriteError(str(error)) from error

    async def aclose(self) -> None:
        await anyio.aclose_forcefully(self._stream)

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.AsyncNetworkStream:
        try:
            return _Stream(
                await TLSStream.wrap(
                    self._stream, hostname=server_hostname, ssl_context=ssl_context, standard_compatible=False
                )
            )
        except (ssl.SSLError, anyio.BrokenResourceError, anyio.EndOfStream) as error:
            await self.aclose()
            raise httpcore.ConnectError(f"TLS: {str(error) or 'the connection broke off'}") from error

    def get_extra_info(self, info: str) -> Any:
        return None


__all__: Sequence[str] = ("LARGEST", "Page", "fetch")
