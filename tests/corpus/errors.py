"""Run a file of error bodies through the product's classifier: `python tests/corpus/errors.py FILE.jsonl`.

Prints each case that failed and why; ends with `N passed, M failed`; exit 1 if any failed.
"""

import json
import sys
from pathlib import Path
from typing import Any

from harness.providers.errors import classify

KINDS = {"overflow": "context_overflow", "quota": "rate_limit"}  # the corpus's words for ours


def read(case: dict[str, Any]) -> dict[str, Any]:
    """What the product makes of it, in the corpus's words."""
    error = classify(case["status"], case["headers"], case["body"])
    return {
        "kind": KINDS.get(error.kind, error.kind),
        "sub": "quota" if error.kind == "quota" else None,
        "retryable": error.retry is not None,
        "retry_after_s": error.retry.after if error.retry else None,
        "limit_tokens": error.limit_tokens,
        "used_tokens": error.used_tokens,
        "reduce": error.reduce,
        "fix": error.fix,
        "hint": error.hint,
    }


def failures(case: dict[str, Any]) -> list[str]:
    got = read(case)
    return [f"{k} {got.get(k)!r}, not {v!r}" for k, v in case["expect"].items() if got.get(k) != v]


def main(file: str) -> int:
    failed = 0
    cases = [json.loads(line) for line in Path(file).read_text(encoding="utf-8").splitlines() if line.strip()]
    for case in cases:
        if wrong := failures(case):
            failed += 1
            print(f"{case['name']}: {'; '.join(wrong)}")  # noqa: T201  this is what it is for
    print(f"{len(cases) - failed} passed, {failed} failed")  # noqa: T201
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
