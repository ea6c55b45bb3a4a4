"""A server that says raw bytes: what real servers do wrong, and when."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from harness.messages import Text, User
from harness.providers import Options
from harness.providers.chat import ChatProvider
from harness.providers.port import MessageEnd, ModelEvent, Request

Say = Callable[["Asked", asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Asked:
    """One request as it came in."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class RawServer:
    """Answers the n-th request by the n-th of `says`, the last one for ever."""

    says: list[Say]
    port: int = 0
    keep_alive: bool = False
    connections: int = 0
    asked: list[Asked] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            await self.answer(reader, writer)
            while self.keep_alive:
                await self.answer(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the client went away, as some tests make it
        finally:
            writer.close()

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in head[1:]) if k}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        self.asked.append(Asked(head[0].split()[1], headers, body))
        say = self.says[min(len(self.asked), len(self.says)) - 1]
        await say(self.asked[-1], writer)


@asynccontextmanager
async def serving(*says: Say, keep_alive: bool = False) -> AsyncIterator[RawServer]:
    raw = RawServer(list(says), keep_alive=keep_alive)
    server = await asyncio.start_server(raw.handle, "127.0.0.1", 0)
    raw.port = server.sockets[0].getsockname()[1]
    try:
        yield raw
    finally:
        server.close()
        server.close_clients() if hasattr(server, "close_clients") else None
        await server.wait_closed()


def raw(data: bytes) -> Say:
    """These bytes, then the connection closes."""

    async def say(_asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(data)
        await writer.drain()

    return say


def answer(body: bytes | str, status: int = 200, kind: str = "application/json", **headers: str) -> Say:
    data = body.encode() if isinstance(body, str) else body
    lines = [f"HTTP/1.1 {status} X", f"content-type: {kind}", f"content-length: {len(data)}", "connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return raw("\r\n".join(lines).encode() + b"\r\n\r\n" + data)


STREAM_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"


def event(delta: dict[str, Any], finish: str | None = None, **more: Any) -> bytes:
    chunk = {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}], **more}
    return b"data: " + json.dumps(chunk).encode() + b"\n\n"


def stream(*deltas: dict[str, Any], finish: str | None = "stop", done: bool = True) -> Say:
    """A whole answer; with `finish` None and `done` False it breaks off."""
    events = [event(delta) for delta in deltas]
    events += [event({}, finish)] if finish else []
    return raw(STREAM_HEAD + b"".join(events) + (b"data: [DONE]\n\n" if done else b""))


HELLO = stream({"content": "Hello"})


def silent(seconds: float, first: bytes = b"") -> Say:
    """Says `first`, then nothing for a time."""

    async def say(_asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(first)
        await writer.drain()
        await asyncio.sleep(seconds)

    return say


def error(status: int, message: str, **headers: str) -> Say:
    return answer(json.dumps({"error": {"message": message}}), status, **headers)


class Clock:
    """Sleeps in no time, and keeps how long it should have slept."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


READ = {
    "type": "function",
    "function": {
        "name": "Read",
        "description": "Read a file.",
        "parameters": {
            "type": "object",
            "properties": {"path": {"type": "string"}, "limit": {"type": "integer"}},
            "required": ["path"],
        },
    },
}
TOOLS = json.dumps([READ]).encode()


def request(*messages: Any, **more: Any) -> Request:
    history = messages or (User((Text("Hi"),)),)
    return Request("r1", more.pop("system", "Be brief."), list(history), **more)


def provider(url: str, clock: Clock | None = None, **options: Any) -> ChatProvider:
    sleep = (clock or Clock()).sleep
    return ChatProvider(Options(**options), url, "m", sleep=sleep, dice=lambda: 0.5)


async def ask(asked: ChatProvider, what: Request | None = None) -> list[ModelEvent]:
    """All events of one answer; the provider is closed."""
    try:
        return [event async for event in asked.stream(what or request())]
    finally:
        await asked.aclose()


def text_of(events: list[ModelEvent]) -> str:
    last = events[-1]
    assert isinstance(last, MessageEnd)
    return last.message.text
