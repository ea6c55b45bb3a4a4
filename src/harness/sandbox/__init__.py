"""The sandbox that commands run in. This door is light: what it opens is imported when it is used."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from harness.network.contact import Contact
    from harness.network.gate import Gate
    from harness.sandbox.outcome import Finished, Outlasts, Progress
    from harness.sandbox.policy import Policy
    from harness.sandbox.shell import SandboxShell


def open_shell(
    policy: "Callable[[], Policy]",
    results: Path,
    *,
    sandboxed: bool = True,
    secret_env: Sequence[str] = (),
    gate: "Gate | None" = None,
) -> "SandboxShell":
    """A shell for the Bash tool; see `shell.SandboxShell`. Nothing is probed before its first command."""
    from harness.sandbox.shell import SandboxShell  # noqa: PLC0415  the door is open at start-up, the room later

    return SandboxShell(policy, results, sandboxed=sandboxed, secret_env=secret_env, gate=gate)


class ShellLater:
    """A session's shell, opened with its first command: its modules are many, and some sessions run none."""

    def __init__(self, opened: "Callable[[], SandboxShell]") -> None:
        self._open = opened
        self._shell: SandboxShell | None = None
        self._ahead = False  # `prepare` has been called

    def run(
        self, command: str, cwd: Path, *, timeout: float, outlast: bool = False, outside: bool = False
    ) -> "AsyncGenerator[Progress | Contact | Outlasts | Finished, None]":
        if self._shell is None:
            self._shell = self._open()
            if self._ahead:
                self._shell.prepare(cwd)
        return self._shell.run(command, cwd, timeout=timeout, outlast=outlast, outside=outside)

    def prepare(self, cwd: Path) -> None:
        self._ahead = True
        if self._shell:
            self._shell.prepare(cwd)

    def discard(self) -> None:
        if self._shell:
            self._shell.discard()
