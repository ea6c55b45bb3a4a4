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
    """A shell command. `unsandboxed`: it is to run outside the sandbox, if the person says yes: the model asked for
    it, or it cannot work inside, and `why`. `excluded`: settings let it run outside."""

    command: str
    cwd: Path
    unsandboxed: bool = False
    excluded: bool = False
    why: str = ""

    @property
    def outside(self) -> bool:
        return self.unsandboxed or self.excluded


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
