"""The scripted endpoint: a real HTTP/1.1 server on loopback that speaks chat completions.

    async with serve(script) as server: ...     in a program that runs asyncio
    with running(script) as server: ...         anywhere else: the server has a thread of its own

`server.url` is the base URL to give to a client, `server.requests` what came, `server.failures` what was wrong.
"""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any

from harness.scripted import wire
from harness.scripted.chat import Chat, Malformed
from harness.scripted.http1 import HEAD_LIMIT, BadRequest, Broken, Connection
from harness.scripted.play import Play, Refused, Turn
from harness.scripted.script import Script, Step

JSON = "application/json"
SSE = "text/event-stream; charset=utf-8"


@dataclass(slots=True)
class Received:
    """A request and what became of it. Times are `time.monotonic()` seconds, `sent` that of the last byte out.

    `step` is the name of the step that answered, None where none did; `status` is None where no answer went out.
    """

    method: str
    path: str
    headers: Mapping[str, str]
    arrived: float
    raw: bytes = b""
    step: str | None = None
    status: int | None = None
    sent: float | None = None
    chat: Chat | None = None

    @property
    def body(self) -> dict[str, Any]:
        """The parsed body of a well-formed chat request, else an empty one."""
        return self.chat.body if self.chat else {}

    @property
    def messages(self) -> list[dict[str, Any]]:
        return self.chat.messages if self.chat else []


class UnknownModel(ValueError):
    """A model name that the script's `models` do not have."""


class Server:
    """A script being served. `requests` and `failures` grow as requests come; `all` has model lists and probes too."""

    def __init__(self, script: Script) -> None:
        self.url = ""
        self.all: list[Received] = []
        self.failures: list[str] = []
        self._script = script
        self._play = Play(script)
        self._connections: set[asyncio.Task[None]] = set()

    @property
    def requests(self) -> list[Received]:
        """Chat requests, in the order they came."""
        return [received for received in self.all if received.path.endswith("/chat/completions")]

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One client, until it or the script closes."""
        task = asyncio.current_task()
        assert task is not None  # noqa: S101  a connection is served by a task: asyncio.start_server makes it
        self._connections.add(task)
        client, broken = Connection(reader, writer), False
        try:
            while await self._exchange(client):
                pass
        except (Broken, ConnectionError, asyncio.CancelledError):
            broken = True  # cancelled: by `hang_up`, and this task has nothing else to do
        finally:
            self._connections.discard(task)
            await client.close(broken=broken)

    async def hang_up(self) -> None:
        """End every connection and wait until each has ended."""
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _exchange(self, client: Connection) -> bool:
        """Read a request and answer it; whether the connection goes on."""
        try:
            head = await client.read_head()
            if head is None:
                return False
            received = Received(head.method, head.path, head.headers, time.monotonic())
            self.all.append(received)
            received.raw = await client.read_body(head)
        except BadRequest as error:
            await client.send(400, wire.error_body(400, str(error)), {"content-type": JSON, "connection": "close"})
            return False
        if plain := self._plain_answer(received):
            received.status, body = plain
            await client.send(received.status, body, {"content-type": JSON})
        else:
            await self._chat(received, client)
        received.sent = time.monotonic()
        return head.keeps_alive

    def _plain_answer(self, received: Received) -> tuple[int, bytes] | None:
        """Status and body of every answer that no step gives; None for a chat request let in."""
        key, method = self._script.api_key, received.method
        if key is not None and received.headers.get("authorization") != f"Bearer {key}":
            return 401, wire.error_body(401, "Incorrect API key provided.", "authentication_error")
        if method == "GET" and received.path.endswith("/models"):
            return 200, wire.models_body(self._script)
        if method == "POST" and received.path.endswith("/chat/completions"):
            return None
        return 404, wire.error_body(404, f"no {method} {received.path} here")

    async def _chat(self, received: Received, client: Connection) -> None:
        try:
            chat = received.chat = Chat(received.raw, received.headers)
            models = self._script.models
            if models is not None and chat.body["model"] not in models:
                raise UnknownModel(f"The model `{chat.body['model']}` does not exist.")
            turn = self._play.answer(chat)
        except UnknownModel as error:
            received.status = 404
            await client.send(404, wire.error_body(404, str(error), "model_not_found"), {"content-type": JSON})
        except (Malformed, Refused) as error:
            self.failures.append(str(error))
            received.status = 400
            await client.send(400, wire.error_body(400, str(error)), {"content-type": JSON})
        else:
            received.step = turn.step.name
            await _perform(turn, chat, received, client)


async def _perform(turn: Turn, chat: Chat, received: Received, client: Connection) -> None:
    """Answer as the step says, faults and all."""
    http, pace = turn.step.http, turn.step.pace
    if http.drop:
        raise Broken
    if http.silence:
        await client.gone()
        raise Broken
    await asyncio.sleep(pace.first_byte)
    if http.replaces_answer:
        body = (turn.body or "").encode() if turn.error is None else wire.error_body(http.status, turn.error)
        kind, parts = JSON, iter([body])
    elif chat.body.get("stream"):
        kind, parts = SSE, wire.events(turn, chat)
    else:
        kind, parts = JSON, iter([wire.completion(turn, chat)])
    client.start(http.status, {"content-type": http.content_type or kind, **http.headers})
    received.status = http.status
    await _send_body(turn.step, _split(parts, pace.bytes), client)


async def _send_body(step: Step, parts: Iterable[bytes], client: Connection) -> None:
    """Send the body in chunks, up to the byte where the script closes or stalls."""
    stops = [stop for stop in (step.http.close_after, step.http.stall_after) if stop is not None]
    left = min(stops, default=None)
    for part in parts:
        data = part if left is None else part[:left]
        if data:
            await client.send_chunk(data)
        if left is not None:
            left -= len(data)
            if left == 0:
                break
        if step.pace.between:
            await asyncio.sleep(step.pace.between)
    if left != 0:
        await client.send_chunk(b"")
        return
    await client.flush()
    if step.http.stall_after is not None and step.http.stall_after == min(stops):
        await client.gone()
    raise Broken


def _split(parts: Iterable[bytes], size: int | None) -> Iterable[bytes]:
    """The same bytes in pieces of `size`, whatever lines and characters that cuts through."""
    if size is None:
        return parts
    whole = b"".join(parts)
    return (whole[start : start + size] for start in range(0, len(whole), size))


@asynccontextmanager
async def serve(script: Script, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[Server]:
    """Serve `script` while the block runs; port 0 takes a free one.

    Raises:
        OSError: the address cannot be used.
    """
    server = Server(script)
    listener = await asyncio.start_server(server.connected, host, port, limit=HEAD_LIMIT)
    address = listener.sockets[0].getsockname()
    name = f"[{address[0]}]" if ":" in address[0] else address[0]
    server.url = f"http://{name}:{address[1]}/v1"
    try:
        yield server
    finally:
        listener.close()
        await server.hang_up()
        await listener.wait_closed()


@contextmanager
def running(script: Script, host: str = "127.0.0.1", port: int = 0) -> Iterator[Server]:
    """`serve` in a thread of its own, for programs and tests that do not run asyncio.

    Raises:
        OSError: the address cannot be used.
    """
    ready = threading.Event()
    found: list[Server] = []
    errors: list[OSError] = []
    ends: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    async def main() -> None:
        end = asyncio.Event()
        ends.append((asyncio.get_running_loop(), end))
        async with serve(script, host, port) as server:
            found.append(server)
            ready.set()
            await end.wait()

    def thread_main() -> None:
        try:
            asyncio.run(main())
        except OSError as error:
            errors.append(error)
            ready.set()

    thread = threading.Thread(target=thread_main, name="scripted endpoint", daemon=True)
    thread.start()
    ready.wait()
    try:
        if errors:
            raise errors[0]
        yield found[0]
    finally:
        if not errors:
            loop, end = ends[0]
            loop.call_soon_threadsafe(end.set)
        thread.join()
