"""`harness sandbox exec`: our sandbox as a program of its own. Standard streams and exit code pass through."""

import dataclasses
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import UsageError
from harness.sandbox import asked, console, probe, programs, reaper
from harness.sandbox.launch import Launch
from harness.sandbox.limits import ulimits
from harness.sandbox.policy import Policy

if TYPE_CHECKING:
    from harness.network.wire import Wire


def sandbox_exec(argv: Sequence[str]) -> int:
    """Run a command in the sandbox; its exit code (128 + n for signal n).

    `argv`: flags, then `--`, then the command. Raises UsageError and SandboxUnavailable.
    """
    flags, command = asked.parse("exec", argv)
    if not command:
        raise UsageError("harness sandbox exec: no command was given.", "Put it after --, as in: -- pytest -q")
    policy = asked.policy(flags)
    cwd = asked.real(flags.cwd) if flags.cwd else policy.project
    bash = programs.find("bash", (policy.project, *policy.write))
    wrapped = [str(bash), "-c", f'{ulimits(sandboxed=True)}; exec "$@"', "bash", *command]
    if policy.network == "proxy":
        import anyio  # noqa: PLC0415  what follows is for a network alone

        try:
            return _status(anyio.run(_proxied, policy, wrapped, cwd, flags.allow_domain))
        except BaseExceptionGroup as group:  # made by the task group of what one place raised
            if len(group.exceptions) > 1:
                raise
            raise group.exceptions[0] from None
    own_terminal = console.at_terminal() and console.leader()
    if own_terminal:
        wrapped = [*own_terminal, *wrapped]
        policy = dataclasses.replace(policy, env={"TERM": os.environ.get("TERM", "dumb"), **policy.env})
    with probe.launcher(policy).open(policy, wrapped, cwd) as launch:
        status = console.run(launch) if own_terminal else _run(launch)
        reaper.kill_marked(launch.mark)
    return _status(status)


def _run(launch: Launch) -> int:
    process = subprocess.Popen(launch.argv, **launch.start)
    try:
        return process.wait()
    except KeyboardInterrupt:
        process.kill()
        return process.wait()


async def _proxied(
    policy: Policy, command: Sequence[str], cwd: Path, domains: Sequence[str], wire: "Wire | None" = None
) -> int:
    """The same with a network of listed hosts; what was refused is said at the end, on stderr."""
    from functools import partial  # noqa: PLC0415

    import anyio  # noqa: PLC0415

    from harness.mux import aside  # noqa: PLC0415
    from harness.network.domains import Domains  # noqa: PLC0415  without a network none of it is needed
    from harness.network.gate import Gate  # noqa: PLC0415
    from harness.network.wire import Wire  # noqa: PLC0415
    from harness.sandbox.way import ProxyWay  # noqa: PLC0415

    listed = Domains.parse(domains)
    async with anyio.create_task_group() as tasks:
        gate = Gate(lambda: listed, partial(aside, tasks), wire=wire or Wire())
        with ProxyWay(gate) as way:
            policy = dataclasses.replace(policy, env={**policy.env, **way.environment})
            with probe.launcher(policy).open(policy, command, cwd) as opened:
                launch = way.launch(opened)
                process = subprocess.Popen(launch.argv, **launch.start)  # noqa: ASYNC220  it starts at once
                try:
                    await way.enter()
                    await anyio.to_thread.run_sync(process.wait, abandon_on_cancel=True)
                finally:
                    process.kill()
                    process.wait()
            for note in way.passage.notes:
                sys.stderr.write(f"harness: {note}\n")
        tasks.cancel_scope.cancel()
    return process.returncode


def _status(status: int) -> int:
    return status if status >= 0 else 128 - status
