"""Any tree, any changes: every snapshot can be gone back to, and the way back undone."""

import os
import shutil
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.checkpoints.rewind import rewind
from harness.checkpoints.scan import Scanner
from harness.checkpoints.store import Store
from harness.checkpoints.watch import Watch
from tests.checkpoints.trees import picture

NAMES = ["a", "b", "ä b", "x.py", ".env", "-n", "new\nline", "a.b", "\udcff"]
PATHS = st.lists(st.sampled_from(NAMES), min_size=1, max_size=4)
MODES = st.sampled_from([0o644, 0o755, 0o600, 0o444, 0o400, 0o777])
STEP = st.one_of(
    st.tuples(st.just("write"), PATHS, st.binary(max_size=40), MODES),
    st.tuples(st.just("directory"), PATHS, st.just(b""), st.sampled_from([0o755, 0o700, 0o555, 0o1777])),
    st.tuples(st.just("link"), PATHS, st.sampled_from([b"a", b"../x", b"/etc/passwd", b"gone"]), MODES),
    st.tuples(st.just("remove"), PATHS, st.just(b""), MODES),
    st.tuples(st.just("chmod"), PATHS, st.just(b""), MODES),
    st.tuples(st.just("move"), PATHS, st.sampled_from([b"a", b"b", b"m/n"]), MODES),
)


def do(root: Path, step: tuple[str, list[str], bytes, int]) -> None:
    """One change, as far as what is there allows it."""
    kind, names, data, mode = step
    path = root.joinpath(*names)
    try:
        if kind not in {"chmod", "move", "remove"}:
            path.parent.mkdir(parents=True, exist_ok=True)
        match kind:
            case "write":
                path.write_bytes(data) if not path.is_symlink() else None
                path.chmod(mode)
            case "directory":
                path.mkdir(exist_ok=True)
                path.chmod(mode)
            case "link":
                path.symlink_to(os.fsdecode(data))
            case "remove":
                shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
            case "chmod":
                if not path.is_symlink():
                    path.chmod(mode | (0o700 if path.is_dir() else 0))
            case "move":
                target = root / os.fsdecode(data)
                target.parent.mkdir(parents=True, exist_ok=True)
                path.rename(target)
    except OSError:
        pass


@contextmanager
def room():
    with TemporaryDirectory() as base:
        root = Path(base, "project")
        root.mkdir()
        store, watch = Store(Path(base, "state", "x.sqlite")), Watch()
        try:
            yield root, store, Scanner(store, (root,), Path(base, "state"), watch), watch
        finally:
            watch.close()
            store.close()
            for place, directories, _ in os.walk(root):
                for name in directories:
                    if not os.path.islink(os.path.join(place, name)):
                        os.chmod(os.path.join(place, name), 0o755)


def same(root: Path) -> dict[str, tuple[str, ...]]:
    return picture(root, without=(".git", ".tmp"))


def check(rounds: list[list[tuple[str, list[str], bytes, int]]]) -> None:
    with room() as (root, store, scanner, watch):
        snapshots = [(scanner.look(), same(root))]
        for steps in rounds:
            for step in steps:
                do(root, step)
            # what the watch says is as good as a full look
            dirty = watch.changed()
            partial = scanner.look(dirty)
            fresh = Scanner(store, (root,), root.parent / "state")
            fresh._rows = {}
            assert partial == fresh.look()
            snapshots.append((partial, same(root)))
        last = snapshots[-1][1]
        for snapshot, expected in [*reversed(snapshots), *snapshots]:
            before = same(root)
            done = rewind(store, scanner, snapshot)
            assert done.left == ()
            assert same(root) == expected
            rewind(store, scanner, done.before)
            assert same(root) == before
            rewind(store, scanner, snapshot)
        assert same(root) == last


@settings(max_examples=25)
@given(st.lists(st.lists(STEP, max_size=8), min_size=1, max_size=3))
def test_any_tree_comes_back(rounds):
    check(rounds)


@pytest.mark.long
@settings(max_examples=2_000)
@given(st.lists(st.lists(STEP, max_size=12), min_size=1, max_size=5))
def test_any_tree_comes_back_at_length(rounds):
    check(rounds)
