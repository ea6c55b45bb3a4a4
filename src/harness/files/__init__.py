"""Files by directory descriptor, so that a symlink swapped in between cannot redirect a read or a write.

A path is decided on twice: as it was written, and as the place where it really leads (`Files.real`). What is then
opened is that real place, below an anchor that was opened when the session began, through no symlink; if it has
become another place meanwhile, it is refused. Only regular files are opened, and written as a whole or not at all.
"""

import errno
import hashlib
import os
import secrets
import stat
import sys
from io import BufferedReader
from pathlib import Path
from typing import Literal

from harness.errors import HarnessError, ToolError
from harness.files.beneath import DIRECTORY, Opener, adopt, best_opener, make_directories
from harness.paths import within

Kind = Literal[
    "missing",
    "directory",
    "special",  # a FIFO, socket or device
    "process",  # below /proc: it would show our own process, key and all
    "denied",  # by the system
    "outside",  # of the roots, and nobody decided on it
    "moved",  # it leads to another place than decided on
    "changed",  # not the bytes that were expected
    "exists",
    "read-only",
    "linked",  # it has further hard links
    "failed",  # any other answer of the system
]

_MENDS: dict[Kind, str] = {
    "special": "Only regular files can be opened; use Bash for this one.",
    "process": "Use Bash, which sees only its own processes.",
    "outside": "Use a path inside the project.",
    "moved": "Something else is changing this path; look at it before trying again.",
    "changed": "Read it again, then repeat the change on what it holds now.",
    "exists": "Read it first.",
    "read-only": "If it is meant to be changed, make it writable first (chmod u+w).",
    "linked": "Writing would tear the links apart. To do so on purpose: `cp F F.new && mv F.new F` in Bash.",
}


class FileError(ToolError):
    """A file that cannot be opened or written: `kind` says why, `path` is as it was asked for."""

    def __init__(self, kind: Kind, path: Path, why: str, mend: str = "") -> None:
        super().__init__(f"{path}: {why}", mend or _MENDS.get(kind, ""))
        self.kind: Kind = kind
        self.path = path
        self.why = why


def digest(data: bytes) -> bytes:
    """What two readings of a file are compared by."""
    return hashlib.blake2b(data, digest_size=16).digest()


class Files:
    """The session's hold on its directories. `roots` are absolute; each must exist.

    Methods take the path as written and `real`, the place it led to when it was decided on; without `real` only
    places inside the roots are opened. All raise `FileError`.
    """

    def __init__(self, roots: tuple[Path, ...], opener: Opener | None = None) -> None:
        self.roots = roots
        self._open = opener or best_opener()
        places = [Path(os.path.realpath(root)) for root in roots]
        # The deepest first, "/" last: for what lies outside and was decided on.
        places = [*sorted(set(places), key=lambda place: -len(place.parts)), Path("/")]
        try:
            self._anchors = [(place, os.open(place, DIRECTORY)) for place in places]
        except OSError as error:
            raise HarnessError(f"{error.filename} cannot be worked in: {error.strerror}") from error
        self._inside = places[:-1]

    def close(self) -> None:
        while self._anchors:
            os.close(self._anchors.pop()[1])

    def real(self, path: Path) -> Path:
        """Where `path` leads now, through all symlinks; its last parts need not exist."""
        try:
            real = os.path.realpath(path)
            return path if real == str(path) else Path(real)
        except OSError:  # a symlink that was replaced while it was read; opening tells whether `path` is a real place
            return path
        except ValueError:  # a NUL or half a character: no place has such a name, and opening says so
            return path

    def open_read(self, path: Path, real: Path | None = None) -> BufferedReader:
        """A reader of a regular file."""
        place = self._place(path, real)
        # Non-blocking: opening a FIFO must not wait for its writer.
        fd = self._opened(path, place, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
        try:
            self._check_place(path, place, fd)
            _check_regular(path, os.fstat(fd))
        except BaseException:
            os.close(fd)
            raise
        return os.fdopen(fd, "rb")

    def read(self, path: Path, real: Path | None = None) -> bytes:
        with self.open_read(path, real) as file:
            return file.read()

    def names(self, path: Path, real: Path | None = None) -> list[str]:
        """What a directory holds, sorted; directories end in "/"."""
        place = self._place(path, real)
        fd = self._opened(path, place, os.O_RDONLY | os.O_DIRECTORY)
        try:
            self._check_place(path, place, fd)
            with os.scandir(fd) as entries:
                return sorted(entry.name + "/" * entry.is_dir(follow_symlinks=False) for entry in entries)
        finally:
            os.close(fd)

    def searchable(self, path: Path, real: Path | None = None) -> Path:
        """The real place of an existing file or directory, for a program that searches it."""
        place = self._place(path, real)
        fd = self._opened(path, place, getattr(os, "O_PATH", os.O_RDONLY | os.O_NONBLOCK))
        try:
            self._check_place(path, place, fd)
            state = os.fstat(fd)
        finally:
            os.close(fd)
        if not stat.S_ISDIR(state.st_mode):
            _check_regular(path, state)
        return place

    def write(
        self, path: Path, data: bytes, real: Path | None = None, *, expect: bytes | None, mode: int | None = None
    ) -> None:
        """Put `data` in place of the file at once: who looks sees the old bytes or the new, never a part.

        `expect` is the digest of the bytes that are to be replaced, None where there must be no file yet; missing
        directories are then made. Permission bits stay (`mode` sets those of a new file); as root, the owner too.
        """
        place = self._place(path, real)
        directory = self._directory_for(path, place)
        try:
            self._check_place(path, place.parent, directory)
            before = self._replaceable(path, place.name, directory, expect)
            self._swap_in(place.name, directory, data, before, mode)
        except OSError as error:
            raise _file_error(path, error) from error
        finally:
            os.close(directory)

    def _place(self, path: Path, real: Path | None) -> Path:
        place = self.real(path)
        if real is None:
            if not any(within(place, root) for root in self._inside):
                raise FileError("outside", path, f"leads outside the working directories, to {place}")
        elif place != real:
            raise _moved(path, real)
        return place

    def _anchor(self, place: Path) -> tuple[int, str]:
        root, fd = next(anchor for anchor in self._anchors if within(place, anchor[0]))
        return fd, str(place.relative_to(root))

    def _opened(self, path: Path, place: Path, flags: int) -> int:
        try:
            anchor, relative = self._anchor(place)
            return self._open(anchor, relative, flags, 0)
        except OSError as error:
            raise _file_error(path, error) from error

    def _check_place(self, path: Path, place: Path, fd: int) -> None:
        if _on_procfs(fd):
            raise FileError("process", path, "is a view of a running process")
        if (opened := _path_of(fd)) is not None and opened != str(place):
            raise _moved(path, place)

    def _directory_for(self, path: Path, place: Path) -> int:
        anchor, relative = self._anchor(place.parent)
        try:
            return make_directories(self._open, anchor, relative)
        except OSError as error:
            raise _file_error(path, error) from error

    def _replaceable(self, path: Path, name: str, directory: int, expect: bytes | None) -> os.stat_result | None:
        """The state of the file that may be replaced, None if there is none and need not be."""
        try:
            fd = os.open(name, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_NOFOLLOW, dir_fd=directory)
        except FileNotFoundError:
            if expect is None:
                return None
            raise FileError("changed", path, "was removed after it was read") from None
        with os.fdopen(fd, "rb") as file:
            state = os.fstat(fd)
            _check_regular(path, state)
            if expect is None:
                raise FileError("exists", path, "exists already")
            if not state.st_mode & 0o222:
                raise FileError("read-only", path, f"is read-only (mode {stat.S_IMODE(state.st_mode):04o})")
            if state.st_nlink > 1:
                raise FileError("linked", path, f"has {state.st_nlink} hard links")
            if digest(file.read()) != expect:
                raise FileError("changed", path, "has changed since it was read")
        return state

    def _swap_in(self, name: str, directory: int, data: bytes, before: os.stat_result | None, mode: int | None) -> None:
        temporary = f".{secrets.token_hex(8)}.tmp"
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o666, dir_fd=directory)
        try:
            with os.fdopen(fd, "wb", buffering=0) as file:
                left = memoryview(data)
                while left:
                    left = left[file.write(left) :]
                if before is None:
                    adopt(temporary, directory)
                    keep = mode
                else:
                    if os.geteuid() == 0:
                        os.fchown(fd, before.st_uid, before.st_gid)
                    keep = before.st_mode & 0o777  # set-user-id goes, as with any write
                if keep is not None:
                    os.fchmod(fd, keep)
            os.rename(temporary, name, src_dir_fd=directory, dst_dir_fd=directory)
        except BaseException:
            os.unlink(temporary, dir_fd=directory)
            raise


def _moved(path: Path, real: Path) -> FileError:
    return FileError("moved", path, f"the path changed while it was being opened: it no longer leads to {real}")


def _check_regular(path: Path, state: os.stat_result) -> None:
    if stat.S_ISDIR(state.st_mode):
        raise FileError("directory", path, "is a directory")
    for is_kind, name in (
        (stat.S_ISFIFO, "a named pipe"),
        (stat.S_ISSOCK, "a socket"),
        (stat.S_ISCHR, "a device"),
        (stat.S_ISBLK, "a block device"),
    ):
        if is_kind(state.st_mode):
            raise FileError("special", path, f"is {name}")


def _file_error(path: Path, error: OSError) -> FileError:
    match error.errno:
        case errno.ENOENT:
            return FileError("missing", path, "does not exist")
        case errno.ELOOP | errno.EXDEV:
            return FileError("moved", path, "the path changed while it was being opened: it has become a symlink")
        case errno.EACCES | errno.EPERM | errno.EROFS:
            return FileError("denied", path, f"the system refuses it ({os.strerror(error.errno)})")
        case errno.ENXIO:
            return FileError("special", path, "is a socket or a device without a driver")
        case errno.ENOTDIR:
            return FileError("missing", path, "does not exist: one of its parents is not a directory")
        case _:
            return FileError("failed", path, error.strerror or str(error))


def _path_of(fd: int) -> str | None:
    """The path of an open descriptor as the kernel sees it, None where it cannot be told."""
    if sys.platform == "darwin":
        import fcntl  # noqa: PLC0415  F_GETPATH exists there only

        return os.fsdecode(fcntl.fcntl(fd, fcntl.F_GETPATH, bytes(1024)).rstrip(b"\0"))
    try:
        return str(Path(f"/proc/self/fd/{fd}").readlink())
    except OSError:
        return None


def _on_procfs(fd: int) -> bool:
    try:
        return sys.platform == "linux" and os.fstat(fd).st_dev == Path("/proc").stat().st_dev
    except OSError:
        return False
