"""The sandbox that commands run in. This door is light: what it opens is imported when it is used."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.network.gate import Gate
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
