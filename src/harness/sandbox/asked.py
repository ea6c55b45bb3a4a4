"""The flags of `harness sandbox exec` and `explain`, and the policy that they ask for."""

import argparse
import fnmatch
import os
from collections.abc import Sequence
from pathlib import Path

from harness.errors import UsageError
from harness.network.domains import network
from harness.sandbox.policy import Policy


def parse(what: str, argv: Sequence[str]) -> tuple[argparse.Namespace, list[str]]:
    """The flags, and the command behind `--`. `what` is the name of the subcommand."""
    words = list(argv)
    cut = words.index("--") if "--" in words else len(words)
    parser = argparse.ArgumentParser(
        prog=f"harness sandbox {what}", usage="%(prog)s [flags] [-- COMMAND...]", allow_abbrev=False
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
    parser.add_argument(
        "--env-behind", metavar="PREFIX", help="let variables in whose names begin so, under the rest of their names"
    )
    flags = parser.parse_args(words[:cut])
    return flags, words[cut + 1 :]


def policy(flags: argparse.Namespace) -> Policy:
    """What they come to. Raises UsageError."""
    project = real(flags.project)
    if not project.is_dir():
        raise UsageError(f"--project {flags.project}: there is no such directory.", "Name an existing directory.")
    let_in = {
        name: value
        for name, value in os.environ.items()
        if any(fnmatch.fnmatchcase(name, pattern) for pattern in flags.env)
    }
    if prefix := flags.env_behind:
        let_in |= {name[len(prefix) :]: value for name, value in os.environ.items() if name.startswith(prefix)}
    return Policy(
        project=project,
        home=real(flags.home or Path.home()),
        level=flags.level,
        write=tuple(real(path) for path in flags.write),
        deny_read=tuple(path for name in flags.deny_read if (path := real(name)).exists()),
        network=network(flags.network, flags.allow_domain),
        env=let_in,
        project_readonly=flags.plan,
        allow_unix_sockets=flags.allow_unix,
        allow_ptrace=flags.allow_ptrace,
    )


def real(path: str | Path) -> Path:
    """Links and `~` followed."""
    return Path(os.path.realpath(Path(path).expanduser()))
