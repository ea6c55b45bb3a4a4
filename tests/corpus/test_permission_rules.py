"""The given cases of commands, paths and URLs."""

import json
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
