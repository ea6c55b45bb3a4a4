"""As much of an HTTP/1.1 server as a scripted endpoint needs: requests read, answers written, on asyncio streams."""

import asyncio
import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus

HEAD_LIMIT = 64 * 1024
BODY_LIMIT = 256 * 1024 * 1024


class BadRequest(ValueError):
    """Bytes that are no HTTP/1.1 request; the text says why."""


class Broken(Exception):
    """This connection is to break now: the script wants it so, or the client has gone."""


@dataclass(frozen=True, slots=True)
class Head:
    """Method, path without its query, and headers by lower-case name."""

    method: str
    path: str
    headers: Mapping[str, str]

    @property
    def keeps_alive(self) -> bool:
        return self.headers.get("connection", "").lower() != "close"


class Connection:
    """One client. Reading raises `BadRequest` for what is no request, `Broken` where the client closed within one."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def read_head(self) -> Head | None:
        """The next request's head, None where the client has closed."""
        try:
            raw = await self._reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            return None
        except asyncio.LimitOverrunError:
            raise BadRequest(f"the head is longer than {HEAD_LIMIT} bytes") from None
        first, *lines = raw[:-4].decode("latin-1").split("\r\n")
        words = first.split(" ")
        if len(words) != 3 or not words[2].startswith("HTTP/1."):
            raise BadRequest(f"not an HTTP/1.1 request line: {first[:80]!r}")
        pairs = (line.partition(":") for line in lines)
        return Head(
            words[0], words[1].partition("?")[0], {name.strip().lower(): value.strip() for name, _, value in pairs}
        )

    async def read_body(self, head: Head) -> bytes:
        """The request's body, by its length or in chunks."""
        if head.headers.get("expect", "").lower() == "100-continue":
            self._writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        try:
            if "chunked" in head.headers.get("transfer-encoding", "").lower():
                return await self._read_chunks()
            return await self._reader.readexactly(_length(head.headers.get("content-length", "0"), 10))
        except asyncio.IncompleteReadError:
            raise Broken from None
        except asyncio.LimitOverrunError:
            raise BadRequest(f"a chunk's line is longer than {HEAD_LIMIT} bytes") from None

    async def _read_chunks(self) -> bytes:
        body = bytearray()
        while size := _length((await self._read_line()).partition(";")[0], 16, len(body)):
            body += await self._reader.readexactly(size)
            await self._reader.readexactly(2)
        while await self._read_line():
            pass  # trailers: read past, as nothing here needs them
        return bytes(body)

    async def _read_line(self) -> str:
        return (await self._reader.readuntil(b"\r\n")).decode("latin-1").strip()

    async def send(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        """A whole answer."""
        self._writer.write(_head_bytes(status, {**headers, "content-length": str(len(body))}) + body)
        await self._writer.drain()

    def start(self, status: int, headers: Mapping[str, str]) -> None:
        """The head of an answer that comes in chunks."""
        self._writer.write(_head_bytes(status, {**headers, "transfer-encoding": "chunked"}))

    async def send_chunk(self, data: bytes) -> None:
        """A chunk of the body; an empty one ends it."""
        self._writer.write(b"%x\r\n%s\r\n" % (len(data), data))
        await self._writer.drain()

    async def flush(self) -> None:
        """Wait until the kernel has all that was sent: what the client is to see before the connection breaks."""
        self._writer.transport.set_write_buffer_limits(0)
        await self._writer.drain()

    async def gone(self) -> None:
        """Wait until the client closes."""
        while await self._reader.read(65536):
            pass  # whatever it still sends

    async def close(self, *, broken: bool) -> None:
        """End it: politely, or at once and without what is still unsent."""
        if broken:
            self._writer.transport.abort()
        self._writer.close()
        with contextlib.suppress(ConnectionError):
            await self._writer.wait_closed()


def _length(text: str, base: int, before: int = 0) -> int:
    try:
        size = int(text, base)
    except ValueError:
        raise BadRequest(f"not a length: {text[:40]!r}") from None
    if size < 0 or before + size > BODY_LIMIT:
        raise BadRequest(f"a body of more than {BODY_LIMIT} bytes, or less than none")
    return size


def _head_bytes(status: int, headers: Mapping[str, str]) -> bytes:
    """A response's head. A status that has no standard phrase gets none."""
    phrase = next((known.phrase for known in HTTPStatus if known == status), "")
    lines = [f"HTTP/1.1 {status} {phrase}", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode("latin-1", "replace")
