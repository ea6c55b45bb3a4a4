"""Whose server listens on a port of this machine: any program could take a model server's usual port."""

import os
import pwd
from collections.abc import Iterator
from pathlib import Path

# Accounts that packages of model servers make. Not `nobody`: in a user namespace that is any stranger.
SERVICE_USERS = frozenset({"ollama", "vllm", "sglang", "llama", "llamacpp", "llama-cpp", "lmstudio"})

_LISTEN = "0A"


def owner_of(port: int, proc: Path = Path("/proc/net")) -> set[int] | None:
    """The user ids that listen on `port`; None where this cannot be told (no Linux /proc)."""
    tables = [table for table in (proc / "tcp", proc / "tcp6") if table.exists()]
    return {uid for table in tables for at, uid in _listening(table) if at == port} if tables else None


def _listening(table: Path) -> Iterator[tuple[int, int]]:
    """(port, uid) of each listening socket, as proc_pid_net(5) gives them."""
    for line in table.read_text().splitlines()[1:]:
        fields = line.split()
        if len(fields) > 7 and fields[3] == _LISTEN:
            yield int(fields[1].rpartition(":")[2], 16), int(fields[7])


def is_trusted(port: int) -> bool:
    """Whether every listener on `port` is our user, root, or a model server's own account."""
    owners = owner_of(port)
    return bool(owners) and all(map(_trusted, owners or ()))


def _trusted(uid: int) -> bool:
    if uid in {os.getuid(), 0}:
        return True
    try:
        return pwd.getpwuid(uid).pw_name in SERVICE_USERS
    except KeyError:
        return False
