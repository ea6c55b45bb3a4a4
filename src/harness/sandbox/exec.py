"""`harness sandbox exec`: our sandbox as a program of its own. Standard streams and exit code pass through."""

import argparse
import dataclasses
import fnmatch
import os
import subprocess
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import anyio

from harness.errors import UsageError
from harness.mux import aside
from harness.network.domains import network
from harness.sandbox import probe, programs, reaper
from harness.sandbox.limits import ulimits
from harness.sandbox.policy import Policy

if TYPE_CHECKING:
    from harness.network.wire import Wire


def sandbox_exec(argv: Sequence[str]) -> int:
    """Run a command in the sandbox; its exit code (128 + n for signal n).

    `argv`: flags, then `--`, then the command. Raises UsageError and SandboxUnavailable.
    """
    flags, command = _parse(argv)
    policy = _policy(flags)
    cwd = _real(flags.cwd) if flags.cwd else policy.project
    bash = programs.find("bash", (policy.project, *policy.write))
    wrapped = [str(bash), "-c", f'{ulimits(sandboxed=True)}; exec "$@"', "bash", *command]
    if policy.network == "proxy":
        try:
            return _status(anyio.run(_proxied, policy, wrapped, cwd, flags.allow_domain))
        except BaseExceptionGroup as group:  # made by the task group of what one place raised
            if len(group.exceptions) > 1:
                raise
            raise group.exceptions[0] from None
    with probe.launcher(policy).open(policy, wrapped, cwd) as launch:
        process = subprocess.Popen(launch.argv, **launch.start)
        try:
            status = process.wait()
        except KeyboardInterrupt:
            process.kill()
            status = process.wait()
        reaper.kill_marked(launch.mark)
    return _status(status)


async def _proxied(
    policy: Policy, command: Sequence[str], cwd: Path, domains: Sequence[str], wire: "Wire | None" = None
) -> int:
    """The same with a network of listed hosts; what was refused is said at the end, on stderr."""
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


def _parse(argv: Sequence[str]) -> tuple[argparse.Namespace, list[str]]:
    words = list(argv)
    cut = words.index("--") if "--" in words else len(words)
    parser = argparse.ArgumentParser(
        prog="harness sandbox exec", usage="%(prog)s [flags] -- COMMAND...", allow_abbrev=False
    )
    parser.add_argument("--project", default=".", help="the directory that can be written (default: this one)")
    parser.add_argument("--home", help="the home whose secrets are hidden (default: $HOME)")
    parser.add_argument("--cwd", help="where the command starts (default: the project)")
    parser.add_argument("--deny-read", action="append", default=[], metavar="PATH", help="hide this too")
    parser.add_argument(
        "--allow-write", "--rw", dest="write", action="append", default=[], metavar="DIR", help="can be written too"
    )
    parser.add_argument("--level", choices=("full", "degraded"), default="full", help="it is this or an error")
    parser.add_argument("--network", choices=("none", "proxy", "host"), help="default: none; proxy: listed hosts only")
    parser.add_argument(
        "--allow-domain", action="append", default=[], metavar="HOST", help="list a host, *.HOST or HOST:PORT"
    )
    parser.add_argument("--plan", action="store_true", help="the project cannot be changed")
    parser.add_argument("--allow-unix", action="store_true", help="allow Unix sockets")
    parser.add_argument("--allow-ptrace", action="store_true", help="allow debuggers and strace")
    parser.add_argument(
        "--env",
        action="append",
        default=["HT_*"],  # what tests/escapes tells its cases
        metavar="NAME",
        help="let this variable in (a pattern such as APP_*)",
    )
    flags = parser.parse_args(words[:cut])
    command = words[cut + 1 :]
    if not command:
        raise UsageError("harness sandbox exec: no command was given.", "Put it after --, as in: -- pytest -q")
    return flags, command


def _policy(flags: argparse.Namespace) -> Policy:
    project = _real(flags.project)
    if not project.is_dir():
        raise UsageError(f"--project {flags.project}: there is no such directory.", "Name an existing directory.")
    let_in = {
        name: value
        for name, value in os.environ.items()
        if any(fnmatch.fnmatchcase(name, pattern) for pattern in flags.env)
    }
    return Policy(
        project=project,
        home=_real(flags.home or Path.home()),
        level=flags.level,
        write=tuple(_real(path) for path in flags.write),
        deny_read=tuple(path for name in flags.deny_read if (path := _real(name)).exists()),
        network=network(flags.network, flags.allow_domain),
        env=let_in,
        project_readonly=flags.plan,
        allow_unix_sockets=flags.allow_unix,
        allow_ptrace=flags.allow_ptrace,
    )


def _real(path: str | Path) -> Path:
    return Path(os.path.realpath(Path(path).expanduser()))
