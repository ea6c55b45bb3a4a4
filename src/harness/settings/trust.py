"""Trust in what a repository brings along, bound to its content: any change of it asks again.

Trusted are the files that can start programs or widen rights: settings, `.mcp.json`, hooks, agents, commands,
skills, and the project's own files that their command lines name.
"""

import json
import os
import shlex
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from harness.errors import HarnessError, UsageError
from harness.paths import within
from harness.settings.places import content, repository, repository_places
from harness.settings.values import State

_ROOMS = (".claude", ".harness")
_DIRECTORIES = ("hooks", "agents", "commands", "skills")
LOCK_PATIENCE = 10.0  # seconds
FILES_LIMIT = 5_000
FILE_LIMIT = 64 << 20  # bytes


def state(home: Path, project: Path, known: Mapping[Path, bytes], *, listed: bool = False) -> State:
    """Whether what the project holds now is what was trusted.

    `known`: bytes of files that were read already, which must be those that are judged. `listed`: the person's
    settings name the project as one to trust; then the content that is seen first is.

    Raises:
        UsageError: its content cannot be read.
    """
    before = recorded(home, project)
    if before is None and not listed:
        return "untrusted"
    now = digest(inventory(project, known))
    if before is None and now:
        grant(home, project, now)
    return "trusted" if before in {None, now} else "changed"


# ---- content ------------------------------------------------------------------------------------------------


def inventory(project: Path, known: Mapping[Path, bytes] | None = None) -> dict[str, str]:
    """What is to be trusted: names of files, relative to the project, and a hash of each one's bytes.

    Raises:
        UsageError: a file that cannot be read, or more files than anybody would look at.
    """
    from hashlib import sha256  # noqa: PLC0415  slow to load, and most projects have nothing to trust

    sources = {path: data for path in _named(project) if (data := (known or {}).get(path) or _bytes(path)).strip()}
    found = {path: sha256(data).hexdigest() for path, data in sources.items()}
    for path in (*_walked(project), *_scripts(project, sources.values())):
        if path not in found:
            found[path] = sha256(_link(path) or _bytes(path)).hexdigest()
        if len(found) > FILES_LIMIT:
            raise UsageError(
                f"{project}: more than {FILES_LIMIT} files to trust.", "Move what is no configuration elsewhere."
            )
    return {os.path.relpath(path, project): hashed for path, hashed in found.items()}


def digest(content: Mapping[str, str]) -> str:
    """A hash of an inventory; '' of an empty one."""
    from hashlib import sha256  # noqa: PLC0415

    lines = (f"{json.dumps(name)} {hashed}\n" for name, hashed in sorted(content.items()))
    return sha256("".join(lines).encode()).hexdigest() if content else ""


def _named(project: Path) -> Iterator[Path]:
    yield from (place.path for place in repository_places(project))
    yield project / ".mcp.json"
    if (root := repository(project)) != project:
        yield root / ".mcp.json"


def _walked(project: Path) -> Iterator[Path]:
    for room in _ROOMS:
        for name in _DIRECTORIES:
            for directory, below, files in os.walk(project / room / name):
                links = [each for each in below if Path(directory, each).is_symlink()]
                yield from (Path(directory, each) for each in (*links, *files))


def _link(path: Path) -> bytes:
    """Where a linked directory leads; what is in it is not walked."""
    return os.fsencode(path.readlink()) if path.is_symlink() and path.is_dir() else b""


def _bytes(path: Path) -> bytes:
    try:
        return content(path, FILE_LIMIT) or b""
    except OSError as error:
        raise UsageError(
            f"{path} cannot be trusted: {error.strerror}.", "Trust is bound to content: mend or remove that file."
        ) from None


def _scripts(project: Path, sources: Iterable[bytes]) -> Iterator[Path]:
    """Files of the project that the command lines in settings and `.mcp.json` name."""
    for source in sources:
        try:
            texts = list(_texts(json.loads(source.decode("utf-8-sig")), commands=False))
        except (ValueError, RecursionError):
            continue  # it does not count as settings either
        for word in (word for text in texts for word in _words(text)):
            path = Path(os.path.normpath(project / word))
            if within(path, project) and os.path.isfile(path):  # noqa: PTH113  Path's raises on names that are too long
                yield path


def _texts(value: Any, *, commands: bool) -> Iterator[str]:
    if isinstance(value, str) and commands:
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item, commands=commands)
    elif isinstance(value, dict):
        for name, item in value.items():
            yield from _texts(item, commands=commands or name in {"command", "args"})


def _words(command: str) -> Iterable[str]:
    for name in ("CLAUDE_PROJECT_DIR", "HARNESS_PROJECT_DIR"):
        command = command.replace("${" + name + "}", ".").replace("$" + name, ".")
    try:
        return shlex.split(command)
    except ValueError:  # quotes that do not close
        return command.split()


# ---- the record ---------------------------------------------------------------------------------------------


def recorded(home: Path, project: Path) -> str | None:
    """The digest that was trusted; None where none was, or the record cannot be read."""
    found = _record(home).get(str(project))
    return found if isinstance(found, str) else None


def grant(home: Path, project: Path, trusted: str) -> None:
    """Trust a digest of a project, and no longer the one before. Raises OSError."""
    with _changing(home) as record:
        record[str(project)] = trusted


def revoke(home: Path, project: Path) -> bool:
    """Trust a project no longer; False where it was not trusted. Raises OSError."""
    with _changing(home) as record:
        return record.pop(str(project), None) is not None


def _record(home: Path) -> dict[str, Any]:
    try:
        data = json.loads((home / "trust.json").read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}  # nothing is trusted then
    projects = data.get("projects") if isinstance(data, dict) else None
    return projects if isinstance(projects, dict) else {}


def locked(file: IO[str], within: float = LOCK_PATIENCE) -> None:
    """Hold the file's lock alone. Raises HarnessError where another process keeps it for longer than `within` s."""
    import fcntl  # noqa: PLC0415
    import time  # noqa: PLC0415

    end = time.monotonic() + within
    while True:
        try:
            return fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > end:
                why = f"{file.name} has been locked by another process for {within:g} s."
                raise HarnessError(why, "End that process, or wait for it.") from None
        time.sleep(0.02)


@contextmanager
def _changing(home: Path) -> Iterator[dict[str, Any]]:
    """The record, written back whole; others who write it wait."""
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (home / "trust.lock").open("a") as lock:
        locked(lock)
        record = _record(home)
        yield record
        fresh = home / "trust.json.new"
        fresh.unlink(missing_ok=True)
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "w", encoding="utf-8") as file:  # noqa: PTH123  a descriptor, not a path
            json.dump({"version": 1, "projects": record}, file, indent=1)
        fresh.replace(home / "trust.json")
