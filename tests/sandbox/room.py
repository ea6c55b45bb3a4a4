"""A place to run real commands in the real sandbox."""

import subprocess
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.sandbox import open_shell
from harness.sandbox.outcome import Finished, Progress
from harness.sandbox.policy import Policy
from harness.sandbox.shell import SandboxShell


@dataclass(frozen=True, slots=True)
class Room:
    base: Path
    project: Path
    home: Path
    ahead: bool = False  # sandboxes are made ready before their command is known

    @staticmethod
    def make(base: Path, *, ahead: bool = False) -> "Room":
        base = base.resolve()
        room = Room(base, base / "project", base / "home", ahead)
        room.project.mkdir()
        room.home.mkdir()
        return room

    def policy(self, **options: Any) -> Policy:
        return Policy(project=self.project, home=self.home, **options)

    def shell(self, *, sandboxed: bool = True, **options: Any) -> SandboxShell:
        return open_shell(lambda: self.policy(**options), self.base / "results", sandboxed=sandboxed)

    async def run(
        self, command: str, *, timeout: float = 20, cwd: Path | None = None, sandboxed: bool = True, **options: Any
    ) -> Finished:
        shell = self.shell(sandboxed=sandboxed, **options)
        if self.ahead:
            await waiting(shell, cwd or self.project)
        try:
            return (await finish(shell, command, cwd or self.project, timeout))[1]
        finally:
            shell.discard()

    def git(self, *words: str, cwd: Path | None = None) -> str:
        """git as the user runs it, outside."""
        identity = ("-c", "user.name=t", "-c", "user.email=t@t", "-c", "init.defaultBranch=main")
        done = subprocess.run(
            ["git", *identity, *words], cwd=cwd or self.project, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()


async def waiting(shell: SandboxShell, cwd: Path) -> None:
    """Have its next command's sandbox ready, as after a first one."""
    shell._asked = True
    shell.prepare(cwd)
    if shell._ready:
        assert await shell._ready._waits()


async def finish(shell: SandboxShell, command: str, cwd: Path, timeout: float = 20) -> tuple[list[Progress], Finished]:
    """Everything a command yielded: its live output, and how it finished."""
    live: list[Progress] = []
    async with aclosing(shell.run(command, cwd, timeout=timeout)) as stream:
        async for item in stream:
            if isinstance(item, Finished):
                return live, item
            assert isinstance(item, Progress)
            live.append(item)
    raise AssertionError("the shell ended without saying how")
