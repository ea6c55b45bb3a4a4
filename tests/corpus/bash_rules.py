"""Run a file of command decisions: `python tests/corpus/bash_rules.py FILE.jsonl`.

A line holds `id, command, allow_rules, deny_rules, ask_rules, mode, expect, also_ok, why`. The context is fixed:
project and directory `/home/u/proj`, home `/home/u`, rules from project settings, no sandbox, and `link_out` in
the project a link to `/etc`. In `auto`, "ask" means that the classifier is asked.
"""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from harness.effects import Runs
from harness.messages import ToolCall
from harness.permissions import Rules
from harness.permissions.decide import decide
from tests.corpus.decisions import PROJECT, Case, decided, linked, roots_for, run

ROOTS = roots_for(real=linked({"/home/u/proj/link_out": "/etc"}))


def check(case: Mapping[str, Any]) -> list[Case]:
    rules = Rules.parse(
        {"deny": case["deny_rules"], "ask": case["ask_rules"], "allow": case["allow_rules"]}, "project", PROJECT
    )
    call = ToolCall("c", "Bash", json.dumps({"command": case["command"]}), {"command": case["command"]})
    got = decide(call, [Runs(case["command"], PROJECT)], rules, case["mode"], ROOTS)
    return [Case(case["id"], decided(got), {case["expect"], *case["also_ok"]}, got.reason, case["why"])]


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:], check))
