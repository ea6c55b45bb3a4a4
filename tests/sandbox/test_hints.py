"""What a failing command is told about the sandbox, and that other failures are told nothing."""

from pathlib import Path

import pytest

from harness.sandbox.hints import hints
from harness.sandbox.policy import Policy


def told(output, **policy):
    return " ".join(hints(output, Policy(project=Path("/p"), home=Path("/home/a"), **policy)))


@pytest.mark.parametrize(
    ("output", "hint"),
    [
        ("curl: (6) Could not resolve host: example.org", "no network"),
        ("bash: line 1: /etc/x: Read-only file system", "only the project and /tmp"),
        ("error: could not lock config file .git/config: Read-only file system", ".git/hooks are read-only"),
        ("cat: /tmp/x: No such file or directory", "new, empty /tmp"),
        ("python: can't open file '/tmp/t.py': [Errno 2] No such file or directory", "new, empty /tmp"),
        ("FileNotFoundError: [Errno 2] No such file or directory: '/tmp/a.json'", "new, empty /tmp"),
    ],
)
def test_the_cause_is_named(output, hint):
    assert hint in told(output)


@pytest.mark.parametrize(
    "output",
    ["cat: src/tmp/x: No such file or directory", "'/tmp/pytest-of-a/x': No such file or directory", "1 failed"],
)
def test_other_failures_are_left_alone(output):
    assert told(output) == ""


def test_plan_mode_and_network_change_what_is_told():
    assert "plan mode" in told("Read-only file system", project_readonly=True)
    assert told("Could not resolve host: example.org", network="host") == ""
