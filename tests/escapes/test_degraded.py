"""The degraded level against the whole suite: docs/sandbox.md must say what it does not hold, no more and no less."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from harness.sandbox import landlocked

ROOT = Path(__file__).parents[2]


@pytest.mark.long
@pytest.mark.skipif(landlocked.abi() < landlocked.OLDEST, reason="this kernel has no Landlock of version 3")
def test_the_table_is_what_the_suite_says(tmp_path):
    command = [sys.executable, "-m", "tests.escapes", "--level", "degraded", "-q", "--json", str(tmp_path / "said")]
    subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
    cases = json.loads((tmp_path / "said").read_text())["cases"]
    different = {case["name"] for case in cases if not case["passed"]}
    text = (ROOT / "docs" / "sandbox.md").read_text()
    rows = re.findall(
        r"^\| ([a-z_ ]+) \|", text.split("Not as at the full level:")[1].split("## macOS")[0], re.MULTILINE
    )
    told = {name for row in rows if not row.startswith(("not ", "does ")) for name in row.split()}
    assert different == told
