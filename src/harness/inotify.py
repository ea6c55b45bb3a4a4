"""The kernel's word that something in a directory changed, see inotify(7). Nothing is told on other systems."""

import ctypes
import functools
import os
import struct
from collections.abc import Iterator
from typing import Any

MODIFY, ATTRIB, CLOSE_WRITE, MOVED, CREATE, DELETE = 0x2, 0x4, 0x8, 0xC0, 0x100, 0x200
DELETE_SELF, MOVE_SELF = 0x400, 0x800
ONLYDIR, DONT_FOLLOW, EXCL_UNLINK = 0x01000000, 0x02000000, 0x04000000
OVERFLOW, IGNORED = 0x4000, 0x8000
_HEAD = struct.Struct("iIII")


class Inotify:
    """Directories by the numbers that the kernel gives them."""

    def __init__(self) -> None:
        self._fd: int = _library().inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC) if _library() else -1

    @property
    def works(self) -> bool:
        return self._fd >= 0

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def add(self, directory: str, mask: int) -> int:
        """Watch it; the number is negative where that cannot be."""
        number: int = _library().inotify_add_watch(self._fd, os.fsencode(directory), mask)
        return number

    def remove(self, number: int) -> None:
        _library().inotify_rm_watch(self._fd, number)

    def happened(self) -> Iterator[tuple[int, int, str]]:
        """What has happened since the last time: the directory's number, the kinds, and the entry's name."""
        while self.works:
            try:
                data = os.read(self._fd, 1 << 16)
            except BlockingIOError:
                return
            at = 0
            while at < len(data):
                number, mask, _, length = _HEAD.unpack_from(data, at)
                at += _HEAD.size + length
                yield number, mask, os.fsdecode(data[at - length : at].rstrip(b"\0"))


@functools.cache
def _library() -> Any:
    """The C library, None where it has no inotify."""
    library = ctypes.CDLL(None)
    return library if hasattr(library, "inotify_init1") else None
