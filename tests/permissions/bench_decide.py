"""How long a decision takes: `python tests/permissions/bench_decide.py [FILE]`, over a file of command cases.

Median and worst, in process, with an empty parse cache (`cold`) and with what was just parsed (`warm`).
"""

import json
import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from harness.effects import Runs
from harness.messages import ToolCall
from harness.permissions import Rules
from harness.permissions.bash.parse import parse
from harness.permissions.decide import decide
from tests.corpus.bash_rules import ROOTS
from tests.corpus.decisions import PROJECT

GIVEN = Path(__file__).parents[1] / "corpus/data/bash_rules.jsonl"


def timed(file: Path, rounds: int, *, cold: bool) -> list[float]:
    """Milliseconds of every decision; the rules are read beforehand, as a session does."""
    prepared = []
    for line in file.read_text("utf-8").split("\n"):
        if line:
            case = json.loads(line)
            call = ToolCall("c", "Bash", "{}", {"command": case["command"]})
            given = Rules.parse(
                {"deny": case["deny_rules"], "ask": case["ask_rules"], "allow": case["allow_rules"]}, "project", PROJECT
            )
            prepared.append((call, Runs(case["command"], PROJECT), given, case["mode"]))
    found = []
    for _ in range(rounds):
        for call, runs, rules, mode in prepared:
            if cold:
                parse.cache_clear()
            began = time.perf_counter()
            decide(call, [runs], rules, mode, ROOTS)
            found.append((time.perf_counter() - began) * 1_000)
    return found


if __name__ == "__main__":
    cases = Path(sys.argv[1]) if len(sys.argv) > 1 else GIVEN
    timed(cases, 1, cold=True)  # loads what is loaded once
    for name in ("cold", "warm"):
        took = timed(cases, 5, cold=name == "cold")
        print(f"{name}: {len(took)} decisions, median {statistics.median(took):.3f} ms, worst {max(took):.1f} ms")  # noqa: T201
