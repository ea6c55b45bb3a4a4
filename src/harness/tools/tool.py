"""What a tool is: a value, not a class hierarchy. A tool's module holds its input model and two functions."""

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeVar

from pydantic import BaseModel, ConfigDict

from harness.effects import Effect
from harness.files import Files
from harness.messages import Text, UserPart


class ToolInput(BaseModel):
    """Base of all inputs: unknown fields are refused by name, and nothing is guessed."""

    model_config = ConfigDict(extra="forbid", strict=False, frozen=True)


@dataclass(frozen=True, slots=True)
class Progress:
    """Live output: the new text, and how much there has been in bytes."""

    text: str
    total_bytes: int


@dataclass(frozen=True, slots=True)
class Output:
    """The final result. `parts` are for the model, `display` for people (None: the same text),
    `data` is the structured form that hooks and SDKs read (`conventions.md` 4)."""

    parts: tuple[UserPart, ...]
    is_error: bool = False
    display: str | None = None
    data: Mapping[str, Any] | None = None

    @staticmethod
    def text(text: str, *, is_error: bool = False, display: str | None = None, data: Mapping[str, Any] | None = None) -> "Output":
        return Output((Text(text),), is_error, display, data)


class Shell(Protocol):
    """Runs a command line for the Bash tool: the session binds it to a sandbox and a policy."""

    def run(self, command: str, cwd: Path, *, timeout: float) -> "AsyncGenerator[Progress | Finished, None]": ...


@dataclass(frozen=True, slots=True)
class Finished:
    """How a command ended.

    `output` is stdout and stderr in the order they came, decoded, bounded: where there was more than the
    bound, its head and tail with a line between them that says how many bytes are missing; `saved` is then
    the file that holds all of it (up to that file's own cap). `cwd` is where the shell stood at its end, None
    where it could not be told. `pipe_status` are the exit codes of the last pipeline's parts.
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


@dataclass(slots=True)
class FileSeen:
    """What the model has read of a file: the digest of its bytes then, and whether it was all of it."""

    digest: bytes
    whole: bool


@dataclass(slots=True)
class Context:
    """What a tool may use. One per session; `cwd`, `seen` and `todos` change as the session goes on."""

    cwd: Path
    files: Files
    shell: Shell
    results: Path  # directory for results too long to be sent whole
    seen: dict[Path, FileSeen] = field(default_factory=dict)
    todos: list[dict[str, str]] = field(default_factory=list)
    failed_edits: dict[str, str] = field(default_factory=dict)


Stream = AsyncGenerator[Progress | Output, None]
Input = TypeVar("Input", bound=BaseModel)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """`effects` is pure: what the call would do, read by permissions, schedule, sandbox and surfaces.

    `call` yields any number of `Progress` and one final `Output`; it raises `ToolError` for what the model
    can mend. Every other exception is a bug of ours.
    """

    name: str
    description: str
    input: type[BaseModel]
    effects: Callable[[Any, Path], Sequence[Effect]]
    call: Callable[[Any, Context], Stream]
