"""What the settings come to, in the terms of the program. Light: where there are no files, this is all there is."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from harness.messages import Mode
from harness.settings.places import MANAGED, SOURCES

if TYPE_CHECKING:  # loaded with the first file
    from harness.settings.endpoints import Endpoint
    from harness.settings.keys import Source
    from harness.settings.layer import Layer

State = Literal["trusted", "changed", "untrusted"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the command line says about settings. `given` is `--settings`: a file's name, or JSON."""

    given: str | None = None
    sources: tuple[str, ...] = SOURCES
    trust_project: bool = False
    managed: tuple[Path, ...] = MANAGED


@dataclass(frozen=True, slots=True)
class Status:
    """How a project stands. `ignored` names what does not count for that, as `FILE (KEY, ...)`."""

    project: Path
    state: State = "untrusted"
    ignored: tuple[str, ...] = ()

    @property
    def trusted(self) -> bool:
        return self.state == "trusted"

    def __str__(self) -> str:
        """One line for people; '' where nothing was ignored."""
        if not self.ignored:
            return ""
        why = "this workspace has not been trusted"
        if self.state == "changed":
            why += " since its settings, hooks or servers changed"
        return f"{why}; ignored: {'; '.join(self.ignored)}. To trust it: harness trust, or --trust-project"


@dataclass(frozen=True, slots=True)
class AutoMode:
    """What `auto` mode's classifier goes by besides its prompt, and which model is asked. `timeout` in seconds."""

    environment: tuple[str, ...] = ()
    allow: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()
    all_shell: bool = False  # no rule and no sandbox stands in for it
    model: str | None = None
    endpoint: str | None = None
    timeout: float = 15.0


@dataclass(frozen=True, slots=True)
class Settings:
    """What all the files together say, checked; defaults where they are silent. `layers` are the lowest first."""

    layers: "tuple[Layer, ...]" = ()
    problems: tuple[str, ...] = ()
    trust: Status = field(default_factory=lambda: Status(Path()))
    model: str | None = None
    base_url: str | None = None
    ca_file: str | None = None
    aliases: Mapping[str, str] = field(default_factory=dict)
    endpoint: str | None = None  # one of `endpoints`, by name
    endpoints: "Mapping[str, Endpoint]" = field(default_factory=dict)
    context_window: int | None = None  # tokens, as is max_output
    max_output: int | None = None
    prices: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    effort: str | None = None
    fallback_models: tuple[str, ...] = ()
    mode: Mode | None = None
    output_style: str = "default"
    forbidden_modes: frozenset[Mode] = frozenset()
    directories: tuple[str, ...] = ()
    checkpoints: bool = True
    sandbox: bool = True
    sandbox_level: Literal["full", "degraded", "external"] = "full"
    sandbox_needed: bool = False  # a session without the one it asks for does not start
    auto_allow: bool | None = None
    unsandboxed: bool = True  # whether a call may ask to run outside the sandbox
    excluded: tuple[str, ...] = ()  # commands that run outside it
    ignored: Mapping[str, Sequence[str]] = field(default_factory=dict)  # commands to paths whose refusal is not told
    auto_mode: AutoMode = field(default_factory=AutoMode)
    deny_read: tuple[str, ...] = ()
    deny_write: tuple[str, ...] = ()
    allow_read: tuple[str, ...] = ()
    allow_write: tuple[str, ...] = ()
    compact_at: int = 80  # per cent of the usable window
    compact_window: int | None = None  # tokens
    auto_compact: bool = True
    allow_domains: tuple[str, ...] = ()
    deny_domains: tuple[str, ...] = ()
    only_listed_domains: bool = False  # nobody is asked about another
    memory_excluded: tuple[str, ...] = ()  # globs on absolute paths
    memory_of_owner: str = ""
    auto_memory: bool | None = None
    auto_memory_directory: str | None = None
    retention: float = 30  # days that sessions are kept; 0: none is
    environment: Mapping[str, str] = field(default_factory=dict)  # of commands, as the person has it
    project_environment: Mapping[str, str] = field(default_factory=dict)  # what a repository changes of it
    own_environment: Mapping[str, str] = field(default_factory=dict)  # of this program; never from a repository

    def of(self, source: "Source", key: str) -> Any:
        """The value that one source gives a key, None where it gives none."""
        found = (layer.get(key) for layer in reversed(self.layers) if layer.source == source)
        return next((value for value in found if value is not None), None)

    def hooks(self) -> "Iterator[tuple[str, Mapping[str, Any], Layer]]":
        """Every hook group as `(event, {"matcher"?, "hooks"}, layer)`; those of a repository only once trusted."""
        for layer in self.layers:
            for event, groups in (layer.get("hooks") or {}).items():
                yield from ((event, group, layer) for group in groups)
