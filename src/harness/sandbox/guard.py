"""Whether what was mounted for a command is still mounted, while it runs.

A mount vanishes when its path is renamed over or removed outside (a `git config` there does it): the protected name
is then an ordinary one inside. Nothing within the sandbox can do that, and the kernel tells of it: the command's
`mountinfo` can be polled.
"""

import fnmatch
import os
import re
import select
from collections.abc import Iterable
from pathlib import Path

from harness.sandbox.prelude import Report

# Files of a home that programs replace all day long. They are hidden, and not worth ending a build for.
_RESTLESS = (
    ".*history*",
    ".viminfo*",
    ".lesshst",
    ".wget-hsts",
    ".claude.json*",
    ".zcompdump*",
    ".*.lock",
    ".xsession*",
)


class Guard:
    """`fileno()` is readable, once for each change, when `look` has something to do; `missing` are the mounts that
    went."""

    def __init__(self, mounts: Iterable[Path], report: Report) -> None:
        self._expected = frozenset(str(path) for path in mounts if not _restless(path))
        self._report, self._waits = report, True
        self._table = -1
        self._poll = select.epoll()
        self._poll.register(report.read, select.EPOLLIN)
        self.missing: tuple[Path, ...] = ()

    @property
    def attached(self) -> bool:
        return self._table >= 0

    def fileno(self) -> int:
        return self._poll.fileno()

    def look(self, leader: int) -> bool:
        """Take note of what happened; True where a mount is missing. `leader`: the sandbox's first process."""
        if self._waits and self._report.heard():  # its first word: all is mounted
            self.attach(leader)
        elif self.attached:
            self.check()
        return bool(self.missing)

    def attach(self, leader: int) -> bool:
        """Begin to watch, once all is mounted; False where the sandbox has ended already."""
        if self._waits:
            self._waits = False
            self._poll.unregister(self._report.read)
        try:
            children = os.open(f"/proc/{leader}/task/{leader}/children", os.O_RDONLY | os.O_CLOEXEC)
            try:
                child = os.read(children, 1 << 12).split()[0].decode()
            finally:
                os.close(children)
            self._table = os.open(f"/proc/{child}/mountinfo", os.O_RDONLY | os.O_CLOEXEC)
        except (OSError, IndexError):
            return False
        self._poll.register(self._table, select.EPOLLPRI | select.EPOLLERR)
        self.check()
        return self.attached

    def check(self) -> tuple[Path, ...]:
        """Read the table: which mounts are missing now. It can be read also when the command has ended."""
        if self.attached:
            present = _mount_points(self._table)
            if present:
                self.missing = tuple(Path(path) for path in sorted(self._expected - present))
            else:  # it had ended before the table was opened: an empty one says nothing
                self._detach()
        return self.missing

    def close(self) -> None:
        self._detach()
        self._poll.close()

    def _detach(self) -> None:
        if self.attached:
            self._poll.unregister(self._table)
            os.close(self._table)
            self._table = -1


def _mount_points(table: int) -> frozenset[str]:
    os.lseek(table, 0, os.SEEK_SET)
    parts = []
    while part := os.read(table, 1 << 18):
        parts.append(part)
    return frozenset(_unescaped(line.split(b" ", 5)[4]) for line in b"".join(parts).splitlines())


def _unescaped(word: bytes) -> str:
    if b"\\" in word:
        word = re.sub(rb"\\([0-7]{3})", lambda found: bytes([int(found[1], 8)]), word)
    return os.fsdecode(word)


def _restless(path: Path) -> bool:
    return any(fnmatch.fnmatchcase(path.name, pattern) for pattern in _RESTLESS)
