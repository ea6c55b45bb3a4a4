"""What the two runners of permission cases share: the fixed context, and how a file is run and reported."""

import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.permissions import Allow, Decision, Deny, Roots

HOME, PROJECT = Path("/home/u"), Path("/home/u/proj")


@dataclass(frozen=True, slots=True)
class Case:
    name: str
    got: str
    accepted: set[str]
    reason: str
    why: str

    @property
    def passed(self) -> bool:
        return self.got in self.accepted


def decided(decision: Decision) -> str:
    if not isinstance(decision, Allow) and decision.source == "error":
        return "error"  # failing closed is right for people and a failure here
    return "allow" if isinstance(decision, Allow) else "deny" if isinstance(decision, Deny) else "ask"


def linked(links: Mapping[str, str]) -> Callable[[Path], Path]:
    """`os.path.realpath` over a table of links instead of a disk."""

    def real(path: Path) -> Path:
        done, rest = "/", [part for part in str(path).split("/") if part not in {"", "."}]
        for _ in range(1_000):
            if not rest:
                break
            part = rest.pop(0)
            done = os.path.dirname(done) if part == ".." else os.path.join(done, part)
            if done in links:
                rest = [each for each in links[done].split("/") if each] + rest
                done = "/"
        return Path(done)

    return real


NO_LINKS = linked({})


def roots_for(
    *, project: Path = PROJECT, cwd: Path = PROJECT, home: Path = HOME, extra: tuple[Path, ...] = (),
    real: Callable[[Path], Path] = NO_LINKS,
) -> Roots:  # fmt: skip
    return Roots(project=project, cwd=cwd, home=home, extra=extra, real=real)


Check = Callable[[Mapping[str, Any]], list[Case]]
_OPTIONAL: Mapping[str, Any] = {"deny_rules": [], "ask_rules": [], "allow_rules": [], "also_ok": [], "why": ""}


def run_lines(lines: Iterable[str], check: Check) -> list[Case]:
    return [case for line in lines if line.strip() for case in _checked(line, check)]


def _checked(line: str, check: Check) -> list[Case]:
    try:
        return check({**_OPTIONAL, **json.loads(line)})
    except Exception as error:  # noqa: BLE001  the others still count
        return [Case(line[:60], "error", set(), f"{type(error).__name__}: {error}", "")]


def run(arguments: Sequence[str], check: Check) -> int:
    """Both programs: each file named, one case a line (only a newline ends one: a command may hold U+2028)."""
    if not arguments:
        print("name a file of cases")  # noqa: T201
        return 2
    missing = [name for name in arguments if not Path(name).is_file()]
    if missing:
        print(f"there is no file {missing[0]}")  # noqa: T201
        return 2
    lines = [line for name in arguments for line in Path(name).read_text("utf-8").split("\n")]
    cases = run_lines(lines, check)
    failed = [case for case in cases if not case.passed]
    for case in failed:
        print(f"{case.name}: {case.got}, not {'/'.join(sorted(case.accepted))} ({case.reason}) | {case.why}")  # noqa: T201
    print(f"{len(cases) - len(failed)} passed, {len(failed)} failed")  # noqa: T201
    return 1 if failed else 0
