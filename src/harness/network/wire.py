"""Sockets without streams: dialling a checked address, and passing bytes both ways in one task."""

import selectors
import socket
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import anyio

from harness.network.hosts import Refused
from harness.network.reach import Resolve, system_resolver

_CONNECT = 15.0  # seconds for one address
_IDLE = 900.0  # seconds without a byte in either direction
_CHUNK = 1 << 17
Dial = Callable[[str, int], Awaitable[socket.socket]]


async def system_dial(address: str, port: int) -> socket.socket:
    """A connected, non-blocking socket. `address` has been checked. Raises OSError."""
    made = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
    try:
        made.setblocking(False)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            made.connect((address, port))
        except BlockingIOError:
            with anyio.fail_after(_CONNECT):
                await anyio.wait_writable(made)
        if error := made.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            raise OSError(error, f"cannot connect to {address}")
    except BaseException:
        made.close()
        raise
    return made


@dataclass(frozen=True, slots=True)
class Wire:
    """How names become addresses and addresses connections: the machine's own way, or a test's."""

    resolve: Resolve = system_resolver
    dial: Dial = system_dial

    async def connect(self, addresses: tuple[str, ...], port: int) -> socket.socket:
        """The first address that answers. Raises Refused."""
        failure: OSError | None = None
        for address in addresses:
            try:
                return await self.dial(address, port)
            except OSError as error:  # TimeoutError is one
                failure = error
        raise Refused(f"no connection to {', '.join(addresses)} on port {port}: {failure or 'no address'}")


async def receive(sock: socket.socket, most: int = _CHUNK) -> bytes:
    """What is there, or b'' at the end. Raises OSError."""
    while True:
        try:
            return sock.recv(most)
        except BlockingIOError:
            await anyio.wait_readable(sock)


async def send(sock: socket.socket, data: bytes) -> None:
    """All of it. Raises OSError."""
    view = memoryview(data)
    while view:
        try:
            view = view[sock.send(view) :]
        except BlockingIOError:
            await anyio.wait_writable(sock)


@dataclass(slots=True)
class Flow:
    """One direction. `examine` gets each piece and gives what may pass on now; `left` bounds what is taken."""

    source: socket.socket
    sink: socket.socket
    waiting: bytes = b""
    examine: Callable[[bytes], bytes] | None = None
    left: int | None = None
    ended: bool = field(default=False)
    shut: bool = field(default=False)

    @property
    def reads(self) -> bool:
        return not self.ended and not self.waiting and self.left != 0

    def take(self) -> None:
        data = self.source.recv(_CHUNK if self.left is None else min(_CHUNK, self.left))
        if not data:
            self.ended = True
            return
        if self.left is not None:
            self.left -= len(data)
        self.waiting = self.examine(data) if self.examine else data

    def give(self) -> None:
        self.waiting = self.waiting[self.sink.send(self.waiting) :]

    def finish(self) -> None:
        """Pass the end on, once."""
        if self.ended and not self.waiting and not self.shut:
            self.shut = True
            try:
                self.sink.shutdown(socket.SHUT_WR)
            except OSError:
                pass  # gone already


async def relay(up: Flow, down: Flow) -> None:
    """Pass bytes both ways until `down` has ended, or both are silent for long. Raises OSError and what `examine` does.

    One task and one selector for both sockets: its own descriptor is what the event loop waits for.
    """
    with selectors.DefaultSelector() as watch:
        heard = time.monotonic()
        while True:
            for flow in (up, down):
                flow.finish()
            if down.shut or time.monotonic() - heard >= _IDLE:
                return
            _register(watch, up.source, reads=up.reads, writes=bool(down.waiting))
            _register(watch, up.sink, reads=down.reads, writes=bool(up.waiting))
            with anyio.move_on_after(_IDLE):
                await anyio.wait_readable(watch.fileno())
            for key, events in watch.select(0):
                heard = time.monotonic()
                outward, inward = (up, down) if key.fileobj is up.source else (down, up)
                try:
                    if events & selectors.EVENT_READ:
                        outward.take()
                    if events & selectors.EVENT_WRITE:
                        inward.give()
                except BlockingIOError:
                    pass


def _register(watch: selectors.BaseSelector, sock: socket.socket, *, reads: bool, writes: bool) -> None:
    wanted = (selectors.EVENT_READ if reads else 0) | (selectors.EVENT_WRITE if writes else 0)
    known = watch.get_map().get(sock)
    if known is None:
        if wanted:
            watch.register(sock, wanted)
    elif not wanted:
        watch.unregister(sock)
    elif known.events != wanted:
        watch.modify(sock, wanted)
