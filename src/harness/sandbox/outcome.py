"""What a running command yields: live output, and at the end how it finished."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Progress:
    """Live output: the new text, and how much there has been in bytes."""

    text: str
    total_bytes: int


@dataclass(frozen=True, slots=True)
class Outlasts:
    """Its time is over and it still runs. Who goes on with its stream lets it run on, to its `Finished`.

    `output` is what it printed so far, bounded as in `Finished`; `saved` holds all of it, and more as it comes.
    `running`: what is at work, as command lines.
    """

    output: str
    saved: Path
    elapsed: float
    running: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Finished:
    """How a command ended.

    `output` is stdout and stderr in the order they came, decoded, bounded: where there was more than the
    bound, its head and tail with a line between them that says how many bytes are missing; `saved` is then
    the file that holds all of it (up to that file's own cap). `cwd` is where the shell stood at its end, None
    where it could not be told. `pipe_status` are the exit codes of the last pipeline's parts. `elapsed` is in
    seconds. `exit_code` is 128 + n where signal n ended it.
    """

    exit_code: int
    output: str
    total_bytes: int
    elapsed: float
    timed_out: bool = False
    saved: Path | None = None
    cwd: Path | None = None
    pipe_status: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()
    signal: str | None = None
