"""What a sandboxed command may touch: a value that the launchers turn into mounts or profiles."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from harness.network.domains import Network

Level = Literal["full", "degraded", "external", "none"]
LEVELS: tuple[Level, ...] = ("full", "degraded", "external", "none")


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Paths are absolute and real. `write` lists directories; everything else is read-only or hidden.

    `project_readonly` is plan mode: the project is mounted read-only, whatever `write` says.
    """

    project: Path
    home: Path
    level: Level = "full"  # what must hold the command: it is this or nothing
    write: tuple[Path, ...] = ()
    keep: tuple[Path, ...] = ()  # ours: writable also where the project is read-only
    read: tuple[Path, ...] = ()  # made visible again below a mask
    deny_read: tuple[Path, ...] = ()
    deny_write: tuple[Path, ...] = ()
    network: Network = "none"
    env: Mapping[str, str] = field(default_factory=dict)
    inside: Mapping[str, str] = field(default_factory=dict)  # a repository's: for nothing that others are held from
    ignored: Mapping[str, Sequence[str]] = field(default_factory=dict)  # commands to paths that no hint names
    project_readonly: bool = False
    allow_unix_sockets: bool = False  # for databases' and agents' sockets; a hole towards services outside
    allow_ptrace: bool = False  # for debuggers and strace


@dataclass(frozen=True, slots=True)
class Granted:
    """What a session's sandbox gives, as an input to permission decisions."""

    level: Level
    network: Network = "none"
    write: tuple[Path, ...] = ()
    auto_allow: bool | None = None  # settings: sandbox.autoAllowBashIfSandboxed; None where unset
    may_leave: bool = True  # settings: sandbox.allowUnsandboxedCommands; whether a call may ask to run outside
    excluded: tuple[str, ...] = ()  # settings: sandbox.excludedCommands, as Bash rules' specifiers
