"""Keep rules in a project's local settings: the one file of a repository that we write.

The repository may be hostile: no link is followed, and what else the file holds stays as it is. Trust is in content
(`trust.py`): a rule of ours carries it on where the project was trusted as it is, or brings nothing else.
"""

import json
import os
import re
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import UsageError
from harness.settings import trust
from harness.settings.places import LIMIT, repository

_FILE = "settings.local.json"
_OUR_OWN = "# Written by harness: these are yours alone.\nsettings.local.json\n.gitignore\n"


@dataclass(frozen=True, slots=True)
class Saved:
    """`counts`: whether later sessions will take it from there as things are."""

    path: Path
    counts: bool


def save_rules(home: Path, cwd: Path, texts: Sequence[str]) -> Saved:
    """Add allow rules to the local settings of the project that `cwd` (real) is in.

    Raises:
        UsageError: the file that is there cannot be added to.
        OSError: it cannot be written.
    """
    root = repository(cwd)
    path = root / ".harness" / _FILE
    with _alone(home):
        before = trust.inventory(cwd)
        carried = not before or trust.recorded(home, cwd) == trust.digest(before)
        with _directory(root) as directory:
            old, mode = _read(directory, path)
            # what was trusted must be what is added to: somebody may have changed it since
            carried = carried and _hashed(old) == before.get(os.path.relpath(path, cwd))
            written = _added(old, texts, path)
            _replace(directory, written, mode)
            if old is None and os.path.lexists(root / ".git"):
                _hide(directory)
        return Saved(path, carried and _carry_on(home, cwd, before, path, written))


def _carry_on(home: Path, cwd: Path, before: dict[str, str], path: Path, written: bytes) -> bool:
    """Trust the project with our file in it, if that is all that is new."""
    now, own = trust.inventory(cwd), os.path.relpath(path, cwd)
    if now != before | {own: _hashed(written)}:
        return False
    trust.grant(home, cwd, trust.digest(now))
    return True


def _hashed(data: bytes | None) -> str | None:
    """As `trust.inventory` has it: an empty file is as good as none."""
    from hashlib import sha256  # noqa: PLC0415  seldom needed

    return sha256(data).hexdigest() if data and data.strip() else None


@contextmanager
def _alone(home: Path) -> Iterator[None]:
    """Two sessions may save at the same time."""
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (home / "rules.lock").open("a") as lock:
        trust.locked(lock)
        yield


@contextmanager
def _directory(root: Path) -> Iterator[int]:
    place = root / ".harness"
    try:
        place.mkdir()
    except FileExistsError:
        pass
    try:
        directory = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        raise UsageError(f"{place} is no directory of its own.", "Rules are not written through a link.") from None
    try:
        yield directory
    finally:
        os.close(directory)


def _read(directory: int, path: Path) -> tuple[bytes | None, int]:
    """The file's bytes and mode bits; None where there is none."""
    try:
        descriptor = os.open(_FILE, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=directory)
    except FileNotFoundError:
        return None, 0o644
    except OSError:
        raise UsageError(f"{path} is no file of its own.", "Rules are not written through a link.") from None
    with open(descriptor, "rb") as file:  # noqa: PTH123  a descriptor, not a path
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_size > LIMIT:
            raise UsageError(f"{path} is no settings file.", "Move it out of the way.")
        return file.read(LIMIT), stat.S_IMODE(status.st_mode)


def _added(old: bytes | None, texts: Sequence[str], path: Path) -> bytes:
    """The file with the rules at the end of its list; everything else as it was, in the indentation that it had."""
    text = ""
    data: Any = {}
    if old is not None and old.strip():
        try:
            text = old.decode("utf-8-sig")
            data = json.loads(text)
        except (ValueError, RecursionError):
            raise UsageError(f"{path} is not valid JSON.", "Mend it, then the rule can be added.") from None
    permissions = data.setdefault("permissions", {}) if isinstance(data, dict) else None
    allowed = permissions.setdefault("allow", []) if isinstance(permissions, dict) else None
    if not isinstance(allowed, list):
        raise UsageError(f"{path}: permissions.allow is no list of rules.", "Mend it, then the rule can be added.")
    allowed += [each for each in texts if each not in allowed]
    found = re.search(r'\n([ \t]+)"', text)
    return f"{json.dumps(data, indent=found[1] if found else 2, ensure_ascii=False)}\n".encode("utf-8", "surrogatepass")


def _replace(directory: int, data: bytes, mode: int) -> None:
    """Written beside it and renamed: whoever reads sees the old file or the new one."""
    fresh = f".{_FILE}.{os.getpid()}.new"
    with suppress(FileNotFoundError):
        os.unlink(fresh, dir_fd=directory)
    _write(directory, fresh, data, mode)
    os.rename(fresh, _FILE, src_dir_fd=directory, dst_dir_fd=directory)


def _hide(directory: int) -> None:
    """Keep the file out of commits. A `.gitignore` beside it needs neither the person's own git settings nor `.git`."""
    with suppress(FileExistsError):
        _write(directory, ".gitignore", _OUR_OWN.encode(), 0o644)


def _write(directory: int, name: str, data: bytes, mode: int) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(name, flags, mode, dir_fd=directory)
    with open(descriptor, "wb") as file:  # noqa: PTH123  a descriptor, not a path
        file.write(data)
        file.flush()
        os.fsync(descriptor)
