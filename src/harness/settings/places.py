"""Where settings files are, and in which order they count."""

import os
import stat
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from harness import paths
from harness.errors import UsageError

if TYPE_CHECKING:
    from harness.settings.keys import Source

MANAGED = (Path("/etc/claude-code"), Path("/etc/harness"))  # the later wins
SOURCES = ("user", "project", "local")  # those that `--setting-sources` chooses from
LIMIT = 2 << 20  # bytes of a settings file, and of `--settings`


class Place(NamedTuple):
    """A settings file that may be there. `base`: where its rules written `/p` start."""

    path: Path
    source: "Source"
    base: Path
    vendor: bool  # written for Claude Code


def places(
    cwd: Path, home: Path, env: Mapping[str, str], sources: Collection[str], managed: Collection[Path]
) -> Iterator[Place]:
    """Every place, within a source the lowest first. `home` is our state directory."""
    person = list(_user(home, env))
    if "user" in sources:
        yield from person
    taken = {place.base.resolve() / place.path.name for place in person}
    for place in repository_places(cwd, sources):
        # started in a home, the person's own file is no project's
        if place.path.parent.resolve() / place.path.name not in taken:
            yield place
    yield from _managed(managed, cwd)


def content(path: Path, limit: int = LIMIT) -> bytes | None:
    """The bytes of a regular file, None where there is none. In the place of a missing `.mcp.json` the sandbox holds an
    empty directory while a command runs: that is none, too.

    Raises:
        OSError: it is something else, cannot be read, or is larger than `limit` bytes.
    """
    try:
        # what is no file (a pipe, a device) must neither hang us nor be read
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        kind = os.fstat(descriptor).st_mode
        if path.name == ".mcp.json" and stat.S_ISDIR(kind) and not os.listdir(descriptor):  # noqa: PTH208
            return None
        if not stat.S_ISREG(kind):
            raise OSError(0, "it is no regular file")
        with open(descriptor, "rb", closefd=False) as file:
            data = file.read(limit + 1)
    finally:
        os.close(descriptor)
    if len(data) > limit:
        raise OSError(0, f"it is larger than {limit >> 20} MiB")
    return data


def file_or_json(flag: str, value: str, cwd: Path) -> tuple[bytes, Path | None]:
    """What a flag gives that takes JSON or the name of a file of it: the bytes, and the file, None for JSON itself.

    Raises:
        UsageError: the file is not there or cannot be read, or it is too large.
    """
    if value.lstrip().startswith("{"):
        raw = value.encode("utf-8", "replace")
        if len(raw) > LIMIT:
            raise UsageError(f"{flag} is larger than {LIMIT >> 20} MiB.", "Make it smaller.")
        return raw, None
    path = paths.resolve(value, cwd)
    try:
        found = content(path)
    except OSError as error:
        raise UsageError(f"{flag} {path} cannot be read: {error.strerror}.", "Name a JSON file.") from None
    if found is None:
        raise UsageError(f"{flag} {path}: there is no such file.", "Name a JSON file, or give JSON itself.")
    return found, path


def repository(cwd: Path) -> Path:
    """The work tree that `cwd` is in, by its `.git`; `cwd` itself where there is none. Starts no process."""
    # Path.exists() raises where a directory may not be searched
    return next((place for place in (cwd, *cwd.parents) if os.path.lexists(place / ".git")), cwd)


def repository_places(cwd: Path, sources: Collection[str] = SOURCES) -> Iterator[Place]:
    """The files of the repository: project settings in the start directory, local ones at the root of git."""
    rooms = ((".claude", True), (".harness", False))
    if "project" in sources:
        yield from (Place(cwd / name / "settings.json", "project", cwd, vendor) for name, vendor in rooms)
    if "local" in sources:
        root = repository(cwd)
        yield from (Place(root / name / "settings.local.json", "local", cwd, vendor) for name, vendor in rooms)


def _user(home: Path, env: Mapping[str, str]) -> Iterator[Place]:
    """The file written for Claude Code, then ours, which wins; `$CLAUDE_CONFIG_DIR` may have made both one."""
    claude = paths.claude_home(env)
    yield Place(claude / "settings.json", "user", claude, True)
    if claude != home:
        yield Place(home / "settings.json", "user", home, False)


def _managed(directories: Collection[Path], cwd: Path) -> Iterator[Place]:
    """The files of the machine's owner: the main one, then its drop-ins in the order of their names."""
    for directory in directories:
        vendor = directory.name == "claude-code"
        drop_ins = sorted((directory / "managed-settings.d").glob("*.json"))
        for path in (directory / "managed-settings.json", *drop_ins):
            yield Place(path, "managed", cwd, vendor)
