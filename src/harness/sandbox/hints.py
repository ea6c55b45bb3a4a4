"""What the sandbox refused, in plain words, so that a failing command is not a riddle.

Read from what the command printed; only failing commands are looked at, and each hint is given once per result.
"""

import itertools
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from harness import paths
from harness.paths import within
from harness.sandbox import limits, masks
from harness.sandbox.policy import Policy

_NETWORK = re.compile(
    r"Could not resolve host|Temporary failure in name resolution|Name or service not known|Network is unreachable"
    r"|getaddrinfo (EAI_AGAIN|ENOTFOUND)|Failed to establish a new connection|No address associated with hostname"
    r"|dial tcp|NameResolutionError"
)
_GIT_CONFIG = re.compile(r"could not (write|lock) config file|\.git/hooks/|\.git/config")
# A missing .mcp.json is an empty directory meanwhile.
_READ_ONLY = re.compile(
    r"Read-only file system|Device or resource busy|EROFS|EBUSY|\.mcp\.json'?: Is a directory"
    r"|Is a directory: '[^'\n]*\.mcp\.json'|EISDIR[^\n]*\.mcp\.json",
    re.IGNORECASE,
)
# The path that a program, a shell, Python or node names beside the reason.
_REASON = (
    r"(?:Read-only file system|Device or resource busy|Permission denied|No such file or directory|Is a directory)"
)
_NAMED = re.compile(
    rf"[\"'`\u2018]([^\"'\u2019\n]+)[\"'\u2019]: {_REASON}|(?:^|[\s:])([^\s:'\"\u2018\u2019]+): {_REASON}"
    rf"|{_REASON}: '([^'\n]+)'|E(?:ROFS|ACCES|NOENT|ISDIR): [^,\n]+, \w+ '([^'\n]+)'",
    re.MULTILINE,
)
_NAMED_BOUND = 20  # names that are looked at
_MOVED = re.compile(
    r"cannot (?:move|rename|remove) ['\u2018\"]([^'\u2019\"\n]+)['\u2019\"][^\n]*(?:Device or resource busy|Read-only)"
)
_OWN_LOOPBACK = re.compile(
    r"(?:Failed to connect to|ECONNREFUSED|connect(?:ing)? to|dial tcp) \[?(?:127\.0\.0\.1|localhost|::1)|\[Errno 111\]"
)
_LOOPBACK = {
    True: "The sandbox's loopback is not the machine's, and a call's processes end with it: start a server with "
    "run_in_background, then talk to it.",
    False: "Each call has a loopback of its own: start a server and talk to it in one call.",
}
_REFUSED = re.compile(r"Operation not permitted|EPERM", re.IGNORECASE)
_GONE = re.compile(
    r"(?<![\w.-])/tmp/[^\s:'/]+'?: (?:\[Errno 2\] )?No such file|No such file or directory: '/tmp/[^'/]+'"
)
_SOCKET = re.compile(r"socket|docker|psql|postgres|mysql|redis|agent|dbus", re.IGNORECASE)
_DEBUG = re.compile(r"ptrace|strace|gdb|perf", re.IGNORECASE)
_PROCESSES = re.compile(
    r"fork: [^\n]*Resource temp|BlockingIOError: \[Errno 11\]|start new thread|EAGAIN[^\n]*spawn|spawn[^\n]*EAGAIN"
)
_MEMORY = re.compile(r"MemoryError|Cannot allocate memory|bad_alloc|ENOMEM|memory allocation of \d+ bytes failed")
_FILE_SIZE = re.compile(r"File size limit exceeded|File too large|EFBIG")


def hints(output: str, policy: Policy, command: str = "", *, shared: bool = False) -> tuple[str, ...]:
    """Sentences for the model and the person; empty where nothing looks like the sandbox's doing.

    `shared`: the session's commands have one loopback."""
    return tuple(_told(_found(output, policy, shared=shared), command, policy.ignored))


def _found(output: str, policy: Policy, *, shared: bool) -> list[str]:
    found = []
    if policy.network != "host" and _OWN_LOOPBACK.search(output):
        found.append(_LOOPBACK[shared])
    elif policy.network == "none" and _NETWORK.search(output):
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
        found.append(_refused(output, policy))
    found += _limits(output)
    return found


def _told(found: Sequence[str], command: str, ignored: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Without those that settings do not want to hear of: `ignored` maps commands, `*` for all, to paths."""
    unwanted = [
        path
        for pattern, listed in ignored.items()
        if pattern in ("*", command) or command.startswith(f"{pattern} ")
        for path in listed
    ]
    return (hint for hint in found if not any(path and path in hint for path in unwanted))


def _refused(output: str, policy: Policy) -> str:
    word = "Where it cannot do without, the user can let one command out (dangerouslyDisableSandbox asks them)."
    if not policy.allow_unix_sockets and _SOCKET.search(output):
        return f"The sandbox refuses Unix sockets (databases, agents, Docker). {word}"
    if not policy.allow_ptrace and _DEBUG.search(output):
        return f"The sandbox refuses tracing of processes (strace, gdb, perf). {word}"
    return f"The sandbox refuses tracing, Unix sockets, mounts, namespaces and other owners for files. {word}"


def _limits(output: str) -> Iterator[str]:
    if _PROCESSES.search(output):
        yield f"The sandbox allows {limits.PROCESSES:,} processes at once."
    if _MEMORY.search(output):
        yield f"The sandbox allows a process {limits.DATA_KIB >> 20} GiB of memory."
    if _FILE_SIZE.search(output):
        yield f"The sandbox allows files of {limits.FILE_KIB >> 20} GiB at most."


def _read_only(output: str, policy: Policy) -> str:
    if policy.project_readonly:
        return "In plan mode the project is read-only; only /tmp can be written, and it is emptied after each command."
    if _GIT_CONFIG.search(output):
        return (
            "In the sandbox .git/config and .git/hooks are read-only. A plain git command that writes them is offered "
            "to the user, if it stands alone in its call."
        )
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
    found = [paths.resolve(name, policy.project) for name in _MOVED.findall(output)[:1]]
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
