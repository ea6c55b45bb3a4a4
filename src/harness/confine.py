"""What a session's commands may touch: settings and flags made into a sandbox policy."""

import sys
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

from harness import paths
from harness.contacts import listed
from harness.definitions import skill_places
from harness.errors import UsageError
from harness.leaving import Leaving
from harness.memory.places import notes
from harness.messages import Mode
from harness.network.domains import Domains, Network, network
from harness.network.hosts import Refused
from harness.options import SessionOptions
from harness.permissions import Roots, Rules
from harness.sandbox.policy import Granted, Level, Policy
from harness.settings import Settings

if TYPE_CHECKING:
    from harness.network.gate import Ask, Gate, Start

_SHOWN = 8  # hosts that the note names
_WALL = "seatbelt" if sys.platform == "darwin" else "bubblewrap"


class _Rules(Protocol):
    @property
    def rules(self) -> Rules: ...


_Ruled = TypeVar("_Ruled", bound=_Rules)


class Confinement:
    """Makes the policy of each command; the mode may have changed since the last one."""

    def __init__(self, options: SessionOptions, chosen: Settings, cwd: Path, results: Path) -> None:
        # It is this level or an error: never a lower one by itself.
        self.level: Level = options.sandbox or (chosen.sandbox_level if chosen.sandbox else "none")
        self._network = network(options.network, options.allow_domains, chosen.allow_domains)
        self._strict = chosen.only_listed_domains
        self._domains = _domains(options, chosen)
        self._cwd, self._results = cwd, results
        trusted, sources = chosen.trust.trusted, options.settings.sources
        self._skills = tuple(skill_places(cwd, options.env, sources, trusted=trusted))
        self._notes = notes(
            cwd, options.env, False if options.plain else chosen.auto_memory, chosen.auto_memory_directory
        )
        kept = (self._notes,) if self._notes and chosen.auto_memory else ()  # switched on: it may be written to
        self.directories = (*options.add_dirs, *_existing(chosen.directories, cwd), *kept)
        self._write = (*self.directories, *_existing(chosen.allow_write, cwd))
        self._read = _existing(chosen.allow_read, cwd)
        self._deny_read, self._deny_write = _existing(chosen.deny_read, cwd), _existing(chosen.deny_write, cwd)
        self._environment, self._theirs = dict(chosen.environment), dict(chosen.project_environment)
        if options.env.get("CLAUDE_CODE_SIMPLE"):
            self._environment["CLAUDE_CODE_SIMPLE"] = options.env["CLAUDE_CODE_SIMPLE"]
        self._by_rules: Callable[[], Sequence[tuple[Path, ...]]] = lambda: ((), (), ())
        self.home = Path(options.env.get("HOME") or Path.home())
        self._auto_allow = chosen.auto_allow
        self._may_leave, self._excluded, self._ignored = chosen.unsandboxed, chosen.excluded, chosen.ignored

    @property
    def sandboxed(self) -> bool:
        """Whether we hold the commands ourselves."""
        return self.level in {"full", "degraded"}

    def follow(self, permit: _Ruled, roots: Roots) -> _Ruled:
        """Let path rules count for commands, too: what deny rules name is hidden or read-only, what the person's own
        Edit rules allow whole is writable. `permit`, given back, is asked for its rules before each command."""

        @cache
        def look() -> Callable[[], Sequence[tuple[Path, ...]]]:
            from harness.permissions.denied import Denied, opened  # noqa: PLC0415  with the first command

            unread, unchanged = (Denied(lambda: permit.rules.deny, roots, tool) for tool in ("Read", "Edit"))
            return lambda: (opened(permit.rules.allow, roots), unread(), unchanged())

        self._by_rules = lambda: look()()  # noqa: PLW0108  looked at with the first command
        return permit

    def leaving(self, mode: Callable[[], Mode]) -> Leaving:
        return Leaving(self._cwd, self.home, self.level, mode, self._excluded)

    def policy(self, mode: Mode) -> Policy:
        opened, unread, unchanged = self._by_rules()
        return Policy(
            project=self._cwd,
            home=self.home,
            level=self.level,
            write=(*self._write, *opened),
            # The directory of results is made by the first long one.
            read=(*self._read, *self._skills, *_existing((str(self._results),), self._cwd)),
            deny_read=(*self._deny_read, *unread),
            deny_write=(*self._deny_write, *unchanged),
            network=self._network,
            env=self._environment,
            inside=self._theirs,
            ignored=self._ignored,
            project_readonly=mode == "plan",
        )

    def held(self, mode: Callable[[], Mode]) -> Callable[[], Policy] | None:
        """The policy of what we hold ourselves; None where we hold nothing."""
        return (lambda: self.policy(mode())) if self.sandboxed else None

    def granted(self) -> Granted:
        places = (self._cwd, *self._write)
        # A list that names every host grants what the host's own network does.
        network: Network = "host" if self._network == "proxy" and self._domains.everything else self._network
        auto_allow = self._auto_allow if self.level == "full" else False
        return Granted(self.level, network, places, auto_allow, self._may_leave, self._excluded)

    def gate(self, rules: Callable[[], Rules], start: "Start", ask: "Ask | None") -> "Gate | None":
        """The way out of this session's commands; None where they have none, or all."""
        if self._network != "proxy" or self.level != "full":
            return None
        from harness.network.gate import Gate  # noqa: PLC0415  most sessions have no network

        return Gate(lambda: listed(self._domains, rules()), start, None if self._strict else ask)

    def roots(self, real: Callable[[Path], Path], plan_file: Path | None = None) -> Roots:
        """The places that path decisions depend on; `real` follows links, see `Roots`."""
        return Roots(
            project=self._cwd,
            cwd=self._cwd,
            home=self.home,
            real=real,
            extra=self.directories,
            readable=(self._results, *self._skills, *([self._notes] if self._notes else [])),
            plan_file=plan_file,
        )

    @property
    def programs(self) -> tuple[str, ...]:
        """What commands find on their PATH that the machine may not have (`sandbox.snapshot`)."""
        ours = self.level == "full" and sys.platform == "linux" and Path(sys.prefix, "bin", "rg").exists()
        return ("rg",) if ours else ()

    def note(self, mode: Mode) -> str:
        """One sentence for the model and the person."""
        if self.level == "none":
            return "none: commands run with the user's own rights"
        if self.level == "external":
            return "external: the user says that an outer container holds the commands"
        project = "the project is read-only" if mode == "plan" else "the project is writable"
        network = {"none": "no network", "host": "the host's network", "proxy": self._hosts()}[self._network]
        wall = "degraded (Landlock)" if self.level == "degraded" else _WALL
        return f"{wall}; {project}, the rest read-only or hidden, {network}"

    def _hosts(self) -> str:
        shown = ", ".join(str(entry) for entry in self._domains.allowed[:_SHOWN])
        return f"network only by HTTP_PROXY and to listed hosts ({shown or 'none yet'})"


def require_sandbox(options: SessionOptions, chosen: Settings) -> None:
    """Raises SandboxUnavailable where settings want the session to fail without the sandbox that it asks for."""
    if chosen.sandbox_needed:
        from harness.sandbox import probe  # noqa: PLC0415  few settings want it, and it tries a real command

        confinement = Confinement(options, chosen, options.cwd.resolve(), paths.config_home(options.env))
        probe.describe(confinement.policy("default"))


def _domains(options: SessionOptions, chosen: Settings) -> Domains:
    try:
        return Domains.parse((*options.allow_domains, *chosen.allow_domains), chosen.deny_domains)
    except Refused as refused:
        raise UsageError(f"sandbox.network.deniedDomains: {refused}.", "Give hosts, as in example.com.") from None


def _existing(names: Iterable[str], cwd: Path) -> tuple[Path, ...]:
    """Settings may name what another machine has; what is not here can be neither granted nor hidden."""
    places = (paths.resolve(name, cwd).resolve() for name in names if "\0" not in name)
    return tuple(place for place in places if place.exists())
