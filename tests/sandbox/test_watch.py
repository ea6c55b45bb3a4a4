"""Protection that is lost while a command runs: seen, the command ended, the names put back; and what commands make."""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.sandbox.outcome import Finished
from harness.sandbox.restore import Memory
from tests.sandbox.room import Room

LOOP = "touch up; while :; do {{ {attack}; }} 2>/dev/null; sleep 0.005; done"


async def during(room: Room, command: str, outside: Callable[[], object]) -> Finished:
    """Run the command, and do something outside once it is at work."""
    running = asyncio.create_task(room.run(command))
    while not (room.project / "up").exists():
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.05)
    outside()
    return await running


def hooks_again(room: Room) -> None:
    hooks = room.project / ".git" / "hooks"
    hooks.rename(room.base / "hooks")
    (room.base / "hooks").rename(hooks)
    for path in hooks.iterdir():
        path.unlink()
    hooks.rmdir()


LOSSES = {
    "config": (lambda room: room.git("config", "user.name", "x"), "echo evil >> .git/config", ".git/config"),
    "hooks": (hooks_again, "mkdir .git/hooks; echo evil > .git/hooks/pre-commit", ".git/hooks"),
    ".claude": (lambda room: (room.project / ".claude").rmdir(), "mkdir .claude; echo evil > .claude/x", ".claude"),
    ".mcp.json": (lambda room: (room.project / ".mcp.json").rmdir(), "echo evil > .mcp.json", ".mcp.json"),
}


@pytest.mark.parametrize(("outside", "attack", "name"), LOSSES.values(), ids=LOSSES.keys())
async def test_a_protected_path_replaced_from_outside_ends_the_command_and_is_restored(
    room: Room, outside, attack, name
):
    room.git("init")
    before = contents(room.project)
    done = await during(room, LOOP.format(attack=attack), lambda: outside(room))
    assert (done.timed_out, done.elapsed < 10) == (False, True)
    assert "Ended: while the command ran, something outside" in done.notes[0]
    assert name in done.notes[0]
    (room.project / "up").unlink()
    assert contents(room.project) == before
    kept = [path for path in (room.base / "state" / "sandbox" / "replaced").rglob("*") if path.is_file()]
    if name == ".git/config":
        assert any(b"name = x" in path.read_bytes() for path in kept)


async def test_an_edit_in_place_from_outside_is_the_persons_and_stays(room: Room):
    room.git("init")
    config = room.project / ".git" / "config"

    def edit() -> None:
        with config.open("a") as file:
            file.write("[user]\n\tname = person\n")
        (room.project / "go").touch()

    done = await during(room, "touch up; until [ -e go ]; do sleep 0.01; done; echo end", edit)
    assert (done.output, done.notes) == ("end\n", ())
    assert "person" in config.read_text()


def contents(directory: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


def test_what_is_remembered_is_put_back_as_it_was(room: Room):
    kept, memory = room.project / ".claude", Memory()
    (kept / "worktrees").mkdir(parents=True)
    (kept / "worktrees" / "own").write_text("own")
    (kept / "run.sh").write_text("x")
    (kept / "run.sh").chmod(0o750)
    (kept / "link").symlink_to("run.sh")
    memory.take([kept, room.project / ".envrc"])
    assert memory.changed() == ()
    (kept / "worktrees" / "own").write_text("changed")
    assert memory.changed() == ()
    (kept / "run.sh").unlink()
    (kept / "link").unlink()
    (kept / "link").write_text("no link")
    (kept / "planted").mkdir()
    (kept / "planted" / "x").write_text("evil")
    assert memory.changed() == (kept,)
    (said,) = memory.restore([kept])
    assert "replaced" in said
    assert sorted(path.name for path in kept.iterdir()) == ["link", "run.sh", "worktrees"]
    assert ((kept / "run.sh").stat().st_mode & 0o777, os.readlink(kept / "link")) == (0o750, "run.sh")
    assert (kept / "worktrees" / "own").read_text() == "changed"
    assert memory.changed() == ()


def test_nothing_is_written_through_a_directory_that_was_replaced(room: Room):
    memory, git = Memory(), room.project / ".git"
    git.mkdir()
    (git / "config").write_text("mine")
    memory.take([git / "config"])
    git.rename(room.base / "moved")
    (room.base / "victim").mkdir()
    git.symlink_to(room.base / "victim")
    assert "could not be restored" in memory.restore([git / "config"])[0]
    assert list((room.base / "victim").iterdir()) == []


@pytest.mark.parametrize(
    ("command", "note"),
    [
        ("git init -q vendor/x", "New git repository: vendor/x."),
        ("git init -q", "New git repository: ."),
        ("mkdir -p b/objects b/refs; touch b/HEAD", "takes for a repository: b."),
        ("echo x > .envrc; mkdir .vscode", "execute: .envrc, .vscode."),
        ("mkdir -p vendor/y; touch file; echo .envrc", None),
    ],
)
async def test_what_a_command_made_that_others_execute_is_told(room: Room, command, note):
    done = await room.run(command)
    assert [note in line for line in done.notes] == ([True] if note else [])
    assert (await room.run("true")).notes == ()
