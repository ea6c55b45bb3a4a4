"""Our sandbox against the whole suite: as root and as a normal user where we are root, else as the user we are."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def suite(*words: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "tests.escapes", "-q", *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.suite
@pytest.mark.timeout(600)
def test_everything_is_as_expected():
    done = suite()
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"uid {os.geteuid()}" in done.stdout


@pytest.mark.suite
@pytest.mark.timeout(600)
@pytest.mark.skipif(os.geteuid() != 0, reason="this is a normal user already; only root can also run the half of root")
def test_everything_is_as_expected_for_a_normal_user_too():
    done = suite("--user")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "uid 65534" in done.stdout


def test_without_a_sandbox_the_attacks_succeed():
    """What the suite says is worth nothing if it cannot fail."""
    done = suite("--wrapper", "env", "--only", "write_outside_abs,read_ssh_key,git_nested_hook,write_project")
    assert done.returncode == 1
    assert "attacks contained 0/3; work that works 1/1" in done.stdout
