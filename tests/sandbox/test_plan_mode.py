"""Plan mode: the kernel's promise that the project stays as it is, with tests and builds still running."""

import sys
from pathlib import Path

import pytest

from harness.sandbox import probe
from harness.sandbox.launch import Bwrap
from tests.sandbox.room import Room, finish


@pytest.fixture(params=[True, False], ids=["overlay", "read-only"])
def plan_room(room: Room, request, monkeypatch) -> Room:
    """Both forms of plan mode: a throw-away overlay, and (older bwrap) a read-only mount."""
    if not request.param:
        program = next(probe._programs(room.policy()))
        monkeypatch.setattr(probe, "launcher", lambda _: Bwrap(program))
    room.git("init")
    (room.project / "test_it.py").write_text("def test_it():\n    assert 1 + 1 == 2\n")
    room.git("add", "-A")
    room.git("commit", "-m", "first")
    return room


def tree(directory: Path) -> list[str]:
    return sorted(str(path.relative_to(directory)) for path in directory.rglob("*"))


async def test_nothing_in_the_project_changes(plan_room: Room):
    before = tree(plan_room.project)
    await plan_room.run("echo x > new; rm -rf .git test_it.py; mkdir -p .claude/x", project_readonly=True)
    assert tree(plan_room.project) == before


async def test_git_log_and_the_projects_code_run(plan_room: Room):
    before = tree(plan_room.project)
    command = "git log --oneline && git status && python3 -c 'import test_it; test_it.test_it()'"
    done = await plan_room.run(command, project_readonly=True)
    assert done.exit_code == 0, done.output
    assert tree(plan_room.project) == before


async def test_pytest_runs(room: Room):
    (room.project / "test_it.py").write_text("def test_it():\n    assert 1 + 1 == 2\n")
    done = await room.run(f"{sys.executable} -m pytest -q test_it.py", project_readonly=True)
    assert "1 passed" in done.output
    assert tree(room.project) == ["test_it.py"]


async def test_the_mode_may_change_between_two_commands(room: Room):
    readonly = True
    from harness.sandbox import open_shell

    shell = open_shell(lambda: room.policy(project_readonly=readonly), room.base / "results")
    await finish(shell, "touch planned", room.project)
    readonly = False
    await finish(shell, "touch done", room.project)
    assert tree(room.project) == ["done"]


async def test_a_read_only_project_is_explained(room: Room, monkeypatch):
    program = next(probe._programs(room.policy()))
    monkeypatch.setattr(probe, "launcher", lambda _: Bwrap(program))
    done = await room.run("touch x", project_readonly=True)
    assert done.notes == (
        "In plan mode the project is read-only; only /tmp can be written, and it is emptied after each command.",
    )
