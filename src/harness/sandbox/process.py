"""Run what a `Launch` describes: live output, bounded memory, and nothing left behind however it ends.

One selector watches the output pipe and the process itself, so that a background child which keeps the pipe open
cannot keep us waiting; the selector's own descriptor is what the event loop waits for.
"""

import math
import os
import selectors
import subprocess
import sys
import threading
import time
from collections.abc import AsyncGenerator
from contextlib import ExitStack, aclosing, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import anyio

from harness.network.contact import Contact
from harness.sandbox import reaper
from harness.sandbox.capture import Capture
from harness.sandbox.launch import Launch
from harness.sandbox.leash import Leash
from harness.sandbox.outcome import Progress

CHUNK = 1 << 18
PROGRESS_INTERVAL = 0.1  # seconds between two pieces of live output
HEARTBEAT = 5.0  # seconds between two signs of life of a command that prints nothing
PROGRESS_BOUND = 8 << 10  # bytes of live output in one piece: a flood shows its end
OUTPUT_CAP = 5 << 30
LOOK_INTERVAL = 0.1  # seconds between two looks of what watches a command that is busy
LAST_WORDS = 0.5  # seconds for output that is still on its way when the command has ended
_LINUX = sys.platform.startswith("linux")  # a variable: a type checker follows both branches
_STEP = 16  # reads before the event loop gets a turn


@dataclass(slots=True)
class Ran:
    """`status` as subprocess has it: negative for a signal. `elapsed` in seconds. `running`: what the time-out
    found at work, as command lines. `outlasts`: it has not ended, only its time has."""

    capture: Capture
    status: int = 0
    elapsed: float = 0.0
    timed_out: bool = False
    flooded: bool = False
    outlasts: bool = False
    running: tuple[str, ...] = field(default=())


class Watch(Protocol):
    """Something else that can end a command: asked when its descriptor is readable, with the process's number."""

    def fileno(self) -> int: ...

    def look(self, leader: int) -> bool: ...


async def run(
    launch: Launch, saved: Path, *, timeout: float, watch: Watch | None = None
) -> AsyncGenerator[Progress | Contact | Ran, None]:
    """Start it, and yield live output and at last one `Ran`. Closing or cancelling it kills everything first.

    `timeout` is in seconds. Raises OSError where the program cannot be started.
    """
    with ExitStack() as stack:
        command = start(launch, stack)
        async with aclosing(follow(command, launch, saved, timeout=timeout, watch=watch)) as items:
            async for item in items:
                yield item


async def follow(
    command: "Command",
    launch: Launch,
    saved: Path,
    *,
    timeout: float,
    watch: Watch | None = None,
    outlast: bool = False,
) -> AsyncGenerator[Progress | Contact | Ran, None]:
    """`run` for what was started before; `elapsed` counts from here.

    With `outlast` the time-out kills nothing: then there is a `Ran` that `outlasts`, and the stream goes on.
    """
    way = launch.way
    began = time.monotonic()
    ran, pending = Ran(Capture(saved)), bytearray()
    with ExitStack() as stack:
        stack.callback(ran.capture.close)
        if watch:
            command.watch.register(watch.fileno(), selectors.EVENT_READ, watch)
            command.watcher = watch
        try:
            if way:
                await way.enter()
                command.watch.register(way.wake, selectors.EVENT_READ)
            shown, live = began, False
            while (left := began + timeout + (way.waited if way else 0) - time.monotonic()) > 0 or outlast:
                if left <= 0:
                    outlast, timeout = False, math.inf
                    yield _outlasting(ran, command, began)
                    ran.outlasts, ran.running = False, ()
                    continue
                ended = await command.ready(min(left, PROGRESS_INTERVAL if pending else HEARTBEAT))
                for contact in way.contacts() if way else ():
                    yield contact
                command.drain(ran.capture, pending)
                ran.flooded = ran.capture.total > OUTPUT_CAP
                if ended or ran.flooded or command.broken:
                    break
                if time.monotonic() - shown >= (PROGRESS_INTERVAL if pending else HEARTBEAT):
                    shown, live = time.monotonic(), True
                    yield _progress(ran.capture, pending)
            else:
                ran.timed_out, ran.running = True, reaper.running(command.process.pid)
        finally:
            if watch:
                command.watch.unregister(watch.fileno())
                command.watcher = None
            with anyio.CancelScope(shield=True):
                await command.end(launch.mark, ran.capture, pending)
        if live and pending:  # who saw it live sees it to its end
            yield _progress(ran.capture, pending)
        ran.status, ran.elapsed = command.process.returncode, time.monotonic() - began
    yield ran


@dataclass(slots=True)
class Command:
    """A started process, its output pipe, and a selector over that pipe and the process's end."""

    process: "subprocess.Popen[bytes]"
    pipe: int
    exit: int
    watch: selectors.DefaultSelector
    open: bool = True
    watcher: "Watch | None" = None
    looked: float = 0.0
    broken: bool = False  # what watches it wants it ended

    async def ready(self, timeout: float) -> bool:
        """Wait for output or the end, at most `timeout` seconds; True at the end (not reaped yet)."""
        # epoll and kqueue have a descriptor that is itself readable when something they watch is.
        with anyio.move_on_after(timeout):
            await anyio.wait_readable(self.watch.fileno())
        events = self.watch.select(0)
        if self.watcher:
            # The kernel's word that a mount went is taken by whichever poll comes first, and the event loop's own is
            # one of them: a waking without a reason may be it.
            due = not events or any(key.data for key, _ in events) or time.monotonic() - self.looked > LOOK_INTERVAL
            if due:
                self.looked = time.monotonic()
                self.broken = self.watcher.look(self.process.pid)
        return any(key.fd == self.exit for key, _ in events)

    def drain(self, capture: Capture, pending: bytearray) -> None:
        """Take what is there, up to a bound; at the end of the stream, stop watching it."""
        for _ in range(_STEP if self.open else 0):
            try:
                data = os.read(self.pipe, CHUNK)
            except BlockingIOError:
                return
            if not data:
                self.open = False
                self.watch.unregister(self.pipe)
                return
            capture.feed(data)
            pending += data
            if len(pending) > PROGRESS_BOUND:
                del pending[:-PROGRESS_BOUND]

    async def end(self, mark: str, capture: Capture, rest: bytearray) -> None:
        """Kill what is left, wait until it is dead, and take its last words.

        The group is killed before its leader is reaped: until then its number is not given to another.
        """
        reaper.kill(self.process.pid, mark)
        while not await self.ready(LAST_WORDS):
            self.drain(capture, rest)
        self.process.wait()
        deadline = time.monotonic() + LAST_WORDS
        self.watch.unregister(self.exit)
        self.drain(capture, rest)
        while self.open and (left := deadline - time.monotonic()) > 0:
            await self.ready(left)
            self.drain(capture, rest)


def start(launch: Launch, stack: ExitStack) -> Command:
    """Start it; `stack` closes what belongs to it, once it has been ended. Raises OSError."""
    leash = stack.enter_context(closing(Leash(launch.mark))) if launch.mark else None
    read, write = os.pipe()
    stack.callback(os.close, read)
    try:
        os.set_blocking(read, False)
        if _LINUX:
            _widen(read)
        process = subprocess.Popen(
            launch.argv,
            stdin=subprocess.DEVNULL,
            stdout=write,
            stderr=write,
            start_new_session=True,
            **launch.start,
        )
    finally:
        os.close(write)
    if leash:
        leash.hold(process.pid)
    command = Command(process, read, _exit_descriptor(process, stack), stack.enter_context(selectors.DefaultSelector()))
    command.watch.register(read, selectors.EVENT_READ)
    command.watch.register(command.exit, selectors.EVENT_READ)
    return command


def _outlasting(ran: Ran, command: Command, began: float) -> Ran:
    ran.capture.live()
    ran.outlasts, ran.elapsed = True, time.monotonic() - began
    ran.running = reaper.running(command.process.pid)
    return ran


def _widen(pipe: int) -> None:
    import fcntl  # noqa: PLC0415  Linux alone has F_SETPIPE_SZ

    try:
        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, 1 << 20)
    except OSError:
        pass  # over the user's quota of pipe memory: slower, not wrong


def _exit_descriptor(process: "subprocess.Popen[bytes]", stack: ExitStack) -> int:
    """A descriptor that becomes readable when the process has ended."""
    if _LINUX:
        number = os.pidfd_open(process.pid)
        stack.callback(os.close, number)
        return number
    read, write = os.pipe()
    stack.callback(os.close, read)

    def wait() -> None:
        process.wait()
        os.close(write)

    threading.Thread(target=wait, daemon=True).start()
    return read


def _progress(capture: Capture, pending: bytearray) -> Progress:
    text = capture.decode(bytes(pending))
    pending.clear()
    return Progress(text, capture.total)
