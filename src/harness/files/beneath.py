"""Opening below an anchor directory, never through a symlink: the one guard against paths that change.

`openat2` (Linux 5.6) does it in one call; elsewhere, and where a container's filter forbids it, each component is
opened by itself with `O_NOFOLLOW`. Both were raced against a process that swaps a directory and a symlink
(tests/files/test_race.py): no write lands outside.
"""

import ctypes
import errno
import os
from collections.abc import Callable

# Directories are opened for their place only, which needs no read permission; macOS has no O_PATH.
DIRECTORY = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC

Opener = Callable[[int, str, int, int], int]

_OPENAT2 = 437  # the same number on every architecture but alpha: include/uapi/asm-generic/unistd.h
_RESOLVE = 0x08 | 0x04 | 0x02  # BENEATH | NO_SYMLINKS | NO_MAGICLINKS: include/uapi/linux/openat2.h


class _How(ctypes.Structure):
    _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))


_libc = ctypes.CDLL(None, use_errno=True)


def openat2(anchor: int, relative: str, flags: int, mode: int) -> int:
    """A descriptor for `relative` ("." for the anchor itself). Raises OSError: ELOOP for any symlink."""
    how = _How(flags | os.O_CLOEXEC, mode if flags & os.O_CREAT else 0, _RESOLVE)
    fd = int(_libc.syscall(_OPENAT2, anchor, os.fsencode(relative), ctypes.byref(how), ctypes.sizeof(how)))
    if fd < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), relative)
    return fd


def walk(anchor: int, relative: str, flags: int, mode: int) -> int:
    """The same, a component at a time. Raises OSError: ENOTDIR or ELOOP for a symlink."""
    *parents, last = relative.split("/")
    at = anchor
    try:
        for name in parents:
            inner = os.open(name, DIRECTORY, dir_fd=at)
            if at != anchor:
                os.close(at)
            at = inner
        return os.open(last, flags | os.O_NOFOLLOW | os.O_CLOEXEC, mode, dir_fd=at)
    finally:
        if at != anchor:
            os.close(at)


def best_opener() -> Opener:
    """`openat2` where the kernel has it and lets us, else `walk`."""
    root = os.open("/", DIRECTORY)
    try:
        os.close(openat2(root, ".", DIRECTORY, 0))
    except OSError as error:
        if error.errno not in {errno.ENOSYS, errno.EPERM, errno.EINVAL}:
            raise
        return walk
    finally:
        os.close(root)
    return openat2


def make_directories(opener: Opener, anchor: int, relative: str) -> int:
    """A descriptor for the directory `relative`, made with its parents where missing. Raises OSError."""
    try:
        return opener(anchor, relative, DIRECTORY, 0)
    except FileNotFoundError:
        pass
    parent, _, name = relative.rpartition("/")
    outer = make_directories(opener, anchor, parent or ".")
    try:
        try:
            os.mkdir(name, dir_fd=outer)
        except FileExistsError:  # somebody else made it meanwhile
            return os.open(name, DIRECTORY, dir_fd=outer)
        adopt(name, outer)
        return os.open(name, DIRECTORY, dir_fd=outer)
    finally:
        os.close(outer)


def adopt(name: str, directory: int) -> None:
    """As root on another user's project, what we make is theirs: else their own commands could not change it."""
    if os.geteuid() == 0:
        owner = os.fstat(directory)
        os.chown(name, owner.st_uid, owner.st_gid, dir_fd=directory, follow_symlinks=False)
