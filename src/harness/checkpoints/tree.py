"""What a directory held: entries by name, encoded so that equal directories are equal bytes."""

import json
from collections.abc import Iterator, Mapping
from typing import Literal, NamedTuple, Protocol

Kind = Literal["file", "link", "directory", "unkept"]


class Entry(NamedTuple):
    """One name. `value`: the id of a file's bytes or of a directory's entries, a link's target, or why it is not kept.

    Nothing that is not kept is ever removed or overwritten.
    """

    kind: Kind
    mode: int
    value: str


class Change(NamedTuple):
    """One name that differs between two trees: `path` is relative to the root, None stands for `not there`."""

    path: str
    now: Entry | None
    then: Entry | None


Entries = Mapping[str, Entry]


class Objects(Protocol):
    """Where trees are: `get` raises HarnessError for what is no longer kept."""

    def get(self, key: str) -> bytes: ...


def encode(entries: Entries) -> bytes:
    return json.dumps(entries, sort_keys=True, separators=(",", ":")).encode("ascii")


def decode(data: bytes) -> dict[str, Entry]:
    return {name: Entry(*entry) for name, entry in json.loads(data).items()}


def changes(objects: Objects, now: Entry | None, then: Entry | None, path: str = "") -> Iterator[Change]:
    """Everything that must change for `now` to become `then`, a directory before what is in it.

    Directories of equal content are not looked into.
    """
    if now == then:
        return
    if path and not _same_directory(now, then):
        yield Change(path, now, then)
    before, after = _entries(objects, now), _entries(objects, then)
    if (now and now.kind == "unkept") or (then and then.kind == "unkept"):
        return
    for name in sorted(before.keys() | after.keys()):
        yield from changes(objects, before.get(name), after.get(name), f"{path}/{name}" if path else name)


def _same_directory(now: Entry | None, then: Entry | None) -> bool:
    """Whether both are directories that differ in nothing but what they hold."""
    return bool(now and then) and now[:2] == then[:2] and now.kind == "directory"  # type: ignore[index,union-attr]


def _entries(objects: Objects, entry: Entry | None) -> dict[str, Entry]:
    return decode(objects.get(entry.value)) if entry and entry.kind == "directory" else {}
