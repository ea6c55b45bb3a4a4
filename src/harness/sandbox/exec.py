"""`harness sandbox exec`: our sandbox as a program of its own. Standard streams and exit code pass through."""

import argparse
import fnmatch
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from harness.errors import UsageError
from harness.sandbox import probe, programs
from harness.sandbox.limits import ulimits
from harness.sandbox.policy import Policy


def sandbox_exec(argv: Sequence[str]) -> int:
    """Run a command in the sandbox; its exit code (128 + n for signal n).

    `argv`: flags, then `--`, then the command. Raises UsageError and SandboxUnavailable.
    """
    flags, command = _parse(argv)
    policy = _policy(flags)
    cwd = _real(flags.cwd) if flags.cwd else policy.project
    bash = programs.find("bash", (policy.project, *policy.write))
    wrapped = [str(bash), "-c", f'{ulimits(sandboxed=True)}; exec "$@"', "bash", *command]
    with probe.launcher(policy).open(policy, wrapped, cwd) as launch:
        process = subprocess.Popen(launch.argv, **launch.start)
        try:
            status = process.wait()
        except KeyboardInterrupt:
            process.kill()
            status = process.wait()
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
    parser.add_argument("--network", choices=("none", "host"), default="none")
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
        write=tuple(_real(path) for path in flags.write),
        deny_read=tuple(path for name in flags.deny_read if (path := _real(name)).exists()),
        network=flags.network,
        env=let_in,
        project_readonly=flags.plan,
        allow_unix_sockets=flags.allow_unix,
        allow_ptrace=flags.allow_ptrace,
    )


def _real(path: str | Path) -> Path:
    return Path(os.path.realpath(Path(path).expanduser()))
