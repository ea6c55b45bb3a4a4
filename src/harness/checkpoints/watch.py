"""Whether anything changed since the last look, by inotify: a read that finds nothing costs microseconds.

It sees writes to the files of the watched directories by whoever makes them on this machine; not those through a
memory mapping, and not those that other machines make to a network file system. So it is used only before a call,
when our own calls have ended and been looked at in full, and only on local file systems.
"""

import ctypes
import os
import struct
from pathlib import Path

_MODIFY, _ATTRIB, _CLOSE_WRITE, _MOVED, _CREATE, _DELETE = 0x2, 0x4, 0x8, 0xC0, 0x100, 0x200
_DELETE_SELF, _MOVE_SELF = 0x400, 0x800
_ONLYDIR, _DONT_FOLLOW, _EXCL_UNLINK = 0x01000000, 0x02000000, 0x04000000
_OVERFLOW, _IGNORED = 0x4000, 0x8000
_MASK = _MODIFY | _ATTRIB | _CLOSE_WRITE | _MOVED | _CREATE | _DELETE | _DELETE_SELF | _MOVE_SELF
_MASK |= _ONLYDIR | _DONT_FOLLOW | _EXCL_UNLINK
_LOCAL = frozenset({"ext2", "ext3", "ext4", "xfs", "btrfs", "tmpfs", "overlay", "zfs", "f2fs", "bcachefs", "ramfs"})
_SHARE = 4  # the part of the user's watches that we may take: editors need theirs


class Watch:
    """Directories that are watched. `enough` is False as soon as something may have been missed: then look in full."""

    def __init__(self) -> None:
        self.enough = False
        self._fd = -1
        self._names: dict[int, str] = {}
        self._known: set[str] = set()
        try:
            self._most = int(Path("/proc/sys/fs/inotify/max_user_watches").read_bytes()) // _SHARE
            self._libc = ctypes.CDLL(None, use_errno=True)
            self._fd = self._libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        except (OSError, ValueError, AttributeError):  # another system than Linux
            return
        self.enough = self._fd >= 0

    def close(self) -> None:
        self.enough = False
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def add(self, directory: str) -> None:
        """Watch it, before it is looked at."""
        if not self.enough or directory in self._known:
            return
        number = -1
        if len(self._known) < self._most:
            number = self._libc.inotify_add_watch(self._fd, os.fsencode(directory), _MASK)
        if number < 0:  # too many, or it has just vanished: a full look tells
            self.close()
            return
        self._drop(number)  # the same directory by another name
        self._known.add(directory)
        self._names[number] = directory

    def changed(self) -> set[str] | None:
        """The directories in which something happened since the last time; None where only a full look can tell."""
        found: set[str] = set()
        while self.enough:
            try:
                data = os.read(self._fd, 1 << 16)
            except BlockingIOError:
                return found
            at = 0
            while at < len(data):
                number, mask, _, length = struct.unpack_from("iIII", data, at)
                at += 16 + length
                if mask & _OVERFLOW:
                    self.close()
                    return None
                name = self._names.get(number)
                if name is None:
                    continue
                if mask & _IGNORED:
                    self._drop(number)
                elif mask & _MOVE_SELF:
                    self._forget(name)
                found.add(name)
        return None

    def _forget(self, moved: str) -> None:
        """A directory has another name now, and so has all below it: it is watched again when it is found there."""
        for number, name in list(self._names.items()):
            if name == moved or name.startswith(moved + "/"):
                self._libc.inotify_rm_watch(self._fd, number)
                self._drop(number)

    def _drop(self, number: int) -> None:
        if name := self._names.pop(number, None):
            self._known.discard(name)


def local(root: str) -> bool:
    """Whether a directory lies on a file system whose changes all happen here."""
    try:
        rows = Path("/proc/self/mountinfo").read_text("utf-8", "replace").splitlines()
    except OSError:
        return False
    best, kind = "", ""
    for row in rows:
        before, _, after = row.partition(" - ")
        place = before.split()[4].encode().decode("unicode_escape")
        if (root == place or root.startswith(place.rstrip("/") + "/")) and len(place) >= len(best):
            best, kind = place, after.split()[0]
    return kind in _LOCAL
