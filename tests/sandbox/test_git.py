"""git as we run it ourselves: nothing that a repository's configuration names is started, or it reaches nothing."""

import subprocess

import pytest

from harness.errors import HarnessError
from harness.sandbox import git
from tests.sandbox.room import Room

# Written into the repository and into the only directory that our git can write: seen wherever it runs.
CANARY = "#!/bin/sh\necho ran >> {store}/ran 2>/dev/null; echo ran >> {ran} 2>/dev/null; cat 2>/dev/null\n"
CONFIG = """
[filter "evil"]
    clean = {canary}
    smudge = {canary}
    process = {canary}
[diff "evil"]
    textconv = {canary}
    command = {canary}
[core]
    fsmonitor = {canary}
    hooksPath = {hooks}
"""
READERS = (("status", "--porcelain"), ("diff",), ("diff", "HEAD"), ("log", "-p"), ("show", "HEAD"), ("ls-files", "-m"))


@pytest.fixture
def hostile(room: Room) -> Room:
    """A project with a nested repository, as a submodule of it, whose configuration runs a program at every turn."""
    store, nested = room.base / "store", room.project / "vendor"
    store.mkdir()
    nested.mkdir()
    for place in (nested, room.project):
        room.git("init", cwd=place)
        (place / "file").write_text("one\n")
        (place / ".gitattributes").write_text("file filter=evil diff=evil\n")
        room.git("add", "-A", cwd=place)
        room.git("commit", "-m", "first", cwd=place)
    # Within the project: there our git can see them.
    canary, hooks = nested / ".git" / "canary", nested / ".git" / "planted"
    canary.write_text(CANARY.format(store=store, ran=room.base / "ran"))
    canary.chmod(0o755)
    hooks.mkdir()
    for name in ("post-index-change", "post-checkout", "pre-commit", "reference-transaction"):
        (hooks / name).symlink_to(canary)
    config = nested / ".git" / "config"
    config.write_text(config.read_text() + CONFIG.format(canary=canary, hooks=hooks))
    (nested / "file").write_text("two\n")
    return room


def ran(room: Room) -> bool:
    return (room.base / "ran").exists() or (room.base / "store" / "ran").exists()


def test_the_canary_sings_where_git_runs_as_it_is(hostile: Room):
    subprocess.run(["git", "status"], cwd=hostile.project, capture_output=True, check=False)
    assert ran(hostile)


@pytest.mark.parametrize("words", READERS, ids=" ".join)
def test_nothing_of_a_nested_repository_runs(hostile: Room, words):
    done = git.run(hostile.project, words, store=hostile.base / "store")
    assert done.returncode == 0, done.stderr
    assert not ran(hostile)


def test_the_projects_own_filter_reaches_nothing(hostile: Room):
    """`status` must ask a clean filter: it runs, and finds nothing that it could write."""
    config = hostile.project / ".git" / "config"
    config.write_text(config.read_text() + (hostile.project / "vendor" / ".git" / "config").read_text())
    (hostile.project / "file").write_text("two\n")
    done = git.run(hostile.project, ["status", "--porcelain"])
    assert done.stdout == b" M file\n"
    assert not ran(hostile)


def test_our_store_is_written_and_nothing_else(hostile: Room):
    store = hostile.base / "store"
    where = {"GIT_DIR": str(store / "git"), "GIT_WORK_TREE": str(hostile.project)}
    assert git.run(hostile.project, ["init", "-q"], store=store, env=where).returncode == 0
    words = ["hash-object", "-w", "--no-filters", "--stdin-paths"]
    done = git.run(hostile.project, words, store=store, stdin=b"vendor/file\n", env=where)
    shown = git.run(hostile.project, ["cat-file", "blob", done.stdout.decode().strip()], read=[store], env=where)
    assert shown.stdout == b"two\n"
    refused = git.run(hostile.project, ["commit", "--allow-empty", "-m", "x"])
    assert b"ead-only file system" in refused.stderr
    assert not ran(hostile)


def test_it_runs_the_systems_git_and_not_one_of_the_projects(room: Room, monkeypatch):
    fake = room.project / "git"
    fake.write_text("#!/bin/sh\necho fake\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{room.project}:/usr/bin")
    assert b"git version" in git.run(room.project, ["version"]).stdout


def test_a_linked_worktree_is_read(room: Room):
    main = room.base / "main"
    main.mkdir()
    room.git("init", cwd=main)
    room.git("commit", "--allow-empty", "-m", "first", cwd=main)
    room.project.rmdir()
    room.git("worktree", "add", str(room.project), "-b", "side", cwd=main)
    assert git.run(room.project, ["branch", "--show-current"]).stdout == b"side\n"


def test_a_git_that_does_not_end_is_ended(room: Room):
    room.git("init")
    (room.project / ".git" / "config").write_text("[alias]\n\tslow = !sleep 983.5\n")
    with pytest.raises(HarnessError, match="git slow took longer"):
        git.run(room.project, ["slow"], timeout=0.3)
