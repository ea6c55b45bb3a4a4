"""The protected names as they were before a command, to be put back where their protection was lost.

Nothing is lost by it: what is found in their place is moved into our state directory, and said.
"""

import os
import shutil
import stat
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from harness.paths import config_home, within
from harness.sandbox.protect import WRITABLE_WITHIN

FILE_LIMIT = 1 << 20  # bytes of one file that are remembered
TOTAL_LIMIT = 16 << 20
ENTRIES = 2000


@dataclass(frozen=True, slots=True)
class _Entry:
    """`token` changes with every change: no program can set a ctime. `content` None: a directory, or too large."""

    token: tuple[int, ...]
    mode: int
    owner: tuple[int, int]
    content: bytes | None


@dataclass(slots=True)
class Memory:
    """What a session remembers. Files are read when they are new or changed; else a `stat` each."""

    _entries: dict[Path, _Entry] = field(default_factory=dict)
    _roots: tuple[Path, ...] = ()

    def take(self, paths: Iterable[Path]) -> None:
        """Remember these names, and what is below them, as they are now. Whole repositories are too much for it."""
        known, self._entries, self._roots = self._entries, {}, tuple(path for path in paths if path.name != ".git")
        left = TOTAL_LIMIT
        for path, state in _walk(self._roots):
            token = _token(state)
            entry = known.get(path)
            if entry is None or entry.token != token:
                entry = _Entry(
                    token, state.st_mode, (state.st_uid, state.st_gid), _read(path, state) if left > 0 else None
                )
            left -= len(entry.content or b"")
            self._entries[path] = entry

    def knows(self, path: Path) -> bool:
        return path in self._roots

    def changed(self) -> tuple[Path, ...]:
        """The names whose content, or that of something below, is not as it was."""
        now = dict(_walk(self._roots))
        differ = [path for path in now.keys() | self._entries.keys() if self._differs(path, now.get(path))]
        return tuple(root for root in self._roots if any(within(path, root) for path in differ))

    def restore(self, roots: Iterable[Path]) -> tuple[str, ...]:
        """Put these names back. Sentences about what was found in their place; empty where all was as before."""
        told = []
        for root in roots:
            if os.path.realpath(root.parent) != str(root.parent):
                told.append(f"{root} could not be restored: a directory above it was replaced. Look at it.")
                continue
            now = dict(_walk((root,)))
            mine = {path: entry for path, entry in self._entries.items() if within(path, root)}
            differ = sorted(path for path in now.keys() | mine.keys() if self._differs(path, now.get(path)))
            kept = [_put_aside(path) for path in differ if path in now and os.path.lexists(path)]
            lost = [path for path in differ if path in mine and not _put_back(path, mine[path])]
            if differ:
                where = f"; what stood there is now in {', '.join(map(str, kept))}" if kept else ""
                told.append(f"{root} was restored to what it was before{where}.")
            told += [f"{path} could not be restored: it is too large to be remembered." for path in lost]
        return tuple(told)

    def _differs(self, path: Path, state: os.stat_result | None) -> bool:
        entry = self._entries.get(path)
        if entry is None or state is None:
            return True
        if entry.token == _token(state):
            return False
        if stat.S_ISDIR(entry.mode) or stat.S_ISDIR(state.st_mode):
            return stat.S_IFMT(entry.mode) != stat.S_IFMT(state.st_mode)
        return state.st_mode != entry.mode or entry.content is None or _read(path, state) != entry.content


def _walk(roots: Iterable[Path]) -> Iterator[tuple[Path, os.stat_result]]:
    """Every entry at and below the names, bounded; worktrees are the commands' own."""
    waiting, seen = list(roots), 0
    while waiting and seen < ENTRIES:
        path = waiting.pop()
        seen += 1
        try:
            state = path.lstat()
            yield path, state
            if stat.S_ISDIR(state.st_mode):
                waiting += [below for below in path.iterdir() if below.name != _WORKTREES]
        except OSError:
            continue  # not there


_WORKTREES = Path(WRITABLE_WITHIN[0]).name


def _token(state: os.stat_result) -> tuple[int, ...]:
    return state.st_ino, state.st_dev, state.st_size, state.st_ctime_ns, state.st_mode


def _read(path: Path, state: os.stat_result) -> bytes | None:
    try:
        if stat.S_ISLNK(state.st_mode):
            return os.fsencode(path.readlink())
        if stat.S_ISREG(state.st_mode) and state.st_size <= FILE_LIMIT:
            return path.read_bytes()
    except OSError:
        pass  # vanished, or not ours to read: then it cannot be put back either
    return None


def _put_aside(root: Path) -> Path:
    directory = config_home() / "sandbox" / "replaced"
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    place = directory / f"{time.strftime('%Y%m%d-%H%M%S')}-{time.monotonic_ns() % 1_000_000:06}-{root.name}"
    shutil.move(root, place)
    return place


def _put_back(path: Path, entry: _Entry) -> bool:
    """False where its content is not known. A directory's own entries are put back one by one."""
    mode = stat.S_IMODE(entry.mode)
    if stat.S_ISDIR(entry.mode):
        path.mkdir(mode=mode)
    elif entry.content is None:
        return False
    elif stat.S_ISLNK(entry.mode):
        path.symlink_to(os.fsdecode(entry.content))
    else:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with os.fdopen(os.open(path, flags, mode), "wb") as file:
            file.write(entry.content)
            os.fchmod(file.fileno(), mode)
    if os.geteuid() == 0:
        os.chown(path, *entry.owner, follow_symlinks=False)
    return True
