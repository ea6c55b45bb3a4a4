"""What the sandbox costs: medians of `true` inside it over plain `true`, from spawn to exit, planning included.

    python -m tests.sandbox.bench_overhead [--runs 50] [--nested 0] [--project DIR] [--apart]

`--nested N` puts N repositories into the project; each has a handful of protected names. Not a test: a machine
that does other things has other figures.
"""

import argparse
import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from harness.sandbox import open_shell, probe, programs
from harness.sandbox.policy import Policy
from harness.sandbox.protect import SETTLED
from tests.sandbox.room import finish, waiting

DIRECTORIES = 300
THINKING = 0.05  # seconds between two commands: less than any model takes


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=50)
    parser.add_argument("--nested", type=int, default=0)
    parser.add_argument("--project", type=Path)
    parser.add_argument("--apart", action="store_true", help="each case by itself, one run right after the other")
    flags = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=Path(__file__).parents[2], prefix=".bench-") as base:
        os.environ["HARNESS_CONFIG_DIR"] = f"{base}/state"
        project = flags.project or make_project(Path(base) / "project", flags.nested)
        time.sleep(SETTLED / 1e9)  # a project is rarely as young as that
        asyncio.run(
            measure(Policy(project=project.resolve(), home=Path.home()), Path(base), flags.runs, apart=flags.apart)
        )


def make_project(project: Path, nested: int) -> Path:
    for number in range(DIRECTORIES):
        (project / f"a{number % 10}" / f"b{number}").mkdir(parents=True)
    repositories = [project, *(project / "a0" / f"repository{number}" for number in range(nested))]
    for place in repositories:
        subprocess.run(["git", "init", "-q", place], check=True)
    return project


async def measure(policy: Policy, base: Path, runs: int, *, apart: bool = False) -> None:
    true = str(programs.find("true", ()))
    launcher = probe.launcher(policy)
    shell, ready = (open_shell(lambda: policy, base / "results") for _ in range(2))

    async def plain() -> None:
        subprocess.run([true], check=True, stdin=subprocess.DEVNULL)

    async def cold() -> None:
        with launcher.open(policy, [true], policy.project) as launch:
            subprocess.run(launch.argv, check=True, stdin=subprocess.DEVNULL, **launch.start)

    async def cold_shell() -> None:
        await finish(shell, "true", policy.project)

    async def ready_shell() -> None:
        await finish(ready, "true", policy.project)

    async def nothing() -> None: ...

    async def prepare() -> None:
        await waiting(ready, policy.project)
        await asyncio.sleep(THINKING)

    cases: dict[str, tuple[Callable[[], Awaitable[None]], Callable[[], Awaitable[None]]]] = {
        "plain true": (nothing, plain),
        "true in the sandbox": (nothing, cold),
        "Bash tool's shell, cold": (nothing, cold_shell),
        "Bash tool's shell, made ready": (prepare, ready_shell),
    }
    times: dict[str, list[float]] = {name: [] for name in cases}
    # One after the other, so that a drift of the machine meets all alike; apart, each finds its caches warm.
    order = [name for name in cases for _ in range(runs + 3)] if apart else [*cases] * (runs + 3)
    for name in order:
        before, case = cases[name]
        await before()
        began = time.perf_counter()
        await case()
        times[name].append((time.perf_counter() - began) * 1000)
    floor = statistics.median(times["plain true"][3:])
    for name, measured in times.items():
        median = statistics.median(measured[3:])
        sys.stdout.write(
            f"{name:32} {median:6.2f} ms   overhead {median - floor:6.2f} ms   best {min(measured):6.2f}\n"
        )


if __name__ == "__main__":
    main()
