"""The given cases of commands, paths and URLs, more of our own, and the programs that run files of them."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.corpus import bash_rules, path_rules, ssrf_urls

DATA = Path(__file__).parent / "data"


def load(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (DATA / name).read_text("utf-8").splitlines()]


@pytest.mark.parametrize("case", load("bash_rules.jsonl"), ids=lambda case: case["id"])
def test_command(case):
    (got,) = bash_rules.check(case)
    assert got.passed, got


@pytest.mark.parametrize("case", load("path_rules.jsonl"), ids=lambda case: case["id"])
def test_path(case):
    assert [got for got in path_rules.check(case) if not got.passed] == []


@pytest.mark.parametrize("case", load("ssrf_urls.jsonl"), ids=lambda case: case["id"])
def test_url(case):
    (got,) = ssrf_urls.check(case)
    assert got.passed, got


def test_more_commands():
    assert [got for case in load("bash_rules_more.jsonl") for got in bash_rules.check(case) if not got.passed] == []


def test_more_paths():
    assert [got for case in load("path_rules_more.jsonl") for got in path_rules.check(case) if not got.passed] == []


def run(program: str, cwd: Path, *arguments: Path) -> tuple[str, int]:
    command = [sys.executable, str(DATA.parent / program), *map(str, arguments)]
    done = subprocess.run(command, cwd=cwd, env={}, capture_output=True, text=True, check=False)
    return (done.stdout.splitlines() or [done.stderr])[-1], done.returncode


def test_the_programs_run_from_anywhere_and_say_how_many_failed(tmp_path):
    assert run("path_rules.py", tmp_path, DATA / "path_rules.jsonl") == ("522 passed, 0 failed", 0)
    case = load("bash_rules.jsonl")[0]
    lines = [case, {**case, "expect": "deny"}, {"id": "x"}, {**case, "command": "ls \u2028", "expect": "ask"}]
    file = tmp_path / "cases.jsonl"
    file.write_text("\n".join(json.dumps(line, ensure_ascii=False) for line in lines), "utf-8")
    assert run("bash_rules.py", tmp_path, file) == ("2 passed, 2 failed", 1)
    assert run("bash_rules.py", tmp_path)[1] == run("bash_rules.py", tmp_path, tmp_path / "none")[1] == 2
