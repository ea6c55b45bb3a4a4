"""Bring the files back to a snapshot: look, keep what is there now, restore, and look again."""

from difflib import SequenceMatcher
from pathlib import Path

from harness.checkpoints import tree
from harness.checkpoints.back import Rewound
from harness.checkpoints.restore import Restorer
from harness.checkpoints.scan import Scanner
from harness.checkpoints.store import Store
from harness.checkpoints.tree import Change, Entry
from harness.errors import HarnessError

PASSES = 3  # a restored .gitignore or mode can bring more into sight
_COUNTED = 1 << 20  # bytes of a file whose lines are counted one by one


def rewind(store: Store, scanner: Scanner, snapshot: str, *, dry: bool = False) -> Rewound:
    """Make the roots what they were at `snapshot`.

    Raises:
        HarnessError: the snapshot is no longer whole, or of other directories; nothing has been changed then.
    """
    then = tree.decode(store.get(snapshot))
    before = scanner.look()
    wanted = _changes(store, before, then)
    needed = {c.then.value for _, cs in wanted for c in cs if c.then and c.then.kind == "file"}
    if not store.has(needed):
        raise HarnessError("Parts of this checkpoint are no longer kept.", "Choose a later one: harness rewind --list")
    flat = [(root, change) for root, found in wanted for change in found if _counts(change)]
    names = tuple(f"{root}/{change.path}" for root, change in flat)
    counted = [_lines(store, change) for _, change in flat]
    left: list[str] = []
    if not dry:
        left = _restore(store, scanner, then, wanted)
    return Rewound(before, names, sum(a for a, _ in counted), sum(b for _, b in counted), tuple(left))


def _restore(
    store: Store, scanner: Scanner, then: dict[str, Entry], wanted: list[tuple[str, list[Change]]]
) -> list[str]:
    left: list[str] = []
    for _ in range(PASSES):
        left = []
        for root, found in wanted:
            restorer = Restorer(Path(root), store.get)
            try:
                restorer.apply(found)
            finally:
                restorer.close()
            left += [f"{root}/{line}" for line in restorer.left]
        again = _changes(store, scanner.look(), then)
        if again == wanted or not any(found for _, found in again):
            break
        wanted = again
    return left


def _changes(store: Store, now: str, then: dict[str, Entry]) -> list[tuple[str, list[Change]]]:
    there = tree.decode(store.get(now))
    if missing := [root for root in then if not Path(root).is_dir()]:
        raise HarnessError(f"{missing[0]} is no longer a directory.", "Make it again, then rewind.")
    return [(root, list(tree.changes(store, there[root], then[root]))) for root in then if root in there]


def _counts(change: Change) -> bool:
    """Whether it is a change of something that is kept on both sides, as far as it is there."""
    kinds = {entry.kind for entry in (change.now, change.then) if entry}
    return "unkept" not in kinds and kinds != {"directory"}


def _lines(store: Store, change: Change) -> tuple[int, int]:
    """Lines that come and lines that go."""
    now, then = (_text(store, entry) for entry in (change.now, change.then))
    if now is None or then is None or now == then:
        return 0, 0
    matches = SequenceMatcher(None, now, then, autojunk=True).get_matching_blocks() if now and then else ()
    same = sum(match.size for match in matches)
    return len(then) - same, len(now) - same


def _text(store: Store, entry: Entry | None) -> list[bytes] | None:
    """The lines of a text; none of what is not there, None for what has no lines to count."""
    if entry is None or entry.kind == "directory":
        return []
    if entry.kind != "file":
        return None
    data = store.get(entry.value)
    return None if len(data) > _COUNTED or b"\0" in data[:8000] else data.splitlines(keepends=True)
