"""Real root's bound on processes and memory, where control groups can be written."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.sandbox import cgroup
from harness.sandbox.limits import PROCESSES

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or cgroup.own() is None, reason="needs root and control groups that can be written"
)
RUN = "import sys; from harness.sandbox.exec import sandbox_exec; sys.exit(sandbox_exec(sys.argv[1:]))"


def of(process: "subprocess.Popen[str]") -> list[Path]:
    """The groups that are there for a process."""
    group = cgroup.own()
    assert group
    places = (place.with_name(f"{cgroup.PREFIX}{process.pid}") for place in group.places)
    return [place for place in places if place.exists()]


def start(project: Path, *command: str) -> "subprocess.Popen[str]":
    words = [sys.executable, "-c", RUN, "--project", str(project), "--", *command]
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def test_a_command_is_in_the_group_before_it_runs_and_the_group_goes_with_us(room):
    with start(room.project, "bash", "-c", "echo up; sleep 0.5") as process:
        assert process.stdout
        assert process.stdout.readline() == "up\n"
        mine = of(process)
        assert all(len((path / "cgroup.procs").read_text().split()) >= 2 for path in mine)
        limits = [int((path / "pids.max").read_text()) for path in mine if (path / "pids.max").exists()]
        assert limits == [PROCESSES]
    assert not of(process)


def test_processes_are_bounded(room):
    """Without the group real root has no bound: the limit is lowered here, since 2048 take a second."""
    group = cgroup.own()
    assert group
    lowered = group.places[0] / "pids.max"
    lowered.write_text("40")
    try:
        bomb = "for i in $(seq 60); do sleep 5 & done; echo all"
        done = subprocess.run(group.enter(["bash", "-c", bomb]), capture_output=True, text=True, check=False)
    finally:
        lowered.write_text(str(PROCESSES))
    assert "Resource temporarily unavailable" in done.stderr


def test_the_group_of_a_killed_process_is_swept(room):
    with start(room.project, "sleep", "0.2") as process:
        while not of(process):
            assert process.poll() is None
        process.kill()
    for _ in range(100):  # the sandbox ends with its parent, soon
        with start(room.project, "true") as another:
            assert another.wait() == 0
        if not of(process):
            return
    raise AssertionError(of(process))


def test_a_command_does_not_run_where_it_cannot_join(tmp_path):
    gone = cgroup.Group((tmp_path / "gone",), frozenset({"pids"}), "tasks")
    done = subprocess.run(gone.enter(["touch", str(tmp_path / "ran")]), capture_output=True, check=False)
    assert done.returncode != 0
    assert not (tmp_path / "ran").exists()
