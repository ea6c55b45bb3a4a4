"""What a call would do, declared once and read by five: permissions, schedule, sandbox, checkpoints, surfaces.

Effects are our reading of the model's wish. They are never the border: the border is the kernel's sandbox.
Paths are absolute and lexically normalised; symlinks are not followed here.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Reads:
    path: Path


@dataclass(frozen=True, slots=True)
class Writes:
    path: Path


@dataclass(frozen=True, slots=True)
class Runs:
    """A shell command. `unsandboxed`: the model asked to run it outside the sandbox."""

    command: str
    cwd: Path
    unsandboxed: bool = False


@dataclass(frozen=True, slots=True)
class Fetches:
    url: str


@dataclass(frozen=True, slots=True)
class Asks:
    """The call is a question to the person: no rule and no mode can answer it."""


@dataclass(frozen=True, slots=True)
class Opaque:
    """Something outside our knowledge, such as an MCP server's tool."""

    name: str


Effect = Reads | Writes | Runs | Fetches | Asks | Opaque


def only_reads(effects: Iterable[Effect]) -> bool:
    """Whether calls with these effects may run beside others and before the message is whole."""
    return all(isinstance(effect, Reads) for effect in effects)
