"""Whether anything changed since the last look, by inotify: a read that finds nothing costs microseconds.

It sees writes to the files of the watched directories by whoever makes them on this machine; not those through a
memory mapping, and not those that other machines make to a network file system. So it is used only before a call,
when our own calls have ended and been looked at in full, and only on local file systems.
"""

from pathlib import Path

from harness import inotify

_MASK = inotify.MODIFY | inotify.ATTRIB | inotify.CLOSE_WRITE | inotify.MOVED | inotify.CREATE | inotify.DELETE
_MASK |= inotify.DELETE_SELF | inotify.MOVE_SELF | inotify.ONLYDIR | inotify.DONT_FOLLOW | inotify.EXCL_UNLINK
_LOCAL = frozenset({"ext2", "ext3", "ext4", "xfs", "btrfs", "tmpfs", "overlay", "zfs", "f2fs", "bcachefs", "ramfs"})
_SHARE = 4  # the part of the user's watches that we may take: editors need theirs


class Watch:
    """Directories that are watched. `enough` is False as soon as something may have been missed: then look in full."""

    def __init__(self) -> None:
        self.enough = False
        self._names: dict[int, str] = {}
        self._known: set[str] = set()
        self._inotify = inotify.Inotify()
        try:
            self._most = int(Path("/proc/sys/fs/inotify/max_user_watches").read_bytes()) // _SHARE
        except (OSError, ValueError):  # another system than Linux
            return
        self.enough = self._inotify.works

    def close(self) -> None:
        self.enough = False
        self._inotify.close()

    def add(self, directory: str) -> None:
        """Watch it, before it is looked at."""
        if not self.enough or directory in self._known:
            return
        number = -1
        if len(self._known) < self._most:
            number = self._inotify.add(directory, _MASK)
        if number < 0:  # too many, or it has just vanished: a full look tells
            self.close()
            return
        self._drop(number)  # the same directory by another name
        self._known.add(directory)
        self._names[number] = directory

    def changed(self) -> set[str] | None:
        """The directories in which something happened since the last time; None where only a full look can tell."""
        if not self.enough:
            return None
        found: set[str] = set()
        for number, mask, _ in self._inotify.happened():
            if mask & inotify.OVERFLOW:
                self.close()
                return None
            name = self._names.get(number)
            if name is None:
                continue
            if mask & inotify.IGNORED:
                self._drop(number)
            elif mask & inotify.MOVE_SELF:
                self._forget(name)
            found.add(name)
        return found

    def _forget(self, moved: str) -> None:
        """A directory has another name now, and so has all below it: it is watched again when it is found there."""
        for number, name in list(self._names.items()):
            if name == moved or name.startswith(moved + "/"):
                self._inotify.remove(number)
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
