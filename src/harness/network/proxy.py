"""The proxy that a command's programs go through: one `Passage` for each command, with a token and a log.

It accepts on a listener that stands in the sandbox's network namespace, and connects from ours.
"""

import secrets
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial

import anyio

from harness.network import head, hello, reach
from harness.network.contact import Contact
from harness.network.gate import Gate
from harness.network.head import Asked, BadHead
from harness.network.hosts import Refused
from harness.network.wire import Flow, receive, relay, send

_PATIENCE = 30.0  # seconds for a whole head
_MOST = 256  # connections of one command at a time
_LISTED = 10  # refused hosts that are told one by one
_QUESTIONS = 20  # hosts that one command can have asked about
_DENIALS = 100  # refused hosts that are listed
_HELD = b"HTTP/1.1 200 Connection established\r\n\r\n"


class Passage:
    """One command's way out, for as long as it runs."""

    def __init__(self, gate: Gate) -> None:
        self.token = secrets.token_hex(16)
        self.address = ("127.0.0.1", next(gate.ports))
        self.allowed: dict[str, None] = {}  # HOST:PORT, in order
        self.refused: dict[str, str] = {}  # HOST:PORT and why
        self.faults: list[BaseException] = []  # errors of ours: a test demands that there are none
        self.wake: Callable[[], None] = _nothing  # called when there are new contacts
        self._gate = gate
        self._contacts: list[Contact] = []
        self._shown: dict[bool, set[str]] = {False: set(), True: set()}  # places asked about, and refused
        self._scopes: set[anyio.CancelScope] = set()
        self._open, self._closed = 0, False
        self._questions, self._since, self._waited = 0, 0.0, 0.0

    @property
    def environment(self) -> Mapping[str, str]:
        """What makes programs use it. Only this machine's own name goes past it, and leads nowhere."""
        url = f"http://harness:{self.token}@{self.address[0]}:{self.address[1]}"
        variables = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"), url)
        variables["NO_PROXY"] = "localhost,127.0.0.1,::1"
        return {**variables, **{name.lower(): value for name, value in variables.items()}, "NODE_USE_ENV_PROXY": "1"}

    @property
    def waited(self) -> float:
        """Seconds in which a question to the person was open: no time-out of the command counts them."""
        return self._waited + (time.monotonic() - self._since if self._questions else 0.0)

    def contacts(self) -> list[Contact]:
        """What has come up since the last call: questions to put, and refusals to list."""
        found, self._contacts = self._contacts, []
        return found

    @property
    def notes(self) -> list[str]:
        """What was refused, for the model and the person."""
        told = [f"blocked: connection to {place}; {why}" for place, why in list(self.refused.items())[:_LISTED]]
        more = len(self.refused) - _LISTED
        return [*told, f"blocked: connections to {more} more hosts"] if more > 0 else told

    def serve(self, listener: socket.socket) -> None:
        """Accept from now on, until `close`. Takes the listener over."""
        listener.setblocking(False)
        self._gate.start(partial(self._accept, listener))

    def close(self) -> None:
        self._closed = True
        for scope in list(self._scopes):
            scope.cancel()

    async def _accept(self, listener: socket.socket) -> None:
        with listener, anyio.CancelScope() as scope:
            self._scopes.add(scope)
            while True:
                try:
                    client, _ = listener.accept()
                except BlockingIOError:
                    await anyio.wait_readable(listener)
                    continue
                except OSError:
                    await anyio.sleep(0.1)  # out of descriptors, for now
                    continue
                if self._open >= _MOST:
                    client.close()
                    continue
                client.setblocking(False)
                self._open += 1
                self._gate.start(partial(self._guarded, client))

    async def _guarded(self, client: socket.socket) -> None:
        with client, anyio.CancelScope() as scope:
            self._scopes.add(scope)
            try:
                if not self._closed:
                    await self._answer(client)
            except OSError:
                pass  # the other side is gone
            except Exception as error:  # noqa: BLE001  what a command sends must not end the session
                self.faults.append(error)
            finally:
                self._scopes.discard(scope)
                self._open -= 1

    async def _answer(self, client: socket.socket) -> None:
        place = ""
        try:
            asked, rest = await self._read(client)
            place = f"{asked.host}:{asked.port}" if asked.port not in (80, 443) else str(asked.host)
            server = await self._connect(asked)
        except BadHead as bad:
            await _say(client, bad.status, str(bad))
        except Refused as refused:
            if place:
                self.refused.setdefault(place, str(refused))
            await _say(client, "403 Forbidden", f"blocked: connection to {place or 'that host'}; {refused}")
        else:
            self.allowed.setdefault(place)
            with server:
                await self._pass(client, server, asked, rest, place)

    async def _read(self, client: socket.socket) -> tuple[Asked, bytes]:
        data = b""
        with anyio.fail_after(_PATIENCE):
            while b"\r\n\r\n" not in data:
                if len(data) > head.LONGEST:
                    raise BadHead("431 Request Header Fields Too Large", "the head is longer than 64 KiB")
                piece = await receive(client, 16 << 10)
                if not piece:
                    raise BadHead("400 Bad Request", "the head breaks off")
                data += piece
        end = data.index(b"\r\n\r\n") + 4
        asked = head.parse(data[:end])
        if not secrets.compare_digest(asked.token, self.token):
            raise BadHead("407 Proxy Authentication Required", "use the proxy's address as the environment has it")
        return asked, data[end:]

    async def _connect(self, asked: Asked) -> socket.socket:
        with self._waiting():
            may_ask = len(self._shown[False]) < _QUESTIONS
            await self._gate.admit(asked.host, asked.port, self._show, may_ask=may_ask)
        addresses = await reach.addresses(asked.host, self._gate.wire.resolve)
        return await self._gate.wire.connect(addresses, asked.port)

    def _show(self, contact: Contact) -> None:
        """A question each time, a refusal once for each host: a command can try as often as it likes."""
        shown = self._shown[contact.refused]
        if contact.refused and (contact.place in shown or len(shown) >= _DENIALS):
            return
        shown.add(contact.place)
        self._contacts.append(contact)
        self.wake()

    @contextmanager
    def _waiting(self) -> Iterator[None]:
        if not self._questions:
            self._since = time.monotonic()
        self._questions += 1
        try:
            yield
        finally:
            self._questions -= 1
            if not self._questions:
                self._waited += time.monotonic() - self._since

    async def _pass(self, client: socket.socket, server: socket.socket, asked: Asked, rest: bytes, place: str) -> None:
        down = Flow(server, client)
        if asked.tunnel:
            await send(client, _HELD)
            up = Flow(client, server, examine=_Examined(asked))
            up.waiting = up.examine(rest) if up.examine and rest else b""
        else:
            await send(server, asked.sent)
            taken = rest[: asked.body]
            up = Flow(client, server, waiting=taken, left=asked.body - len(taken))
        try:
            await relay(up, down)
        except Refused as refused:
            self.refused.setdefault(place, str(refused))


class _Examined:
    """Holds a tunnel's first bytes back until they have said, if it is TLS, for which server they are."""

    def __init__(self, asked: Asked) -> None:
        self._asked, self._held, self._done = asked, b"", False

    def __call__(self, data: bytes) -> bytes:
        if self._done:
            return data
        self._held += data
        if (found := hello.read(self._held)) is None:
            return b""
        hello.check(found, self._asked.host)
        self._done = True
        return self._held


async def _say(client: socket.socket, status: str, text: str) -> None:
    body = f"{text}\n".encode("ascii", "backslashreplace")
    more = 'Proxy-Authenticate: Basic realm="harness"\r\n' if status.startswith("407") else ""
    lines = f"HTTP/1.1 {status}\r\n{more}Content-Type: text/plain\r\nContent-Length: {len(body)}\r\n"
    await send(client, lines.encode("ascii") + b"Connection: close\r\n\r\n" + body)
    client.shutdown(socket.SHUT_WR)
    with anyio.move_on_after(1):  # closed with bytes unread, the answer could be lost
        for _ in range(64):
            if not await receive(client):
                return


def _nothing() -> None: ...
