"""For real root: a bound on the processes and the memory of all commands together, by a control group of our own.

A normal user's processes are counted by `limits`; real root is exempt from that count. Where root can write the
kernel's control groups, this process has one group, made with its first command, and a line of shell joins each
command to it before the sandbox starts, so that there is no moment without the bound. The group goes with us; what
a killed process left is swept by the next one.

Version 1 lets a single thread join for itself, by `tasks`: 0.5 ms. Joining by `cgroup.procs`, the only way of
version 2, waits for all processors (5-15 ms, measured), which is why a normal user does without.
"""

import atexit
import functools
import os
import shlex
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.sandbox.limits import PROCESSES

PREFIX = "harness-"
MEMORY_SHARE = 0.75  # of the machine's memory, for all commands of this process together
_SHELL = "/bin/sh"
_PATIENCE = 10  # tries
_LIMIT_FILES = {
    1: {"pids": "pids.max", "memory": "memory.limit_in_bytes"},
    2: {"pids": "pids.max", "memory": "memory.max"},
}


@dataclass(frozen=True, slots=True)
class Group:
    """`places`: its directories, one in version 2, one for each controller in version 1. `bounds`: what they hold."""

    places: tuple[Path, ...]
    bounds: frozenset[str]
    door: str

    def enter(self, argv: Sequence[str]) -> list[str]:
        """`argv`, joined to the group before anything of it runs; it does not run where that fails."""
        joins = [f"echo 0 >{shlex.quote(str(place / self.door))}" for place in self.places]
        return [_SHELL, "-c", " && ".join([*joins, 'exec "$@"']), "sh", *argv]

    def close(self) -> None:
        """Remove it. The last command's first process may still be dying when its sandbox has ended."""
        for place in self.places:
            for _ in range(_PATIENCE):
                if _remove(place):
                    break
                time.sleep(0.002)


@functools.cache
def own() -> Group | None:
    """This process's group, None where none can be had. Tried once by really joining it."""
    if os.geteuid() != 0:
        return None
    for make in (_unified, _separate):
        group = make()
        if group is None:
            continue
        trial = subprocess.run(group.enter(["true"]), capture_output=True, check=False, env={"PATH": os.defpath})
        if trial.returncode == 0:
            atexit.register(group.close)
            return group
        group.close()
    return None


def _unified() -> Group | None:
    """Version 2: below the nearest group of ours that hands its controllers on."""
    for base in _bases("cgroup2", ""):
        try:
            given = set((base / "cgroup.subtree_control").read_text().split())
        except OSError:
            continue
        bounds = frozenset(given & {"pids", "memory"})
        if "pids" in bounds and (place := _make(base, 2, bounds)):
            return Group((place,), bounds, "cgroup.procs")
    return None


def _separate() -> Group | None:
    """Version 1: every controller has a tree of its own."""
    made = {}
    for controller in ("pids", "memory"):
        for base in _bases("cgroup", controller):
            if place := _make(base, 1, {controller}):
                made[controller] = place
                break
    return Group(tuple(made.values()), frozenset(made), "tasks") if "pids" in made else None


def _bases(kind: str, controller: str) -> Iterator[Path]:
    """Our own group's directory and its parents, the nearest first."""
    root = next(_mounted(kind, controller), None)
    try:
        lines = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, names, path = line.split(":", 2)
        if root and controller in names.split(","):
            ours = root / path.lstrip("/")
            yield from (step for step in (ours, *ours.parents) if root in (step, *step.parents) and step.is_dir())


def _mounted(kind: str, controller: str) -> Iterator[Path]:
    try:
        lines = Path("/proc/self/mountinfo").read_text().splitlines()
    except OSError:
        return
    for line in lines:
        place, _, system = line.partition(" - ")
        words = system.split()
        if words[:1] == [kind] and (not controller or controller in words[-1].split(",")):
            yield Path(place.split()[4])


def _make(base: Path, version: int, bounds: "frozenset[str] | set[str]") -> Path | None:
    _sweep(base)
    place = base / f"{PREFIX}{os.getpid()}"
    try:
        place.mkdir(exist_ok=True)
        for bound in bounds:
            (place / _LIMIT_FILES[version][bound]).write_text(str(_limit(bound)))
    except OSError:
        _remove(place)
        return None
    return place


def _limit(bound: str) -> int:
    if bound == "pids":
        return PROCESSES
    return int(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") * MEMORY_SHARE)


def _sweep(base: Path) -> None:
    """Groups of processes of ours that are gone. One that still holds a process cannot be removed."""
    for place in base.glob(f"{PREFIX}*"):
        number = place.name.removeprefix(PREFIX)
        if number.isdigit() and not Path("/proc", number).exists():
            _remove(place)


def _remove(place: Path) -> bool:
    """False where a process of it is still alive or dying: then the next sweep takes it."""
    try:
        place.rmdir()
    except OSError:
        return not place.exists()
    return True
