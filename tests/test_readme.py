"""README stays true: every command in its shell blocks is run, here or by CI."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from harness.scripted.script import parse
from harness.scripted.server import running

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
BLOCKS = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
LINES = [line.split("  #")[0].strip() for block in BLOCKS for line in block.splitlines() if line.strip()]
# Run by .ci/run; by its set-up; by tests/test_terminal.py; an environment that each test here sets.
ELSEWHERE = {"make demo", "make test", "pip install .", "harness"}
HERE = [line for line in LINES if line not in ELSEWHERE and not line.startswith("export ")]


@pytest.mark.parametrize("line", HERE)
def test_a_command_of_the_readme_runs(line: str, tmp_path: Path):
    (tmp_path / "project").mkdir()
    subprocess.run(["git", "init", "-q", "project"], cwd=tmp_path, check=True)
    with running(parse({"step": [{"text": "I have looked.", "times": "always"}]})) as server:
        env = {
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
            "HOME": str(tmp_path),
            "OPENAI_BASE_URL": server.url,
            "OPENAI_MODEL": "scripted",
        }
        done = subprocess.run(
            ["bash", "-c", line],
            cwd=tmp_path / "project",
            env=env,
            capture_output=True,
            text=True,
            timeout=50,
            check=False,
        )
    if "sandbox exec" in line:  # written so that the kernel's refusals are seen
        refusals = ("Read-only file system", "Permission denied", "blocked: connection to")
        assert any(refusal in done.stderr for refusal in refusals)
        assert "OPENAI" not in done.stdout
        return
    assert done.returncode == 0, done.stderr
    if "--output-format json" in line:
        assert json.loads(done.stdout)["result"] == "I have looked."
    elif " -p " in line:
        assert done.stdout == "I have looked.\n"


def test_the_two_first_commands_are_those_that_ci_runs():
    ci = (ROOT / ".ci" / "run").read_text("utf-8")
    assert LINES[:2] == ["make demo", "make test"]
    assert all(line in ci.splitlines() for line in LINES[:2])


def test_what_ci_runs_is_executable_and_stops_at_the_first_failure():
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
    assert "set -euo pipefail" in (ROOT / ".ci" / "run").read_text("utf-8")


def test_flags_named_in_the_readme_exist():
    from harness.flags import parser

    known = {name for action in parser()._actions for name in action.option_strings}
    named = {word for code in re.findall(r"`(harness [^`]*|--[a-z][^`]*)`", README) for word in shlex.split(code)}
    named |= {word for line in LINES for word in shlex.split(line)}
    others = {
        "--",
        "--against",
        "--files",
        "--json",
        "--list",
        "--origin",
        "--probe",
        "--run-tools",
        "--to",
        "--undo",
        "--user",
        "--yes",
    }
    assert {word for word in named if word.startswith("--")} <= known | others
