"""Entries that exist only while commands run, so that a protected name cannot be created inside.

One file per project in our state directory is lock and journal in one. Every running sandbox holds it shared;
whoever can have it alone sweeps what the journal names. So concurrent commands do not sweep each other's mount
points (a mount goes away with its directory), and what a killed process left is swept by the next one, or when the
next session begins: it may run no command.
"""

import errno
import fcntl
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from harness.paths import placeholder_journal
from harness.sandbox.protect import Placeholder

_NOT_OURS = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOENT, errno.ENOTDIR}


@contextmanager
def hold(project: Path, *, create: bool = True) -> "Iterator[Journal | None]":
    """The project's journal, held shared; left-overs are swept before and after. None where it is not needed.

    Raises OSError where the state directory cannot be written.
    """
    if not create:
        yield None
        return
    file = placeholder_journal(project)
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _sweep_if_alone(descriptor)
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        try:
            yield Journal(descriptor)
        finally:
            _sweep_if_alone(descriptor)
    finally:
        os.close(descriptor)


def sweep(project: Path) -> None:
    """Remove what a process that was killed left, unless a sandbox of the project lives. Raises OSError."""
    descriptor = os.open(placeholder_journal(project), os.O_RDWR | os.O_CLOEXEC)
    try:
        _sweep_if_alone(descriptor)
    finally:
        os.close(descriptor)


class Journal:
    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def create(self, placeholders: Sequence[Placeholder], owner: tuple[int, int]) -> frozenset[Path]:
        """Make each that is missing, journaled first; the paths that could not be made are returned.

        Where we may not write, no command may either. Raises OSError for any other failure.
        """
        by_path = {one.path: one for one in placeholders}  # a directory may be writable by several rules
        missing = [
            one for one in by_path.values() if not os.path.lexists(one.path)
        ]  # else another command's: it has it
        records = "".join(_record(placeholder) for placeholder in missing)
        os.lseek(self._descriptor, 0, os.SEEK_END)
        os.write(self._descriptor, records.encode())
        refused = set()
        for placeholder in missing:
            try:
                _make(placeholder, owner)
            except FileExistsError:
                pass  # another command's, meanwhile
            except OSError as error:
                if error.errno not in _NOT_OURS:
                    raise
                refused.add(placeholder.path)
        return frozenset(refused)


def _record(placeholder: Placeholder) -> str:
    content = None if placeholder.content is None else placeholder.content.decode()
    return json.dumps({"path": os.fsdecode(placeholder.path), "content": content}) + "\n"


def _make(placeholder: Placeholder, owner: tuple[int, int]) -> None:
    if placeholder.content is None:
        placeholder.path.mkdir(mode=0o755)
    else:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        file = os.open(placeholder.path, flags, 0o644)
        os.write(file, placeholder.content)
        os.close(file)
    if os.geteuid() == 0 and owner[0] != 0:
        os.chown(placeholder.path, *owner, follow_symlinks=False)


def _sweep_if_alone(descriptor: int) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return  # another sandbox of this project lives; the last one sweeps
    os.lseek(descriptor, 0, os.SEEK_SET)
    size = os.fstat(descriptor).st_size
    for line in reversed(os.read(descriptor, size).splitlines()):
        try:
            record = json.loads(line)
        except ValueError:
            continue  # torn by a kill in the middle of the write: then the entry was not made yet
        _remove(Path(record["path"]), record["content"])
    os.ftruncate(descriptor, 0)


def _remove(path: Path, content: str | None) -> None:
    """Only what is still as we made it: an empty directory, a file with our content."""
    try:
        if content is None:
            path.rmdir()
        elif not path.is_symlink() and path.is_file() and path.read_text() == content:
            path.unlink()
    except (OSError, UnicodeDecodeError):
        pass  # someone fills or has removed it: it is theirs now
