"""Standard output that never makes the turn wait: what its reader does not take yet is kept, and pushed on meanwhile.

A reader that is slow gets everything; one that takes nothing is not waited for for ever.
"""

import asyncio
import os
import select
import stat
import time

from harness.errors import HarnessError

LIMIT = 64 << 20  # bytes that may wait for the reader; then the turn does
PATIENCE = 30.0  # seconds for the rest at the end, and for room in between (`conventions.md` 1.3)
_SURE = select.PIPE_BUF  # bytes that a pipe takes without blocking, once it can be written at all


class Stalled(Exception):
    """The reader has taken nothing for too long."""


class Outlet:
    """Writes to `descriptor` (None: there is none, and what is written is dropped)."""

    def __init__(self, descriptor: int | None, patience: float = PATIENCE) -> None:
        self._fd, self._patience = descriptor, patience
        # a regular file takes whatever it is given
        self._piece = 1 << 20 if descriptor is not None and stat.S_ISREG(os.fstat(descriptor).st_mode) else _SURE
        self._unsent = bytearray()
        self._watching = False
        self._error: OSError | None = None
        self.used = False  # something was written

    @property
    def failed(self) -> bool:
        """Whether nothing can be written any more."""
        return self._error is not None

    def _check(self) -> None:
        if isinstance(self._error, BrokenPipeError):
            raise self._error
        if self._error:
            why = self._error.strerror
            raise HarnessError(f"Standard output cannot be written: {why}.", "Write it elsewhere.")

    def write(self, text: str) -> None:
        """Raises BrokenPipeError where the reader is known to be gone, HarnessError where a disk takes no more."""
        self._check()
        self.used = True
        if self._fd is None:
            return
        # Lone surrogates (a model's, a file's name) must not end the run: they are written escaped.
        self._unsent += text.encode("utf-8", "backslashreplace")
        self._push()
        self._check()

    def _push(self) -> None:
        fd = self._fd
        try:
            while fd is not None and self._unsent and select.select((), (fd,), (), 0)[1]:
                del self._unsent[: os.write(fd, self._unsent[: self._piece])]
        except BlockingIOError:
            pass  # a socket that took less than it promised
        except OSError as error:
            self._error = error
            self._unsent.clear()
        self._watch()

    def _watch(self) -> None:
        wanted = bool(self._unsent) and self._fd is not None
        if wanted == self._watching or self._fd is None:
            return
        loop = asyncio.get_running_loop()
        if wanted:
            loop.add_writer(self._fd, self._push)
        else:
            loop.remove_writer(self._fd)
        self._watching = wanted

    async def room(self) -> None:
        """Wait while very much is unsent. Raises Stalled where the reader takes none of it."""
        await self._until(LIMIT, self._patience)

    async def drain(self) -> None:
        """Wait until all is with the reader, at most `patience` seconds.

        Raises:
            Stalled: the rest is dropped.
            BrokenPipeError, HarnessError: as `write`.
        """
        try:
            await self._until(0, self._patience)
        finally:
            self._unsent.clear()
            self._watch()
        self._check()

    async def _until(self, left: int, within: float) -> None:
        end = time.monotonic() + within
        while len(self._unsent) > left:
            if time.monotonic() > end:
                raise Stalled
            await asyncio.sleep(0.01)  # rare: only while the reader is behind
