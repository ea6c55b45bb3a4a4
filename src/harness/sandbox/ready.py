"""A sandbox made ready ahead: started while the model thinks, its bash waiting for its one command.

It is as good as a new one only if a new one would be the same: the same policy, directory and environment, the same
names on the disk, every mount still in its place. That is looked at just before use; whatever differs, it is ended
and a new one is started.
"""

import dataclasses
import os
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import anyio

from harness.sandbox import prelude, process, programs, reaper
from harness.sandbox.changes import Changes
from harness.sandbox.guard import Guard
from harness.sandbox.launch import Bwrap, Launch
from harness.sandbox.loopback import Loopback
from harness.sandbox.policy import Policy

PATIENCE = 2.0  # seconds for one that is still starting; then a new one is not slower
_STEP = 0.02  # seconds between two looks whether it is still alive


@dataclass(frozen=True, slots=True)
class Run:
    """A bash that was started. `guard` is None where there is nothing to watch."""

    launch: Launch
    process: process.Command
    report: prelude.Report
    guard: Guard | None = None
    changes: Changes | None = None


@dataclass(slots=True)
class Ready:
    policy: Policy
    cwd: Path
    place: tuple[int, int]  # device and inode of `cwd`
    run: Run
    guard: Guard
    changes: Changes
    handover: prelude.Handover
    stack: ExitStack
    used: bool = False

    async def begin(self, command: str, policy: Policy, cwd: Path) -> Run | None:
        """Give it its command; None where another sandbox is needed."""
        if (policy, cwd) != (self.policy, self.cwd) or not await self._waits():
            return None
        try:
            made, quiet = self.run.launch.made, self.changes.quiet()
            same = _place(cwd) == self.place and made is not None and made.unchanged(quiet=quiet)
        except OSError:
            return None
        leader = self.run.process.process.pid
        if not same or not self.guard.attach(leader) or self.guard.missing:
            return None
        self.handover.give(command)
        self.used = True
        return self.run

    async def _waits(self) -> bool:
        """Whether it is there, after some patience."""
        deadline = time.monotonic() + PATIENCE
        while not (heard := self.run.report.heard()):
            with anyio.move_on_after(_STEP):
                await anyio.wait_readable(self.run.report.read)
            if time.monotonic() > deadline or not self._lives():
                return False
        return heard == b"ready\0" and self._lives()

    def _lives(self) -> bool:
        return self.run.process.process.poll() is None

    def close(self) -> None:
        """End it; what was used has been ended by whoever followed it."""
        if not self.used and self._lives():
            reaper.kill(self.run.process.process.pid)
            self.run.process.process.wait()
        self.stack.close()


def make(launcher: Bwrap, policy: Policy, cwd: Path, shared: Loopback | None) -> Ready:
    """Start one. Raises OSError and SandboxUnavailable."""
    with ExitStack() as stack:
        place = _place(cwd)
        bash = programs.find("bash", (policy.project, *policy.write))
        report = prelude.Report(stack)
        handover = prelude.waiting(bash, report.write, stack, close=shared.descriptors if shared else ())
        script = handover.script
        told = dataclasses.replace(policy, env={**policy.env, **script.env})
        changes = Changes(policy)  # before anything is looked at
        stack.callback(changes.close)
        launch = stack.enter_context(launcher.open(told, script.argv, cwd, script.passed))
        launch = shared.launch(launch) if shared else launch
        made = launch.made
        changes.settle(one.path for one in (made.disk.protection.placeholders if made else ()))
        guard = Guard(made.mounts if made else (), report)
        stack.callback(guard.close)
        command = process.start(launch, stack)
        run = Run(launch, command, report, guard, changes)
        return Ready(policy, cwd, place, run, guard, changes, handover, stack.pop_all())


def _place(directory: Path) -> tuple[int, int]:
    state = os.stat(directory)  # noqa: PTH116  as Path.stat, a third of its time
    return state.st_dev, state.st_ino
