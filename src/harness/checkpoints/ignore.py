"""What need not be kept: what `.gitignore` files name and git does not track.

Read by ourselves, in a project with git and without: no git runs, so nothing that a repository configures does.
"""

import hashlib
import os
import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from pathspec import GitIgnoreSpec

from harness.settings.places import content, repository

_BOUND = 256 << 20  # bytes: an index of two million files


@dataclass(frozen=True, slots=True)
class Rules:
    """The ignore files that count in a directory, the outermost first. `mark` changes when any of them does."""

    mark: str = ""
    specs: tuple[tuple[str, GitIgnoreSpec], ...] = ()
    tracked: Callable[[str], bool] = field(default=lambda _: False, compare=False)
    everything: bool = False  # within a nested `.git` nothing is ignored

    def below(self, directory: str, lines: bytes) -> "Rules":
        """With the `.gitignore` of a directory below."""
        mark = hashlib.blake2b(f"{self.mark}\0{directory}\0".encode("utf-8", "replace") + lines, digest_size=8)
        spec = _spec(lines)
        specs = (*self.specs, (directory + "/", spec)) if spec else self.specs
        return Rules(mark.hexdigest(), specs, self.tracked, self.everything)

    def ignores(self, path: str, *, directory: bool) -> bool:
        """Whether an absolute path is ignored, and nothing in it is tracked."""
        if self.everything:
            return False
        name = path + "/" * directory
        for base, spec in reversed(self.specs):
            found = spec.check_file(name[len(base) :]).include
            if found is not None:
                return found and not self.tracked(path)
        return False


def everything() -> Rules:
    return Rules("everything", everything=True)


def rules_at(root: Path) -> Rules:
    """The rules that count in a working directory: those of its repository, from its top downwards."""
    top = repository(root)
    rules = Rules(tracked=_Tracked(top))
    rules = rules.below(str(top), _bytes(top / ".git" / "info" / "exclude"))
    above = [place for place in reversed(root.parents) if place == top or top in place.parents]
    for place in above:
        rules = rules.below(str(place), _bytes(place / ".gitignore"))
    return rules


def _spec(lines: bytes) -> GitIgnoreSpec | None:
    kept = [line for line in lines.decode("utf-8", "replace").splitlines() if line and not line.startswith("#")]
    try:
        return GitIgnoreSpec.from_lines(kept) if kept else None
    except ValueError:  # a pattern that git cannot read either: it would pass over the line
        return GitIgnoreSpec.from_lines(line for line in kept if _readable(line))


def _readable(line: str) -> bool:
    try:
        GitIgnoreSpec.from_lines([line])
    except ValueError:
        return False
    return True


def _bytes(path: Path) -> bytes:
    """A regular file's bytes: a command can have put a pipe or a device there, which would never end."""
    try:
        return content(path, _BOUND) or b""
    except OSError:
        return b""


class _Tracked:
    """Whether git's index names a path or something below it. Read when first asked, and again when it changed."""

    def __init__(self, top: Path) -> None:
        self._top, self._index = top, _git_directory(top) / "index"
        self._names: set[str] = set()
        self._stamp: tuple[int, int] | None = None

    def __call__(self, path: str) -> bool:
        try:
            state = self._index.stat()
        except OSError:
            return False
        if self._stamp != (stamp := (state.st_mtime_ns, state.st_size)):
            self._names, self._stamp = set(_with_parents(index_names(_bytes(self._index)))), stamp
        return os.path.relpath(path, self._top) in self._names


def _git_directory(top: Path) -> Path:
    git = top / ".git"
    if not git.is_file():
        return git
    line = _bytes(git).decode("utf-8", "surrogateescape").partition("gitdir:")[2].strip()
    return top / line if line else git


def tracked(top: Path) -> Iterable[str]:
    """The paths that git tracks in the work tree at `top`, read from its index; git is not started."""
    return index_names(_bytes(_git_directory(top) / "index"))


def _with_parents(names: Iterable[str]) -> Iterable[str]:
    for name in names:
        yield name
        while "/" in name:
            name = name.rpartition("/")[0]  # noqa: PLW2901
            yield name


def index_names(data: bytes) -> Iterable[str]:
    """The paths in a git index of version 2, 3 or 4 (gitformat-index); of one that cannot be read, those before."""
    if len(data) < 12 or data[:4] != b"DIRC":
        return
    version, count = struct.unpack(">II", data[4:12])
    at, before = 12, b""
    hashed = 20
    try:
        for _ in range(count):
            flags = struct.unpack_from(">H", data, at + 40 + hashed)[0]
            start = at + 42 + hashed + (2 if version >= 3 and flags & 0x4000 else 0)
            if version == 4:
                cut, start = _varint(data, start)
                end = data.index(b"\0", start)
                before = before[: len(before) - cut] + data[start:end]
                at = end + 1
            else:
                end = data.index(b"\0", start)
                before = data[start:end]
                at += (end - at + 8) // 8 * 8
            yield os.fsdecode(before)
    except (struct.error, ValueError, IndexError):
        return


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """Git's offset encoding, and where it ends."""
    byte = data[at]
    value = byte & 0x7F
    while byte & 0x80:
        at += 1
        byte = data[at]
        value = ((value + 1) << 7) | (byte & 0x7F)
    return value, at + 1
