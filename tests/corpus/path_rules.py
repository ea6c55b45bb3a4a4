"""Run a file of path decisions: `python tests/corpus/path_rules.py FILE.jsonl`.

A line holds `id, tool, path` (as the model wrote it), `cwd, project, home, settings_source, additional_dirs,
symlinks {link: target}, allow_rules, deny_rules, ask_rules, expect {mode: decision}, also_ok {mode: [...]}`.
"""

import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from harness.effects import Effect, Reads, Writes
from harness.messages import ToolCall
from harness.permissions import Rules
from harness.permissions.decide import decide
from harness.permissions.paths import Roots
from tests.corpus.decisions import Case, decided, linked, roots_for, run


def effect(tool: str, written: str, roots: Roots) -> Effect:
    """As the tools declare it: absolute, `..` folded; a glob reads the directory before its first wildcard."""
    if tool in {"Glob", "Grep"} and re.search(r"[*?\[]", written):
        written = re.split(r"[*?\[]", written)[0].rpartition("/")[0] or ("/" if written.startswith("/") else ".")
    path = str(roots.home) + written[1:] if written.startswith("~/") else written
    absolute = Path(os.path.normpath(roots.cwd / path))
    return Writes(absolute) if tool in {"Edit", "Write", "NotebookEdit", "MultiEdit"} else Reads(absolute)


def check(case: Mapping[str, Any]) -> list[Case]:
    roots = roots_for(
        project=Path(case["project"]),
        cwd=Path(case["cwd"]),
        home=Path(case["home"]),
        extra=tuple(Path(directory) for directory in case["additional_dirs"]),
        real=linked(case["symlinks"]),
    )
    source = case["settings_source"]
    anchor = {"project": roots.project, "user": roots.home / ".harness"}.get(source, roots.cwd)
    rules = Rules.parse(
        {"deny": case["deny_rules"], "ask": case["ask_rules"], "allow": case["allow_rules"]}, source, anchor
    )
    call = ToolCall("c", case["tool"], "{}", {})
    cases = []
    for mode, expected in case["expect"].items():
        got = decide(call, [effect(case["tool"], case["path"], roots)], rules, mode, roots)
        accepted = {expected, *(case["also_ok"] or {}).get(mode, [])}
        cases.append(Case(f"{case['id']} {mode}", decided(got), accepted, got.reason, case["why"]))
    return cases


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:], check))
