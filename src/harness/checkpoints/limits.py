"""What is not kept, and why: the table of docs/checkpoints.md."""

import os
from pathlib import Path

from harness.checkpoints.ignore import Rules

HUGE = 16 << 20  # bytes of a file beyond which it is not kept
IGNORED = 256 << 10  # the same for files that are ignored: `.env` is kept, a log or a data set is not
NESTED = 64 << 20  # of all files in a nested repository's `.git`: it is kept whole or not at all
MOST = 200_000  # names in a project beyond which there are no checkpoints
DEEP = 200  # directories within directories
MADE_AGAIN = frozenset({"node_modules", "__pycache__", ".tox"})
MARKS = ("CACHEDIR.TAG", "pyvenv.cfg")  # whose presence says that the directory is a cache or an environment
_OURS = frozenset({".harness", ".claude", ".mcp.json"})


def unkept(directory: str, rules: Rules) -> str:
    """Why a directory is not looked into; '' where it is."""
    name = directory.rpartition("/")[2]
    if name == ".git":
        return "large repository" if _more_than(directory, NESTED) else ""
    if rules.everything:
        return ""
    if name in MADE_AGAIN or any(os.path.lexists(f"{directory}/{mark}") for mark in MARKS):
        return "made again"
    return "ignored" if rules.ignores(directory, directory=True) else ""


def placeholder(name: str, path: str) -> bool:
    """Whether it is what the sandbox puts in a project's top directory while a command runs: empty, and of ours."""
    if name not in _OURS:
        return False
    place = Path(path)
    try:
        return not any(place.iterdir()) if place.is_dir() else place.stat().st_size == 0
    except OSError:
        return False


def _more_than(directory: str, limit: int) -> bool:
    total = 0
    for place, _, names in os.walk(directory):
        for name in names:
            try:
                total += Path(place, name).lstat().st_size
            except OSError:
                continue
            if total > limit:
                return True
    return False
