"""Make directories what they were: the changes between two trees, each made below the root and through no symlink.

Whatever a tree does not keep is left alone, and so is the project's own `.git`, which is in no tree.
"""

import errno
import os
import secrets
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from harness.checkpoints.tree import Change, Entry
from harness.files.beneath import adopt, best_opener

_READ = os.O_RDONLY | os.O_DIRECTORY
_BITS = 0o777  # of files: set-user-id and its like do not come back
_DIRECTORY_BITS = 0o7777


class Restorer:
    """Works on one root. `left` collects what could not be restored, as `PATH: why`."""

    def __init__(self, root: Path, get: Callable[[str], bytes]) -> None:
        self._get, self._open = get, best_opener()
        self._root = os.open(root, _READ | os.O_CLOEXEC)
        self._modes: dict[str, int] = {}  # of directories that had to be made writable, or get another mode
        self.left: list[str] = []

    def close(self) -> None:
        os.close(self._root)

    def apply(self, changes: list[Change]) -> None:
        """Make these changes: `now` is taken for what is there, `then` for what is to be."""
        for change in reversed(changes):
            if change.now and (change.then is None or change.now.kind != change.then.kind):
                self._try(change.path, partial(self._remove, change.path, change.now, change.then))
        for change in changes:
            if change.then:
                self._try(change.path, partial(self._put, change.path, change.now, change.then))
        for path, mode in sorted(self._modes.items(), reverse=True):
            self._try(path, partial(self._set_mode, path, mode))

    def _try(self, path: str, step: Callable[[], None]) -> None:
        try:
            step()
        except OSError as error:
            self.left.append(f"{path}: {error.strerror or error}")

    def _remove(self, path: str, now: Entry, then: Entry | None) -> None:
        if now.kind == "unkept" or (then and then.kind == "unkept"):
            return
        with self._parent(path) as (directory, name):
            try:
                if now.kind == "directory":
                    os.rmdir(name, dir_fd=directory)
                    self._modes.pop(path, None)
                else:
                    os.unlink(name, dir_fd=directory)
            except FileNotFoundError:
                return
            except OSError as error:
                if error.errno not in {errno.ENOTEMPTY, errno.EEXIST}:
                    raise
                self.left.append(f"{path}/: holds what is not kept")

    def _put(self, path: str, now: Entry | None, then: Entry) -> None:
        if then.kind == "unkept":
            if now is None:
                self.left.append(f"{path}: was not kept ({then.value})")
            return
        with self._parent(path) as (directory, name):
            if now and now.kind == "unkept":
                if now.value != "unreadable" or then.kind == "link":
                    self.left.append(f"{path}: what is there now is not kept ({now.value}), it was left")
                else:
                    _chmod(directory, name, then)  # what is in it is compared when it can be read
            elif then.kind == "directory":
                if now is None or now.kind != "directory":
                    os.mkdir(name, 0o700, dir_fd=directory)
                    adopt(name, directory)
                self._modes[path] = then.mode & _DIRECTORY_BITS
            elif then.kind == "file" and now and now.kind == "file" and now.value == then.value:
                _chmod(directory, name, then)
            else:
                self._swap_in(then, directory, name)

    def _set_mode(self, path: str, mode: int) -> None:
        with self._parent(path, writable=False) as (directory, name):
            _chmod(directory, name, Entry("directory", mode, ""))

    def _swap_in(self, then: Entry, directory: int, name: str) -> None:
        temporary = f".{secrets.token_hex(8)}.tmp"
        if then.kind == "link":
            os.symlink(then.value, temporary, dir_fd=directory)
            adopt(temporary, directory)
        else:
            fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600, dir_fd=directory)
            try:
                with os.fdopen(fd, "wb", buffering=0) as file:
                    left = memoryview(self._get(then.value))
                    while left:
                        left = left[file.write(left) :]
                    adopt(temporary, directory)
                    os.fchmod(fd, then.mode & _BITS)
            except BaseException:
                os.unlink(temporary, dir_fd=directory)
                raise
        try:
            os.rename(temporary, name, src_dir_fd=directory, dst_dir_fd=directory)
        except BaseException:
            os.unlink(temporary, dir_fd=directory)
            raise

    @contextmanager
    def _parent(self, path: str, *, writable: bool = True) -> Iterator[tuple[int, str]]:
        """The directory that holds `path`, made writable for the time being."""
        above, _, name = path.rpartition("/")
        fd = self._open(self._root, above or ".", _READ, 0)
        try:
            mode = stat.S_IMODE(os.fstat(fd).st_mode)
            if writable and mode & 0o300 != 0o300:
                if above:
                    self._modes.setdefault(above, mode)
                os.fchmod(fd, mode | 0o700)
            yield fd, name
        finally:
            os.close(fd)


def _chmod(directory: int, name: str, entry: Entry) -> None:
    """Set a file's or directory's mode, never a link's target's."""
    mode = entry.mode & (_DIRECTORY_BITS if entry.kind == "directory" else _BITS)
    if sys.platform == "darwin":
        os.chmod(name, mode, dir_fd=directory, follow_symlinks=False)
        return
    fd = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory)
    try:
        if stat.S_ISLNK(os.fstat(fd).st_mode):
            raise OSError(errno.ELOOP, "it has become a symlink", name)
        Path(f"/proc/self/fd/{fd}").chmod(mode)
    finally:
        os.close(fd)
