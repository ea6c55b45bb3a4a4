"""What was last seen of a directory, so that only what changed is read again: git's index, a row a directory."""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from harness.checkpoints.tree import Entry

# A change this soon after another may bear the same time: the kernel's clock for files is coarse (10 ms at most).
RACY_NS = 20_000_000

Sign = tuple[int, int, int, int, int]  # ctime, mtime, size, inode, mode


def sign(state: os.stat_result, read_at: int) -> Sign | None:
    """What shows that a file is still the one that was read at that time (ns); None where nothing could show it."""
    if state.st_ctime_ns > read_at - RACY_NS:
        return None
    return signature(state)


def signature(state: os.stat_result) -> Sign:
    return (state.st_ctime_ns, state.st_mtime_ns, state.st_size, state.st_ino, state.st_mode)


@dataclass(slots=True)
class Folder:
    """`sign`: of the directory itself, its names are known as long as it holds. `signs`: of all but directories.

    `rules`: the fingerprint of the ignore rules that decided on its names. `tree`: the id of `entries`.
    """

    sign: Sign | None
    rules: str
    entries: dict[str, Entry] = field(default_factory=dict)
    signs: dict[str, Sign | None] = field(default_factory=dict)
    tree: str = ""


def encode(folder: Folder) -> str:
    return json.dumps((folder.sign, folder.rules, folder.entries, folder.signs, folder.tree), separators=(",", ":"))


def decode(data: str) -> Folder:
    own, rules, entries, signs, tree = json.loads(data)
    return Folder(
        _tuple(own),
        rules,
        {name: Entry(*entry) for name, entry in entries.items()},
        {name: _tuple(one) for name, one in signs.items()},
        tree,
    )


def ids(data: str) -> Iterator[str]:
    """The objects that a row relies on."""
    folder = decode(data)
    yield folder.tree
    yield from (entry.value for entry in folder.entries.values() if entry.kind == "file")


def _tuple(values: list[Any] | None) -> Sign | None:
    return (values[0], values[1], values[2], values[3], values[4]) if values else None
