"""A sandboxed command's way to the network: the proxy's listener, placed in its namespace before it begins.

bwrap is started so that it tells its child's process id and waits (`--info-fd`, `--block-fd`); a child of ours
(`inside.py`) enters that namespace and hands a listener out; then the command may begin. Nothing of ours is inside.
"""

import contextlib
import dataclasses
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import anyio

from harness.errors import SandboxUnavailable
from harness.network.contact import Contact
from harness.network.gate import Gate
from harness.network.proxy import Passage
from harness.sandbox.launch import Launch

_INSIDE = Path(__file__).with_name("inside.py")
_PATIENCE = 20.0  # seconds for bwrap and for our child, on a loaded machine


class ProxyWay:
    """Made before the launch (`environment`, `launch`), entered once bwrap runs, left at the command's end.

    `wake` becomes readable when there are contacts.
    """

    def __init__(self, gate: Gate) -> None:
        self.passage = Passage(gate)
        self.environment = self.passage.environment
        self._open: set[int] = set()
        self._stack = contextlib.ExitStack()
        self._stack.callback(self.passage.close)
        self._info, self._info_end = self._pipe()
        self._block_end, self._block = self._pipe()
        self.wake, self._waker = self._pipe()
        self.passage.wake = self._wake
        for number in (self._info, self.wake, self._waker):
            os.set_blocking(number, False)
        self._channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._stack.enter_context(self._channel)
        with theirs:  # started now: it gets ready while bwrap does
            self._child = subprocess.Popen(
                [sys.executable, "-I", "-S", str(_INSIDE), str(theirs.fileno()), *map(str, self.passage.address)],
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env={},
            )
        self._stack.callback(self._reap)

    def __enter__(self) -> "ProxyWay":
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def launch(self, launch: Launch) -> Launch:
        """The same start of bwrap, waiting for us. Raises SandboxUnavailable where it is not bwrap that starts."""
        if "--args" not in launch.argv:
            raise SandboxUnavailable(
                "Only bubblewrap can give commands a network of listed hosts.",
                "Leave --allow-domain and --network proxy away; `harness doctor` says what is missing.",
            )
        at = launch.argv.index("--args")
        words = ["--info-fd", str(self._info_end), "--block-fd", str(self._block_end)]
        return dataclasses.replace(
            launch,
            argv=[*launch.argv[:at], *words, *launch.argv[at:]],
            descriptors=(*launch.descriptors, self._info_end, self._block_end),
            way=self,
        )

    async def enter(self) -> None:
        """Place the listener, serve it, and let the command begin. Raises SandboxUnavailable."""
        self._close(self._info_end)
        self._close(self._block_end)
        pid = await self._child_pid()
        if pid is None:
            return  # bwrap has failed, and says why itself
        self._channel.setblocking(False)
        self._channel.send(str(pid).encode())
        with anyio.move_on_after(_PATIENCE):
            await anyio.wait_readable(self._channel)
        try:
            said, numbers, _, _ = socket.recv_fds(self._channel, 1000, 1)
        except BlockingIOError:
            said, numbers = b"no answer", []
        if not numbers:
            if not os.path.exists(f"/proc/{pid}/ns/net"):  # noqa: ASYNC240, PTH110  no disk
                return  # bwrap has failed meanwhile
            raise SandboxUnavailable(
                f"The proxy cannot listen in the sandbox: {said.decode('utf-8', 'replace') or 'its helper ended'}.",
                "Run without --allow-domain and --network proxy, and report this.",
            )
        self.passage.serve(socket.socket(fileno=numbers[0]))
        os.write(self._block, b"x")

    @property
    def waited(self) -> float:
        return self.passage.waited

    @property
    def notes(self) -> list[str]:
        return self.passage.notes

    def contacts(self) -> list[Contact]:
        with contextlib.suppress(BlockingIOError):
            os.read(self.wake, 4096)
        return self.passage.contacts()

    async def _child_pid(self) -> int | None:
        data = b""
        with anyio.move_on_after(_PATIENCE):
            while True:
                try:
                    piece = os.read(self._info, 4096)
                except BlockingIOError:
                    await anyio.wait_readable(self._info)
                    continue
                data += piece
                if not piece or b"}" in data:
                    break
        try:
            return int(json.loads(data)["child-pid"])
        except (ValueError, KeyError):
            return None

    def _wake(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.write(self._waker, b"x")

    def _pipe(self) -> tuple[int, int]:
        read, write = os.pipe()
        self._stack.callback(self._close, read)
        self._stack.callback(self._close, write)
        self._open.update((read, write))
        return read, write

    def _close(self, number: int) -> None:
        if number in self._open:
            self._open.remove(number)
            os.close(number)

    def _reap(self) -> None:
        self._child.kill()
        self._child.wait()
