"""What the sandbox refused, in plain words, so that a failing command is not a riddle.

Read from what the command printed; only failing commands are looked at, and each hint is given once per result.
"""

import re

from harness.sandbox.policy import Policy

_NETWORK = re.compile(
    r"Could not resolve host|Temporary failure in name resolution|Name or service not known|Network is unreachable"
    r"|getaddrinfo (EAI_AGAIN|ENOTFOUND)|Failed to establish a new connection|No address associated with hostname"
    r"|dial tcp|NameResolutionError"
)
_GIT_CONFIG = re.compile(r"could not (write|lock) config file|\.git/hooks/|\.git/config")
_READ_ONLY = re.compile(r"Read-only file system|Device or resource busy|EROFS|EBUSY")
_HIDDEN = re.compile(r"(?:~|/(?:root|home/[^/\s:']+))/\.[^\s:']+.*(?:Permission denied|No such file or directory)")
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
    if _READ_ONLY.search(output):
        found.append(_read_only(output, policy))
    if _HIDDEN.search(output):
        found.append("The sandbox hides settings and secrets in the home directory.")
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
    return (
        "In the sandbox only the project and /tmp can be written; of the project not .git/config, .git/hooks, "
        ".harness, .claude, .mcp.json and the like, nor Harness's own installation."
    )
