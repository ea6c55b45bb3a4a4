"""What a tool is: a value, not a class hierarchy. A tool's module holds its input model and two functions.

Light: pydantic is loaded by the tools' own modules.
"""

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypeVar

from harness.files import Files
from harness.messages import Text, UserPart

if TYPE_CHECKING:  # a session makes a `Context` before it needs any input model
    from pydantic import BaseModel

    from harness.effects import Effect
    from harness.jobs import Jobs
    from harness.network.contact import Contact
    from harness.network.wire import Wire
    from harness.sandbox.outcome import Finished, Outlasts, Progress

__all__ = [
    "Context",
    "FileSeen",
    "Inner",
    "Input",
    "Output",
    "Seen",
    "Shell",
    "Stream",
    "Tool",
    "current_call",
]


@dataclass(frozen=True, slots=True)
class Output:
    """The final result. `parts` are for the model, `display` for people (None: the same text),
    `data` is the structured form that hooks and SDKs read (`conventions.md` 4)."""

    parts: tuple[UserPart, ...]
    is_error: bool = False
    display: str | None = None
    data: Mapping[str, Any] | None = None

    @staticmethod
    def text(
        text: str, *, is_error: bool = False, display: str | None = None, data: Mapping[str, Any] | None = None
    ) -> "Output":
        return Output((Text(text),), is_error, display, data)


class Shell(Protocol):
    """Runs a command line for the Bash tool: the session binds it to a sandbox and a policy."""

    def run(
        self, command: str, cwd: Path, *, timeout: float, outlast: bool = False, outside: bool = False
    ) -> "AsyncGenerator[Progress | Contact | Outlasts | Finished, None]": ...

    def prepare(self, cwd: Path) -> None:
        """Make ready for the next command, while the model thinks."""
        ...

    def discard(self) -> None:
        """Give up what was made ready: the project changes by other hands than a command's, or nothing follows."""
        ...


@dataclass(frozen=True, slots=True)
class Inner:
    """What a sub-agent's loop yields (an event, or what it spent), on its way out of the call that started it."""

    agent: str
    event: Any


# The id of the call that runs: calls that run beside each other are tasks of their own.
current_call: ContextVar[str] = ContextVar("current_call", default="")


@dataclass(slots=True)
class FileSeen:
    """What the model has read of a file: the digest of its bytes then, and whether it was all of it.

    `upto` lines from the start have been shown, page by page.
    """

    digest: bytes
    whole: bool
    upto: int = 0


class Seen(dict[Path, FileSeen]):
    """The files seen, by real place. It notes which have changed since that was last asked."""

    def __init__(self) -> None:
        super().__init__()
        self.changed: set[Path] = set()

    def __setitem__(self, place: Path, seen: FileSeen) -> None:
        super().__setitem__(place, seen)
        self.changed.add(place)

    def setdefault(self, place: Path, seen: FileSeen) -> FileSeen:
        if place not in self:
            self[place] = seen
        return self[place]

    def taken(self) -> list[tuple[Path, FileSeen]]:
        """Those that changed; they count as unchanged from now on."""
        changed, self.changed = self.changed, set()
        return [(place, self[place]) for place in sorted(changed)]


@dataclass(slots=True)
class Context:
    """What a tool may use. One per session; `cwd`, `seen` and `todos` change as the session goes on.

    `decided` maps a path as written to the real place (`Files.real`) that was decided on: set for every path in a
    call's effects once it is allowed. Without an entry only places inside the roots are opened. `seen` goes by
    real places. `hidden` gives gitignore-style globs, anchored at `/`, of what Glob and Grep must not show. `search`
    finds specs of tools that are not in the request. `jobs` is None where nothing may run in the background.
    `call_id` is the call that was allowed last, `outside` whether it was to run outside the sandbox: a call that
    starts something runs alone.
    """

    cwd: Path
    files: Files
    shell: Shell
    results: Path  # directory for results too long to be sent whole
    seen: dict[Path, FileSeen] = field(default_factory=dict)
    todos: list[dict[str, str]] = field(default_factory=list)
    failed_edits: dict[str, str] = field(default_factory=dict)
    decided: dict[Path, Path] = field(default_factory=dict)
    hidden: Callable[[], tuple[str, ...]] = tuple
    pages: dict[str, tuple[float, str, int]] = field(default_factory=dict)  # of the web: when, text, status
    wire: "Wire | None" = None  # how they are reached; None is the machine's own way
    spawn: Callable[[Any], AsyncGenerator[Any, None]] | None = None  # starts a sub-agent; None: not here
    search: Callable[[str, int], Sequence[dict[str, Any]]] = lambda _query, _limit: ()
    jobs: "Jobs | None" = None
    call_id: str = ""
    outside: bool = False

    def prepare_shell(self) -> None:
        self.shell.prepare(self.cwd)

    def allow(self, call_id: str, effects: "Sequence[Effect]", real: Mapping[Path, Path]) -> None:
        """This call may run now, and its paths lead there."""
        from harness.effects import Runs, Writes  # noqa: PLC0415  a call that may run has told them

        self.call_id = call_id
        self.outside = any(isinstance(effect, Runs) and effect.outside for effect in effects)
        self.decided.update(real)
        if any(isinstance(effect, Writes) for effect in effects):
            self.shell.discard()


Stream: TypeAlias = "AsyncGenerator[Progress | Contact | Inner | Output, None]"
Input = TypeVar("Input", bound="BaseModel")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """`effects` is pure: what the call would do, read by permissions, schedule, sandbox and surfaces.

    `call` yields any number of `Progress` and `Contact` (a host that a command wants to reach) and one final
    `Output`; it raises `ToolError` for what the model can mend. Every other exception is a bug of ours.
    `parallel`: it may run beside others once the message is whole; None: if it only reads, and then earlier too.
    """

    name: str
    description: str
    input: "type[BaseModel]"
    effects: "Callable[[Any, Path], Sequence[Effect]]"
    call: Callable[[Any, Context], Stream]
    parallel: bool | None = None
