"""Writing the session file: one `write` a line, before what it says takes effect.

A process that is killed loses nothing: what was written is the kernel's. A machine that loses power loses what is
not on the disk yet, so each step's border (the next request begins, or the turn ends) starts an `fdatasync` in a
thread of its own, which runs while the model answers; the session's end waits for the last one (`adr/0015`).
"""

import contextlib
import fcntl
import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.codec import line
from harness.errors import HarnessError
from harness.events import DURABLE, Event, Result, StreamRequestStart
from harness.journal.entries import Entries, Json
from harness.journal.fold import Past
from harness.paths import project_key

PAUSE = 0.1  # seconds between two requests to the disk: a turn of a few milliseconds is not worth one of its own


class Busy(HarnessError):
    """Another process writes this session."""


def session_file(home: Path, cwd: Path, session_id: str) -> Path:
    return home / "projects" / project_key(cwd.resolve()) / f"{session_id}.jsonl"


class Journal:
    """One session's file, created at its first line and locked while it is open: one of us writes at a time."""

    def __init__(self, path: Path, session_id: str, cwd: Path, branch: str = "", entrypoint: str = "") -> None:
        self.path = path
        self.entries = Entries(session_id, cwd, branch, entrypoint)
        self._fd: int | None = None
        self._torn = False  # the file ends within a line
        self._disk: _Disk | None = None

    @property
    def begun(self) -> bool:
        return self._fd is not None

    def lock(self) -> None:
        """Open the file, made where it is not there, and keep others from writing it.

        Raises:
            Busy: another process does.
            OSError: it cannot be opened.
        """
        if self._fd is not None:
            return
        _make_private(self.path.parent)
        fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            _lock(fd, self.path)
        except BaseException:
            os.close(fd)
            raise
        self._fd, self._disk = fd, _Disk(fd, self.path.parent)
        size = os.fstat(fd).st_size
        self._torn = size > 0 and os.pread(fd, 1, size - 1) != b"\n"

    def follow(self, past: Past) -> None:
        """Go on behind what the file holds."""
        self.entries.parent = past.leaf
        self.entries.calls |= past.calls

    def write(self, event: Event, state: Mapping[str, Any] | None = None) -> None:
        """Keep a durable event, and the state of the session that it changed; others are for the moment only.

        Raises:
            Busy: another process writes this session.
            OSError: the file cannot be written; nothing half-written is left that reading would not drop.
        """
        if isinstance(event, DURABLE):
            self._append(*self.entries.of(event, state or {}))
        if isinstance(event, StreamRequestStart | Result) and self._disk:
            self._disk.begin()

    def note(self, state: Mapping[str, Any]) -> None:
        """Keep what has changed of the session's state where no event goes with it."""
        self._append(self.entries.own(state))

    def rename(self, title: str) -> None:
        self._append(self.entries.named(title))

    def last_words(self, title: str, prompt: str) -> None:
        """What a listing is to find at the file's end."""
        named = [self.entries.named(title)] if title else []
        last = {"type": "last-prompt", "lastPrompt": prompt[:500], "sessionId": self.entries.session_id}
        if named or prompt:
            self._append(*named, *([last] if prompt else []))

    def back_to(self, uuid: str | None) -> None:
        """Go on from an earlier entry; None: from the beginning. What came after it stays in the file."""
        self._append(self.entries.back_to(uuid))

    def undo_back(self) -> None:
        """Undo the last `back_to`; whoever goes on must `follow` the file anew."""
        self._append(self.entries.rewound())

    def close(self) -> None:
        if self._fd is not None and self._disk is not None:
            self._disk.close()
            os.close(self._fd)
            self._fd = None

    def _append(self, *entries: Json) -> None:
        self.lock()
        assert self._fd is not None  # noqa: S101  `lock` opens it or raises
        data = "".join(line(entry) + "\n" for entry in entries).encode()
        if self._torn:
            data = b"\n" + data  # else this line would be lost with the torn one
        self._torn = True
        while data:
            data = data[os.write(self._fd, data) :]
        self._torn = False
        if self._disk:
            self._disk.behind = True


class _Disk:
    """Brings a file to the disk beside the work. What the disk refuses is asked for again, the last time at the end."""

    def __init__(self, fd: int, directory: Path) -> None:
        self._fd, self._directory = fd, directory
        self.behind = False
        self._wanted, self._ended = threading.Event(), threading.Event()
        self._thread: threading.Thread | None = None

    def begin(self) -> None:
        if not self.behind:
            return
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="journal", daemon=True)
            self._thread.start()
        self._wanted.set()

    def close(self) -> None:
        """Wait until all of it is there."""
        self._ended.set()
        self.begin()
        if self._thread:
            self._wanted.set()
            self._thread.join()

    def _work(self) -> None:
        with contextlib.suppress(OSError):
            directory = os.open(self._directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                os.fsync(directory)  # the file's name, once
            finally:
                os.close(directory)
        while True:
            self._wanted.wait()
            self._wanted.clear()
            ended = self._ended.is_set()
            if self.behind:
                self.behind = False
                try:
                    _sync(self._fd)
                except OSError:
                    self.behind = True
            if ended:
                return
            self._ended.wait(PAUSE)


# macOS has only the call that also writes times
_sync = getattr(os, "fdatasync", os.fsync)


def _lock(fd: int, path: Path) -> None:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        pid = holder(fd)
        who = f"process {pid}" if pid else "another process"
        raise Busy(
            f"The session {path.stem} is in use by {who}.",
            "End that one first, or go on in a copy: --fork-session",
        ) from None
    except OSError:
        pass  # a file system without locks: there is no way to know


def holder(fd: int) -> int | None:
    """The process that holds the file's lock, where the kernel says so."""
    found = os.fstat(fd)
    place = f"{os.major(found.st_dev):02x}:{os.minor(found.st_dev):02x}:{found.st_ino}"
    try:
        rows = Path("/proc/locks").read_text().splitlines()
    except OSError:
        return None
    held = (row.split() for row in rows if "->" not in row)
    return next((int(words[4]) for words in held if words[1] == "FLOCK" and words[5] == place), None)


def _make_private(directory: Path) -> None:
    """Make a directory and its missing parents, each for its owner alone (`mkdir` would give only the last so)."""
    for missing in reversed([d for d in (directory, *directory.parents) if not d.exists()]):
        missing.mkdir(mode=0o700, exist_ok=True)
