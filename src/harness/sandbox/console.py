"""A command at a terminal: it gets a terminal of its own, and ours is only passed through.

The sandbox begins a new session, so that no command can push input into the person's terminal. A shell with job
control needs a terminal all the same: a new one, made here, whose controlling process is in the sandbox.
"""

import fcntl
import os
import select
import shutil
import signal
import struct
import subprocess
import sys
import termios
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from harness.sandbox.launch import Launch

_SIZE = struct.Struct("HHHH")


def leader() -> list[str]:
    """Words before a command that make its terminal the controlling one; none where there is no `setsid`."""
    program = shutil.which("setsid", path="/usr/bin:/bin")
    return [program, "-c", "-w"] if program else []


def at_terminal() -> bool:
    return sys.platform == "linux" and os.isatty(0) and os.isatty(1)


def run(launch: Launch) -> int:
    """The command's status, as `subprocess` has it, with this process's terminal as its own."""
    ours, theirs = os.openpty()
    with _passing(ours):
        process = subprocess.Popen(launch.argv, stdin=theirs, stdout=theirs, stderr=theirs, **launch.start)
        os.close(theirs)
        try:
            _pump(ours, process)
        finally:
            process.kill()
            status = process.wait()
            os.close(ours)
    return status


def _pump(ours: int, process: "subprocess.Popen[bytes]") -> None:
    """Both ways until the other side is closed by all who have it, or the command has ended."""
    readable = [0, ours]
    while True:
        ready, _, _ = select.select(readable, [], [], 0.2)
        if ours in ready:
            try:
                data = os.read(ours, 1 << 16)
            except OSError:
                break  # EIO: nobody has the other side any more
            if not data:
                break
            _write(1, data)
        elif process.poll() is not None:
            return
        if 0 in ready:
            data = os.read(0, 1 << 12)
            if data:
                _write(ours, data)
            else:
                readable = [ours]
    process.wait()


def _write(number: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(number, view) :]


@contextmanager
def _passing(ours: int) -> Iterator[None]:
    """Our terminal raw, and its size the other's, also when it changes."""

    def resize(_signal: int = 0, _frame: FrameType | None = None) -> None:
        fcntl.ioctl(ours, termios.TIOCSWINSZ, fcntl.ioctl(0, termios.TIOCGWINSZ, bytes(_SIZE.size)))

    before, handler = termios.tcgetattr(0), signal.getsignal(signal.SIGWINCH)
    resize()
    signal.signal(signal.SIGWINCH, resize)
    tty.setraw(0, termios.TCSADRAIN)  # what was typed meanwhile is kept
    try:
        yield
    finally:
        termios.tcsetattr(0, termios.TCSADRAIN, before)
        signal.signal(signal.SIGWINCH, handler)
