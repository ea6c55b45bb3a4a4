"""HTTP/1.1 chunks merged before they are parsed: as many as one network read gave become one.

Servers send each token as a chunk of its own, and each chunk costs the HTTP library, the decoder and every
queue behind it far more than its bytes do. Where chunks begin means nothing (RFC 9112, 7.1), so nothing is
lost. What is not understood is passed on as it came, for the HTTP library to judge.
"""

import re
import select
import socket
import ssl
from collections.abc import Iterable
from typing import Any, Literal

import httpcore

_CHUNKED = re.compile(rb"^transfer-encoding:[ \t]*chunked[ \t]*\r$", re.IGNORECASE | re.MULTILINE)
_SIZE = re.compile(rb"([0-9a-fA-F]{1,15})[ \t]*(?:;[^\r\n]*)?\r\n")
_LONGEST_HEAD = 100_000  # bytes; what is longer is left alone


class Frames:
    """The bytes of responses on one connection, with their chunks merged."""

    def __init__(self) -> None:
        self._state: Literal["head", "chunks", "other"] = "head"
        self._rest = b""  # not yet enough to go on with
        self._left = 0  # bytes of the current chunk still to come
        self._ending = False  # the CRLF behind the current chunk is due

    def begin(self) -> None:
        """A request is written: a new response will come."""
        if self._state == "other":
            self._state = "head"

    def feed(self, data: bytes) -> bytes:
        """Take what one read gave (b"" at the end); return what is to be parsed."""
        if not data or self._state == "other":
            rest, self._rest = self._rest, b""
            return rest + data
        data, self._rest = self._rest + data, b""
        head = b""
        while self._state == "head":
            end = data.find(b"\r\n\r\n") + 4
            if end < 4:
                return head + self._wait(data)
            block, data = data[:end], data[end:]
            head += block
            if not block.startswith(b"HTTP/1.1 1"):  # an interim response: the real one follows
                self._state = "chunks" if _CHUNKED.search(block) else "other"
        return head + (self._merged(data) if self._state == "chunks" else data)

    def _wait(self, data: bytes) -> bytes:
        if len(data) > _LONGEST_HEAD:
            self._state = "other"
            return data
        self._rest = data
        return b""

    def _merged(self, data: bytes) -> bytes:
        pieces: list[bytes] = []
        at = 0
        while at < len(data):
            if self._left > 0:
                piece = data[at : at + self._left]
                pieces.append(piece)
                self._left -= len(piece)
                at += len(piece)
                if self._left:
                    break
                self._ending = True
            if self._ending:
                if not data.startswith(b"\r\n", at):
                    return _frame(pieces) + self._odd(data[at:], too_short=len(data) - at < 2)
                self._ending = False
                at += 2
                continue
            size = _SIZE.match(data, at)
            if size is None:
                return _frame(pieces) + self._odd(data[at:], too_short=b"\n" not in data[at : at + 200])
            self._left = int(size[1], 16)
            if not self._left:
                self._state = "other"  # the last chunk: trailers, and no more to merge
                return _frame(pieces) + data[at:]
            at = size.end()
        return _frame(pieces)

    def _odd(self, data: bytes, *, too_short: bool) -> bytes:
        """What stands where a CRLF or a size should: more to come, or nothing that we know."""
        if too_short and len(data) < 200:
            self._rest = data
            return b""
        self._state = "other"
        return data


def _frame(pieces: Iterable[bytes]) -> bytes:
    data = b"".join(pieces)
    return b"%x\r\n%s\r\n" % (len(data), data) if data else b""


class MergingStream(httpcore.AsyncNetworkStream):
    """A connection whose responses are read through `Frames`."""

    def __init__(self, inner: httpcore.AsyncNetworkStream) -> None:
        self._inner = inner
        self._frames = Frames()
        self._socket: socket.socket | None = None

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        while True:
            data = await self._inner.read(max_bytes, timeout)
            if (ready := self._frames.feed(data)) or not data:
                return ready

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._frames.begin()
        await self._inner.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._inner.aclose()

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.AsyncNetworkStream:
        return MergingStream(await self._inner.start_tls(ssl_context, server_hostname, timeout))

    def get_extra_info(self, info: str) -> Any:
        if info != "is_readable":
            return self._inner.get_extra_info(info)
        # Asked before and after each request: the backend would look up both ends' addresses each time.
        self._socket = self._socket or self._inner.get_extra_info("socket")
        return self._socket is None or _readable(self._socket)


def _readable(connection: socket.socket) -> bool:
    """Whether something has come, the end included."""
    if connection.fileno() < 0:
        return True
    waiting = select.poll()
    waiting.register(connection.fileno(), select.POLLIN)
    return bool(waiting.poll(0))


class MergingBackend(httpcore.AsyncNetworkBackend):
    """Makes connections that merge."""

    def __init__(self) -> None:
        self._inner = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        return MergingStream(await self._inner.connect_tcp(host, port, timeout, local_address, socket_options))

    async def sleep(self, seconds: float) -> None:
        await self._inner.sleep(seconds)
