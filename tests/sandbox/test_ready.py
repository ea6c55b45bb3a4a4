"""A sandbox made ready ahead: used where it is as good as a new one, else ended; nothing of it is left."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from harness.sandbox.shell import SandboxShell
from tests.sandbox.room import Room, finish, waiting


class Spy:
    """Whether the last command was given to the sandbox that waited."""

    def __init__(self, shell: SandboxShell) -> None:
        self.shell = shell

    async def run(self, room: Room, command: str, cwd: Path | None = None) -> tuple[bool, str]:
        ready = self.shell._ready
        assert ready is not None
        _, done = await finish(self.shell, command, cwd or room.project)
        assert self.shell._ready is None
        self.shell.discard()
        assert ready.run.process.process.returncode is not None
        return ready.used, done.output


@pytest.fixture
async def spy(room: Room) -> Spy:
    room.git("init")
    (room.project / "vendor" / "sub").mkdir(parents=True)
    (room.project / ".envrc").write_text("x")
    spy = Spy(room.shell())
    await waiting(spy.shell, room.project)
    return spy


async def test_the_command_goes_to_the_one_that_waits(room: Room, spy: Spy):
    assert await spy.run(room, "echo $0; pwd") == (True, f"bash\n{room.project}\n")
    assert sorted(path.name for path in room.project.iterdir()) == [".envrc", ".git", "vendor"]


@pytest.mark.parametrize("middle", ["x" * 200_000, "ä" * 70_000])
@pytest.mark.parametrize("end", ["", "\n", "; false | true", "\n# comment", "\ncat <<E\nopen"])
async def test_a_long_command_arrives_whole(room: Room, spy: Spy, middle, end):
    used, output = await spy.run(room, f"x='{middle}'\necho ${{#x}}{end}")
    assert (used, output.split()[0]) == (True, str(len(middle)))


CHANGES = {
    "a nested repository": lambda room: room.git("init", cwd=room.project / "vendor" / "sub"),
    "a protected name": lambda room: (room.project / ".npmrc").write_text("x"),
    "a protected file replaced": lambda room: replace(room.project / ".envrc"),
    "a protected file removed": lambda room: (room.project / ".envrc").unlink(),
    "git's configuration replaced": lambda room: room.git("config", "user.name", "x"),
    "a placeholder removed": lambda room: (room.project / ".mcp.json").rmdir(),
    "a new secret": lambda room: (room.home / ".token").write_text("x"),
    "the directory replaced": lambda room: remake(room.project, room.base / "old"),
}


def remake(directory: Path, aside: Path) -> None:
    directory.rename(aside)
    directory.mkdir()


def replace(path: Path) -> None:
    (path.parent / "new").write_text("new")
    (path.parent / "new").rename(path)


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
async def test_a_change_on_the_disk_is_seen_just_before_use(room: Room, spy: Spy, change):
    change(room)
    assert await spy.run(room, "echo ok") == (False, "ok\n")


async def test_an_ordinary_change_is_none(room: Room, spy: Spy):
    (room.project / "vendor" / "file").write_text("x")
    replace(room.project / "vendor" / "file")
    assert await spy.run(room, "cat vendor/file") == (True, "new")


async def test_another_directory_policy_or_environment_needs_another(room: Room, monkeypatch):
    options: dict[str, object] = {}
    shell = SandboxShell(lambda: room.policy(**options), room.base / "results")
    (room.project / "sub").mkdir()
    await waiting(shell, room.project)
    assert await Spy(shell).run(room, "pwd", room.project / "sub") == (False, f"{room.project}/sub\n")
    await waiting(shell, room.project)
    options["env"] = {"APP": "1"}
    assert await Spy(shell).run(room, "echo $APP") == (False, "1\n")
    await waiting(shell, room.project)
    monkeypatch.setenv("LC_TEST", "here")
    assert await Spy(shell).run(room, "echo $LC_TEST") == (False, "here\n")
    await waiting(shell, room.project)
    options["project_readonly"] = True
    assert (await Spy(shell).run(room, "touch made"))[0] is False
    assert not (room.project / "made").exists()


async def test_one_that_died_is_not_used(room: Room, spy: Spy):
    assert spy.shell._ready is not None
    leader = spy.shell._ready.run.process.process.pid
    os.killpg(leader, signal.SIGKILL)
    os.waitid(os.P_PID, leader, os.WEXITED | os.WNOWAIT)
    assert await spy.run(room, "echo ok") == (False, "ok\n")


async def test_what_a_command_leaves_is_cleared_away_by_the_next_call(room: Room, spy: Spy):
    for _ in range(2):
        await finish(spy.shell, "true", room.project)
        assert (room.project / ".mcp.json").exists()
        spy.shell.prepare(room.project)
        assert (room.project / ".mcp.json").exists()
    spy.shell.discard()
    assert sorted(path.name for path in room.project.iterdir()) == [".envrc", ".git", "vendor"]


async def test_discarding_leaves_nothing(room: Room, spy: Spy):
    ready = spy.shell._ready
    assert ready is not None
    spy.shell.discard()
    assert ready.run.process.process.returncode is not None
    assert sorted(path.name for path in room.project.iterdir()) == [".envrc", ".git", "vendor"]
    assert (await finish(spy.shell, "echo ok", room.project))[1].output == "ok\n"


async def test_nothing_is_started_before_the_first_command_nor_twice(room: Room):
    shell = room.shell()
    seen = []
    for _ in range(3):
        shell.prepare(room.project)
        seen.append(shell._ready)
        if len(seen) == 1:
            await finish(shell, "true", room.project)
    assert seen[0] is None
    assert seen[1] is not None
    assert seen[1] is seen[2]
    shell.discard()


def test_killed_with_us_and_swept_by_the_next(room: Room):
    """A harness that is killed while one waits leaves no process, and its placeholders only to the next."""
    script = (
        "import asyncio, os, sys; from pathlib import Path; from tests.sandbox.room import Room, waiting\n"
        "async def main():\n"
        "    room = Room(*map(Path, sys.argv[1:])); shell = room.shell(); await waiting(shell, room.project)\n"
        "    print(*children(shell._ready.run.process.process.pid), flush=True); os.kill(os.getpid(), 9)\n"
        "def children(pid):\n"
        "    found = Path(f'/proc/{pid}/task/{pid}/children').read_text().split()\n"
        "    return [pid, *(below for child in found for below in children(child))]\n"
        "asyncio.run(main())\n"
    )
    words = [sys.executable, "-c", script, str(room.base), str(room.project), str(room.home)]
    done = subprocess.run(words, cwd=Path(__file__).parents[2], stdout=subprocess.PIPE, check=False)
    assert done.returncode == -signal.SIGKILL
    waited = done.stdout.split()
    assert len(waited) >= 3
    for pid in waited:
        ended(int(pid))
    from harness.sandbox import placeholders

    with placeholders.hold(room.project):
        assert list(room.project.iterdir()) == []


def ended(pid: int) -> None:
    import time

    for _ in range(200):
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return
        except OSError:
            return
        time.sleep(0.01)
    raise AssertionError(f"{pid} is still alive")
