"""Run the cases of the manifest against a sandbox, ours if not told otherwise, and print what held.

The wrapper is split as a shell splits it; {project} {home} {denied} {otherhome} {main} are replaced, and the case's
command is appended. Exit code 1 where a case is not as expected.
"""

import argparse
import json
import os
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from .case import PROGRAMS, Verdict, manifest, run

FLAGS = "--project {project} --home {home} --deny-read {denied} --deny-read {otherhome} --"


def main() -> int:
    given = _parser().parse_args()
    if given.user and os.geteuid() == 0:
        from .user import again

        return again([word for word in sys.argv[1:] if word != "--user"])
    names = given.only.split(",") if given.only else []
    cases = [case for case in manifest() if not names or case["name"] in names]
    missing = {name: [p for p in PROGRAMS.get(name, ()) if not shutil.which(p)] for name in (c["name"] for c in cases)}
    for name, programs in missing.items():
        if programs:
            print(f"skip {name}: there is no {' and no '.join(programs)} here")
    cases = [case for case in cases if not missing[case["name"]]]
    with ThreadPoolExecutor(given.jobs) as pool:
        verdicts = []
        for verdict in pool.map(lambda case: run(case, given.wrapper.replace("{level}", given.level)), cases):
            verdicts.append(verdict)
            if not given.quiet or not verdict.passed:
                print(verdict, flush=True)
    print(summary(verdicts))
    if given.json:
        result = {"uid": os.geteuid(), "wrapper": given.wrapper, "cases": [each.as_json() for each in verdicts]}
        Path(given.json).write_text(json.dumps(result, indent=1))
    return 0 if all(each.passed for each in verdicts) else 1


def summary(verdicts: list[Verdict]) -> str:
    attacks = [each for each in verdicts if each.kind == "attack"]
    work = [each for each in verdicts if each.kind == "work"]
    return (
        f"uid {os.geteuid()}: {sum(each.passed for each in verdicts)}/{len(verdicts)} as expected; attacks contained "
        f"{sum(each.verdict == 'CONTAINED' for each in attacks)}/{len(attacks)}; work that works "
        f"{sum(each.verdict == 'WORKS' for each in work)}/{len(work)}"
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.escapes", description=__doc__)
    ours = f"{Path(sys.executable).parent}/harness sandbox exec --level {{level}} {FLAGS}"
    parser.add_argument("--level", default="full", help="of our own sandbox (default: full)")
    parser.add_argument("--wrapper", default=ours, help="the sandbox to try (default: %(default)s)")
    parser.add_argument("--only", metavar="NAME,...", help="some cases")
    parser.add_argument("--jobs", type=int, default=2, help="how many at a time (default: 2)")
    parser.add_argument("--user", action="store_true", help="as root: run as a normal user, uid 65534")
    parser.add_argument("--json", metavar="FILE", help="write the verdicts there, too")
    parser.add_argument("-q", "--quiet", action="store_true", help="print only what is not as expected")
    return parser


if __name__ == "__main__":
    sys.exit(main())
