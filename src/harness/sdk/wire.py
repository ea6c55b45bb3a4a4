"""Lines of JSON in both directions: read while a turn runs, of any length in, of a bounded length out.

What we ask of the program (`request`) is answered by id, whenever its answer comes.
"""

import json
import os
import select
import time
from collections.abc import AsyncGenerator, Callable
from typing import Any
from uuid import uuid4

import anyio

from harness import codec

Json = dict[str, Any]
LINE_LIMIT = 1_000_000  # characters; SDKs end a session whose line is longer than 1 MiB
CHUNK = 1 << 18
_SURE = select.PIPE_BUF  # bytes that a pipe takes without blocking, once it can be written at all


class Refused(Exception):
    """The program answered a request with an error, or can answer no more."""


class Eof:
    """The program will say no more."""


class Wire:
    """`log` gets a line about each message, for `--debug-file`."""

    def __init__(self, incoming: int, outgoing: int, log: Callable[[str], None] = lambda _: None) -> None:
        self._in, self._out, self._log = incoming, outgoing, log
        self._unsent = bytearray()
        self._turn = anyio.Lock()
        self._open: dict[str, tuple[anyio.Event, list[Json]]] = {}
        self._ended = False

    def note(self, text: str) -> None:
        self._log(f"{time.time():.3f} {text}")

    async def lines(self) -> AsyncGenerator[Json | str | Eof, None]:
        """What the program says: an object for each line, a text where a line is none; at last one `Eof`."""
        parts: list[bytes] = []
        while chunk := await self._read():
            *whole, rest = chunk.split(b"\n")
            for text in whole:
                parts.append(text)
                line, parts = b"".join(parts), []
                if line.strip():
                    yield self._parsed(line)
            if rest:
                parts.append(rest)
        if last := b"".join(parts).strip():
            yield self._parsed(last)
        self._end()
        yield Eof()

    async def _read(self) -> bytes:
        try:
            await anyio.wait_readable(self._in)
        except PermissionError:
            pass  # a regular file, which the kernel does not watch and which never makes us wait
        try:
            return os.read(self._in, CHUNK)
        except OSError:
            return b""

    def _parsed(self, line: bytes) -> Json | str:
        try:
            value = json.loads(line)
        except (ValueError, RecursionError) as error:
            return f"a line on standard input is no JSON ({error}): {line[:80]!r}"
        if not isinstance(value, dict):
            return f"a line on standard input is no JSON object: {line[:80]!r}"
        self._log(f"in  {_title(value)} {len(line)}")
        return value

    def _end(self) -> None:
        self._ended = True
        for event, box in self._open.values():
            box.append({"subtype": "error", "error": "the program has closed standard input"})
            event.set()

    async def send(self, value: Json) -> None:
        """Write one line; returns when it is with the reader. Raises BrokenPipeError."""
        line = codec.line(value)
        if len(line) > LINE_LIMIT:
            line = codec.line(shortened(value, LINE_LIMIT))
        self._log(f"out {_title(value)} {len(line)}")
        self._unsent += line.encode("utf-8", "backslashreplace") + b"\n"
        await self._flush()

    async def _flush(self) -> None:
        # What a cancelled sender left is sent by the next one: a line is never torn.
        async with self._turn:
            while self._unsent:
                if not select.select((), (self._out,), (), 0)[1]:
                    await anyio.wait_writable(self._out)
                    continue
                del self._unsent[: os.write(self._out, bytes(self._unsent[:_SURE]))]

    async def request(self, body: Json, request_id: str = "") -> Json:
        """Ask the program and wait for its answer; cancelled, it is told so.

        Raises:
            Refused: it answered with an error, or cannot answer any more.
        """
        request_id = request_id or f"h_{uuid4().hex[:16]}"
        event, box = self._open[request_id] = anyio.Event(), []
        try:
            if self._ended:
                self._end()
            else:
                await self.send({"type": "control_request", "request_id": request_id, "request": body})
            await event.wait()
        except anyio.get_cancelled_exc_class():
            with anyio.CancelScope(shield=True):
                await self.cancel(request_id)
            raise
        finally:
            del self._open[request_id]
        response = box[0]
        if response.get("subtype") != "success":
            raise Refused(str(response.get("error") or "it answered with an error"))
        payload = response.get("response")
        return payload if isinstance(payload, dict) else {}

    async def cancel(self, request_id: str) -> None:
        """Tell the program that nobody waits for its answer any more."""
        with anyio.move_on_after(1):
            await self.send({"type": "control_cancel_request", "request_id": request_id})

    def answered(self, response: Json) -> None:
        """An answer has come; one that nobody waits for is dropped."""
        event, box = self._open.get(str(response.get("request_id")), (None, []))
        if event is not None and not box:
            box.append(response)
            event.set()


def _title(value: Json) -> str:
    inner = value.get("request") or value.get("response") or {}
    words = (value.get("type"), value.get("subtype") or (inner.get("subtype") if isinstance(inner, dict) else None))
    return f"{time.time():.3f} " + " ".join(str(word) for word in words if word)


def shortened(value: Json, limit: int) -> Json:
    """`value` with its longest texts cut, so that its line is no longer than `limit` characters."""
    longest = limit // 2
    while longest > 100:
        cut: Json = _cut(value, longest)
        if len(codec.line(cut)) <= limit:
            return cut
        longest //= 2
    kept: Json = {key: value[key] for key in ("type", "subtype", "session_id", "uuid") if key in value}
    return {**kept, "truncated": True}


def _cut(value: Any, longest: int) -> Any:
    if isinstance(value, str) and len(value) > longest:
        return f"{value[:longest]}... ({len(value) - longest} more characters were cut)"
    if isinstance(value, dict):
        return {key: _cut(item, longest) for key, item in value.items()}
    return [_cut(item, longest) for item in value] if isinstance(value, list | tuple) else value
