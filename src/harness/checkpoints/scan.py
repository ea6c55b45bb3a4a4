"""Look at directories and keep what they hold: everything the first time, then only what changed.

Bytes are read by descriptor below the root, through no symlink (`files.beneath`); names and states of what is known
are only compared. What is not kept: docs/checkpoints.md.
"""

import os
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from harness.checkpoints import ignore, limits, seen, tree
from harness.checkpoints.ignore import Rules
from harness.checkpoints.seen import Folder, Sign, sign, signature
from harness.checkpoints.store import Store
from harness.checkpoints.tree import Entry
from harness.checkpoints.watch import Watch
from harness.errors import HarnessError
from harness.files.beneath import Opener, best_opener

_CHUNK = 1_000  # files read between two commits: other sessions of the project may then write


class TooLarge(HarnessError):
    """More names than are kept."""


class Stopped(Exception):
    """The session ends: nobody waits for this look any more."""


@dataclass(slots=True)
class _Look:
    """One pass over a root. `dirty`: the only directories to look at, with all above them; None for all."""

    root: int
    base: str
    dirty: set[str] | None
    names: int = 0
    visited: set[str] = field(default_factory=set)


class Scanner:
    """Knows the roots as they were last seen. `look` returns a snapshot's id; one thread at a time.

    `skipped`: our own state directory, should it lie within a root.
    """

    def __init__(self, store: Store, roots: tuple[Path, ...], skipped: Path, watch: Watch | None = None) -> None:
        self._store, self._watch = store, watch
        self._roots = [os.path.realpath(root) for root in roots]
        self._skipped = os.path.realpath(skipped)
        self._open: Opener = best_opener()
        self._rows: dict[str, str] | None = None  # as stored, until each is needed
        self._folders: dict[str, Folder] = {}
        self._rules: dict[str, tuple[Sign, str, Rules]] = {}
        self._read = 0
        self.stop = False

    def look(self, dirty: set[str] | None = None) -> str:
        """The id of a tree whose names are the roots.

        Raises:
            HarnessError: too many names, or a store that cannot be written.
            Stopped: `stop` was set.
        """
        if self._rows is None:
            self._rows = self._store.seen()
        top = {root: entry for root in self._roots if (entry := self._look_at(root, dirty))}
        snapshot = self._store.put(tree.encode(top))
        self._store.commit()
        return snapshot

    def _look_at(self, root: str, dirty: set[str] | None) -> Entry | None:
        if dirty is not None:
            dirty = {above for path in dirty for above in _upwards(path, root)}
        try:
            fd = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError:
            return None
        try:
            look = _Look(fd, root, dirty)
            entry = self._folder(root, ignore.rules_at(Path(root)), look, 0, relisted=False)
        finally:
            os.close(fd)
        if dirty is None:
            self._prune(root, look.visited)
        return entry and entry._replace(mode=0)  # a root's own mode is not ours to change

    def _folder(self, path: str, rules: Rules, look: _Look, depth: int, *, relisted: bool) -> Entry | None:
        """A directory's entry; None where it is none any more."""
        if self.stop:
            raise Stopped
        known = self._known(path)
        look.visited.add(path)
        clean = look.dirty is not None and path not in look.dirty
        if clean and known and not relisted:
            return Entry("directory", 0o777, known.tree)  # the caller knows its mode
        if self._watch:
            self._watch.add(path)
        before = time.time_ns()
        try:
            state = os.lstat(path)
        except OSError:
            return None
        if not stat.S_ISDIR(state.st_mode):
            return None
        mode = stat.S_IMODE(state.st_mode)
        if clean and known and known.sign == signature(state):  # an inode's number may have been given again
            return Entry("directory", mode, known.tree)
        if clean:  # not the directory that was known by this name
            look = _Look(look.root, look.base, None, look.names, look.visited)
        try:
            folder, rules, fresh = self._names(path, rules, look, known, state)
        except OSError:
            return Entry("unkept", mode, "unreadable")
        if fresh:
            folder.sign = sign(state, before)
        look.names += len(folder.entries)
        if look.names > limits.MOST:
            raise TooLarge(f"{look.base} holds more than {limits.MOST} files: there are no checkpoints here.")
        if self._entries(path, folder, rules, look, depth, fresh=fresh) or not folder.tree or fresh:
            folder.tree = self._store.put(tree.encode(folder.entries))
            self._folders[path] = folder
            self._store.see(path, seen.encode(folder))
        return Entry("directory", mode, folder.tree)

    def _names(
        self, path: str, rules: Rules, look: _Look, known: Folder | None, state: os.stat_result
    ) -> tuple[Folder, Rules, bool]:
        """The directory with its names as they are now, its rules, and whether it was listed. Raises OSError."""
        unchanged = known is not None and known.sign == signature(state)
        if known is None or not unchanged or ".gitignore" in known.entries:
            rules = self._own_rules(path, rules)
        if known is not None and unchanged and known.rules == rules.mark:
            return known, rules, False
        return self._listed(path, rules, look, known), rules, True

    def _known(self, path: str) -> Folder | None:
        folder = self._folders.get(path)
        if folder is None and self._rows and (row := self._rows.pop(path, None)):
            folder = self._folders[path] = seen.decode(row)
        return folder

    def _entries(self, path: str, folder: Folder, rules: Rules, look: _Look, depth: int, *, fresh: bool) -> bool:
        """Bring the entries up to date; whether anything but their signs changed counts as a change, too."""
        changed = False
        prefix = path + "/" if path != "/" else path
        if look.dirty is None or path in look.dirty:
            lstat, gone = os.lstat, []
            for name, known in folder.signs.items():
                try:
                    now = lstat(prefix + name)
                except OSError:
                    gone.append(name)
                    continue
                if known == (now.st_ctime_ns, now.st_mtime_ns, now.st_size, now.st_ino, now.st_mode):
                    continue
                entry, folder.signs[name] = self._leaf(prefix + name, now, rules, look)
                changed |= entry != folder.entries.get(name) or folder.signs[name] is not None
                folder.entries[name] = entry
            changed |= self._without(folder, gone)
        gone = []
        for name, entry in folder.entries.items():
            if entry.kind != "directory":
                continue
            inner = self._inner(prefix + name, rules, look, depth + 1, relisted=fresh)
            if inner is None:
                gone.append(name)
                folder.sign = None
                continue
            if inner.kind == "unkept":  # to be tried again: a change of its mode does not show here
                folder.sign = None
            mode = (
                entry.mode if look.dirty is not None and prefix + name not in look.dirty and not fresh else inner.mode
            )
            if entry != (inner := inner._replace(mode=mode)):
                folder.entries[name] = inner
                changed = True
        return self._without(folder, gone) or changed

    @staticmethod
    def _without(folder: Folder, gone: list[str]) -> bool:
        """A name that vanished while we looked: the directory is listed again the next time."""
        for name in gone:
            folder.entries.pop(name, None)
            folder.signs.pop(name, None)
            folder.sign = None
        return bool(gone)

    def _inner(self, path: str, rules: Rules, look: _Look, depth: int, *, relisted: bool) -> Entry | None:
        if depth > limits.DEEP:
            return Entry("unkept", 0, "too deep")
        if path.endswith("/.git"):
            rules = ignore.everything()
        return self._folder(path, rules, look, depth, relisted=relisted)

    def _listed(self, path: str, rules: Rules, look: _Look, known: Folder | None) -> Folder:
        """The directory's names, with what is already known of them. Raises OSError."""
        folder = Folder(None, rules.mark)
        same = known is not None and known.rules == rules.mark
        fd = self._opened(path, look, os.O_DIRECTORY)
        try:
            with os.scandir(fd) as entries:
                found = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]
        finally:
            os.close(fd)
        for name, is_directory in found:
            whole = f"{path.rstrip('/')}/{name}"
            if self._never(path, name, whole, look):
                continue
            old = known.entries.get(name) if known else None
            if is_directory:
                settled = old is not None and old.value != "unreadable" and known and name not in known.signs
                if old is None or not settled or not same:
                    reason = limits.unkept(whole, rules)
                    old = Entry("unkept", 0, reason) if reason else Entry("directory", 0, "")
                folder.entries[name] = old
            else:
                state = known.signs.get(name) if known else None
                keep = old is not None and old.kind != "directory" and (same or (state and state[2] <= limits.IGNORED))
                folder.signs[name] = state if keep else None
                folder.entries[name] = old if old and keep else Entry("unkept", 0, "")
        return folder

    def _never(self, directory: str, name: str, path: str, look: _Look) -> bool:
        """The project's own `.git`, our state, and what is only there while a command runs."""
        if path == self._skipped:
            return True
        if directory != look.base:
            return False
        return name == ".git" or (limits.placeholder(name, path))

    def _leaf(self, path: str, state: os.stat_result, rules: Rules, look: _Look) -> tuple[Entry, Sign | None]:
        """A file, a link, or what else has a name."""
        mode, before = stat.S_IMODE(state.st_mode), time.time_ns()
        if stat.S_ISLNK(state.st_mode):
            return self._link(path), sign(state, before)
        if not stat.S_ISREG(state.st_mode):
            return Entry("unkept", mode, "special"), None
        limit = limits.NESTED if rules.everything else limits.HUGE
        if limit >= state.st_size > limits.IGNORED and rules.ignores(path, directory=False):
            return Entry("unkept", mode, "ignored"), sign(state, before)
        if state.st_size > limit:
            return Entry("unkept", mode, "huge"), sign(state, before)
        try:
            state, data = self._bytes(path, look, limit)
        except OSError:
            return Entry("unkept", mode, "unreadable"), None
        if len(data) > state.st_size:  # it grows as we look
            before = 0
        self._read += 1
        if self._read % _CHUNK == 0:
            self._store.commit()
        return Entry("file", stat.S_IMODE(state.st_mode), self._store.put(data)), sign(state, before)

    @staticmethod
    def _link(path: str) -> Entry:
        try:
            return Entry("link", 0, str(os.readlink(path)))  # noqa: PTH115  a Path would lose what it says: "./x", "x/"
        except OSError:
            return Entry("unkept", 0, "unreadable")

    def _bytes(self, path: str, look: _Look, limit: int) -> tuple[os.stat_result, bytes]:
        fd = self._opened(path, look, os.O_NONBLOCK | os.O_NOCTTY)
        try:
            state = os.fstat(fd)
            if not stat.S_ISREG(state.st_mode):
                raise OSError("it has become something else")
            return state, os.read(fd, min(state.st_size, limit) + 1)
        finally:
            os.close(fd)

    def _opened(self, path: str, look: _Look, flags: int) -> int:
        below = path[len(look.base) :].lstrip("/") or "."
        return self._open(look.root, below, flags | os.O_RDONLY | os.O_NOFOLLOW, 0)

    def _own_rules(self, path: str, rules: Rules) -> Rules:
        """With the directory's own `.gitignore`, which is read again where it changed."""
        if rules.everything:
            return rules
        name = path + "/.gitignore"
        try:
            state = signature(os.lstat(name))
        except OSError:
            return rules
        known = self._rules.get(path)
        if known and known[0] == state and known[1] == rules.mark:
            return known[2]
        try:
            fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            with os.fdopen(fd, "rb") as file:
                own = rules.below(path, file.read(1 << 20))
        except OSError:
            return rules
        self._rules[path] = (state, rules.mark, own)
        return own

    def _prune(self, root: str, visited: set[str]) -> None:
        """Forget directories that are gone."""
        for known in (self._folders, self._rows or {}):
            for path in [p for p in known if p not in visited and (p == root or p.startswith(root.rstrip("/") + "/"))]:
                if not any(path == other or path.startswith(other + "/") for other in self._roots if other != root):
                    del known[path]
                    self._store.forget(path)


def _upwards(path: str, root: str) -> Iterator[str]:
    while path == root or path.startswith(root.rstrip("/") + "/"):
        yield path
        if path == root:
            return
        path = path.rpartition("/")[0] or "/"
