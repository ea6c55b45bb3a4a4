"""Whether anything appeared or went where the sandbox looks, told by the kernel (inotify) instead of by looking again.

Only to spare work: a sandbox that waits is looked over in full (`Made.unchanged`) unless everything that decides on
it was watched since before it was made, and nothing happened. What another machine does to a network file system is
not told; the mounts are checked in any case.
"""

import ctypes
import functools
import os
import struct
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from harness.sandbox import masks
from harness.sandbox.policy import Policy
from harness.sandbox.protect import ALWAYS_DIRS, scanned

MOST = 5000  # directories; adding one takes a few microseconds
_MOVED, _CREATE, _DELETE, _GONE = 0xC0, 0x100, 0x200, 0xC00  # IN_GONE: the directory itself was deleted or moved
_WRITTEN = 0x2 | 0x8  # modified, closed after writing
_ONLYDIR = 0x01000000
_NAMES = _MOVED | _CREATE | _DELETE | _GONE | _ONLYDIR
_HEAD = struct.Struct("iIII")


class Changes:
    """`quiet` is False as soon as something may have changed, for good."""

    def __init__(self, policy: Policy) -> None:
        self._fd = _library().inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC) if _library() else -1
        self._quiet = self._fd >= 0
        self._places: dict[int, str] = {}
        if self._quiet:
            self._watch_all(policy)

    def quiet(self) -> bool:
        self.settle(())
        return self._quiet

    def settle(self, own: Iterable[Path]) -> None:
        """Take note of what happened; `own` are entries that we made ourselves."""
        ours = {str(path) for path in own}
        while self._quiet:
            try:
                data = os.read(self._fd, 1 << 16)
            except BlockingIOError:
                return
            at = 0
            while at < len(data):
                number, _, _, length = _HEAD.unpack_from(data, at)
                name = os.fsdecode(data[at + _HEAD.size : at + _HEAD.size + length].rstrip(b"\0"))
                at += _HEAD.size + length
                if f"{self._places.get(number)}/{name}" not in ours:
                    self._quiet = False

    def close(self) -> None:
        self._quiet = False
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _watch_all(self, policy: Policy) -> None:
        for root in (policy.project, *policy.write):
            directories, gits = scanned(root)
            # Worktrees and submodules keep their configuration elsewhere: too rare to follow.
            if len(directories) > MOST or any(not git.is_dir() or (git / "modules").exists() for git in gits):
                self._quiet = False
                return
            for directory in (*directories, *(str(root / name) for name in (*ALWAYS_DIRS, ".config"))):
                self._watch(directory, _NAMES)
            for git in gits:
                for inside in (str(git), str(git / "info")):
                    self._watch(inside, _NAMES | _WRITTEN)
        for place in masks.places(policy.home):
            self._watch(str(place), _NAMES)

    def _watch(self, directory: str, mask: int) -> None:
        number = _library().inotify_add_watch(self._fd, os.fsencode(directory), mask)
        if number >= 0:
            self._places[number] = directory
        elif os.path.isdir(directory):  # noqa: PTH112  the user's watches are used up, or it cannot be read
            self._quiet = False


@functools.cache
def _library() -> Any:
    """The C library, None where it has no inotify."""
    library = ctypes.CDLL(None)
    return library if hasattr(library, "inotify_init1") else None
