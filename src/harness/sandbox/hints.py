"""What the sandbox refused, in plain words, so that a failing command is not a riddle.

Read from what the command printed; only failing commands are looked at, and each hint is given once per result.
"""

import itertools
import os
import re
from pathlib import Path

from harness import paths
from harness.paths import within
from harness.sandbox import masks
from harness.sandbox.policy import Policy

_NETWORK = re.compile(
    r"Could not resolve host|Temporary failure in name resolution|Name or service not known|Network is unreachable"
    r"|getaddrinfo (EAI_AGAIN|ENOTFOUND)|Failed to establish a new connection|No address associated with hostname"
    r"|dial tcp|NameResolutionError"
)
_GIT_CONFIG = re.compile(r"could not (write|lock) config file|\.git/hooks/|\.git/config")
_READ_ONLY = re.compile(r"Read-only file system|Device or resource busy|EROFS|EBUSY", re.IGNORECASE)
# The path that a program, a shell, Python or node names beside the reason.
_REASON = r"(?:Read-only file system|Device or resource busy|Permission denied|No such file or directory)"
_NAMED = re.compile(
    rf"[\"'`]([^\"'\n]+)[\"']: {_REASON}|(?:^|[\s:])([^\s:'\"]+): {_REASON}"
    rf"|{_REASON}: '([^'\n]+)'|E(?:ROFS|ACCES|NOENT): [^,\n]+, \w+ '([^'\n]+)'",
    re.MULTILINE,
)
_NAMED_BOUND = 20  # names that are looked at
_REFUSED = re.compile(r"Operation not permitted")
_GONE = re.compile(
    r"(?<![\w.-])/tmp/[^\s:'/]+'?: (?:\[Errno 2\] )?No such file|No such file or directory: '/tmp/[^'/]+'"
)
_SOCKET = re.compile(r"socket|docker|psql|postgres|mysql|redis|agent|dbus", re.IGNORECASE)
_DEBUG = re.compile(r"ptrace|strace|gdb|perf", re.IGNORECASE)


def hints(output: str, policy: Policy) -> tuple[str, ...]:
    """Sentences for the model and the person; empty where nothing looks like the sandbox's doing."""
    found = []
    if policy.network == "none" and _NETWORK.search(output):
        found.append("The sandbox has no network. Go on without it, or tell the user: --allow-domain HOST allows it.")
    if policy.network == "proxy" and _NETWORK.search(output):
        found.append("Listed hosts are reached only by programs that use HTTP_PROXY and HTTPS_PROXY, which are set.")
    if _READ_ONLY.search(output):
        found.append(_read_only(output, policy))
    if hidden := next((path for path in _named(output, policy) if _is_hidden(path, policy)), None):
        found.append(
            f"Blocked: {hidden}. The sandbox hides settings and secrets in the home directory; the user can allow it "
            "with sandbox.filesystem.allowRead in their settings."
        )
    if _GONE.search(output):
        found.append(
            "Each call has a new, empty /tmp: make and use a file there in one call, or keep it in the project."
        )
    if _REFUSED.search(output):
        if not policy.allow_unix_sockets and _SOCKET.search(output):
            found.append("The sandbox refuses Unix sockets (databases, agents, Docker).")
        if not policy.allow_ptrace and _DEBUG.search(output):
            found.append("The sandbox refuses tracing of processes (strace, gdb, perf).")
    return tuple(found)


def _read_only(output: str, policy: Policy) -> str:
    if policy.project_readonly:
        return "In plan mode the project is read-only; only /tmp can be written, and it is emptied after each command."
    if _GIT_CONFIG.search(output):
        return "In the sandbox .git/config and .git/hooks are read-only; the user can run this git command outside."
    writable = (policy.project, *policy.write)
    named = _named(output, policy)
    if outside := next((path for path in named if not any(within(path, root) for root in writable)), None):
        return (
            f"Blocked: write to {outside}. In the sandbox only the project and /tmp can be written; the user can allow "
            "more with --add-dir DIR or sandbox.filesystem.allowWrite."
        )
    what = f"Blocked: write to {paths.shown(named[0], policy.project)}. " if named else ""
    return (
        f"{what}In the sandbox only the project and /tmp can be written; of the project not .git/config, .git/hooks, "
        ".harness, .claude, .mcp.json and the like, nor Harness's own installation: the file tools ask the user."
    )


def _named(output: str, policy: Policy) -> list[Path]:
    """The paths that are named beside a reason, made absolute as from the project."""
    found = []
    for match in itertools.islice(_NAMED.finditer(output), _NAMED_BOUND):
        name = next(group for group in match.groups() if group)
        found.append(paths.resolve(re.sub(r"^~(?=/|$)", str(policy.home), name), policy.project))
    return found


def _is_hidden(path: Path, policy: Policy) -> bool:
    """Whether it is there outside, below what the sandbox covers in the home."""
    home = policy.home
    if not within(path, home) or path == home or within(path, policy.project):
        return False
    first = path.relative_to(home).parts[0]
    return first.startswith(".") and first not in masks.TOOLCHAINS and os.path.lexists(home / first)
