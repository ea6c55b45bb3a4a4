"""README stays true: every command in its shell blocks is run, here or by CI."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

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


JOB = yaml.safe_load(next(b for b in re.findall(r"```yaml\n(.*?)```", README, re.DOTALL) if "steps:" in b))


@pytest.mark.parametrize(("ok", "code"), [(True, 0), (False, 1)])
def test_the_job_for_ci_passes_or_fails_by_the_review(tmp_path: Path, ok: bool, code: int):
    """Its steps as a runner does them, but for the installation: that is what tests run in."""
    install, *work = [step["run"] for step in JOB["steps"]]
    name = re.search(r'^name = "(.*)"', (ROOT / "pyproject.toml").read_text("utf-8"), re.MULTILINE)
    assert install == f"pip install {name[1] if name else ''}"
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    answer = {"name": "StructuredOutput", "arguments": {"ok": ok, "comment": "Line 3 leaks."}}
    with running(parse({"step": [{"calls": [answer]}, {"text": "Done.", "times": "always"}]})) as server:
        env = {
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
            "HOME": str(tmp_path),
            "OPENAI_BASE_URL": server.url,
            "OPENAI_MODEL": "scripted",
            "GITHUB_STEP_SUMMARY": "summary",
        }
        codes = [
            subprocess.run(["bash", "-e", "-c", step], cwd=tmp_path, env=env, timeout=50, check=False).returncode
            for step in work
        ]
    assert codes == [0, code]
    assert (tmp_path / "summary").read_text() == "Line 3 leaks.\n"
    assert json.loads((tmp_path / "review.json").read_text())["sandbox"] == "full"


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
