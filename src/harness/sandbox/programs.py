"""Which program a name means: absolute, and outside everything that a command or the model can write.

An active virtual environment of the project stands first on PATH and may hold what the model wrote.
"""

import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

from harness.errors import SandboxUnavailable
from harness.paths import within
from harness.sandbox.masks import mode

SYSTEM = ("/usr/bin", "/bin", "/usr/local/bin", "/run/current-system/sw/bin", "/opt/homebrew/bin")


def find_all(name: str, writable: Iterable[Path]) -> Iterator[Path]:
    """Every executable of that name, the system's first; none below a directory in `writable`."""
    roots, seen = list(writable), set()
    for directory in (*SYSTEM, *os.environ.get("PATH", "").split(os.pathsep)):
        path = Path(os.path.realpath(Path(directory) / name)) if Path(directory).is_absolute() else None
        if path is None or path in seen or any(within(path, root) for root in roots):
            continue
        seen.add(path)
        if stat.S_ISREG(mode(path)) and os.access(path, os.X_OK):
            yield path


def guarded(path: str, writable: Iterable[Path]) -> str:
    """A PATH without the places that a command can write, or that are relative to where one stands."""
    roots = list(writable)
    kept = [
        place
        for place in path.split(os.pathsep)
        if Path(place).is_absolute() and not any(within(Path(os.path.realpath(place)), root) for root in roots)
    ]
    return os.pathsep.join(kept or SYSTEM)


def find(name: str, writable: Iterable[Path]) -> Path:
    """The first of them. Raises SandboxUnavailable where there is none."""
    for path in find_all(name, writable):
        return path
    raise SandboxUnavailable(
        f"No `{name}` was found outside the project.", f"Install {name} with the system's package manager."
    )
