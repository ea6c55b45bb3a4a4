"""What a session's commands may touch: settings and flags made into a sandbox policy."""

from collections.abc import Callable, Iterable
from pathlib import Path

from harness import paths
from harness.messages import Mode
from harness.options import SessionOptions
from harness.permissions import Roots
from harness.sandbox.policy import Granted, Level, Policy
from harness.settings import Settings


class Confinement:
    """Makes the policy of each command; the mode may have changed since the last one."""

    def __init__(self, options: SessionOptions, chosen: Settings, cwd: Path, results: Path) -> None:
        self.sandboxed = options.sandbox and chosen.sandbox
        self._network = options.network
        self._cwd, self._results = cwd, results
        self.directories = (*options.add_dirs, *_existing(chosen.directories, cwd))
        self._write = (*self.directories, *_existing(chosen.allow_write, cwd))
        self._read = _existing(chosen.allow_read, cwd)
        self._deny_read, self._deny_write = _existing(chosen.deny_read, cwd), _existing(chosen.deny_write, cwd)
        self._environment = chosen.environment
        self.home = Path(options.env.get("HOME") or Path.home())
        self._auto_allow = chosen.auto_allow
        self._may_leave, self._excluded = chosen.unsandboxed, chosen.excluded

    @property
    def level(self) -> Level:
        """The level asked for; a command that cannot have it is refused, never run with less."""
        return "full" if self.sandboxed else "none"

    def policy(self, mode: Mode) -> Policy:
        return Policy(
            project=self._cwd,
            home=self.home,
            write=self._write,
            read=(*self._read, *_existing((str(self._results),), self._cwd)),  # made by the first long result
            deny_read=self._deny_read,
            deny_write=self._deny_write,
            network=self._network,
            env=self._environment,
            project_readonly=mode == "plan",
        )

    def granted(self) -> Granted:
        places = (self._cwd, *self._write)
        return Granted(self.level, self._network, places, self._auto_allow, self._may_leave, self._excluded)

    def roots(self, real: Callable[[Path], Path]) -> Roots:
        """The places that path decisions depend on; `real` follows links, see `Roots`."""
        return Roots(
            project=self._cwd,
            cwd=self._cwd,
            home=self.home,
            real=real,
            extra=self.directories,
            readable=(self._results,),
        )

    def note(self, mode: Mode) -> str:
        """One sentence for the model and the person."""
        if not self.sandboxed:
            return "none: commands run with the user's own rights"
        project = "the project is read-only" if mode == "plan" else "the project is writable"
        network = "the host's network" if self._network == "host" else "no network"
        return f"bubblewrap; {project}, the rest read-only or hidden, {network}"


def _existing(names: Iterable[str], cwd: Path) -> tuple[Path, ...]:
    """Settings may name what another machine has; what is not here can be neither granted nor hidden."""
    places = (paths.resolve(name, cwd).resolve() for name in names if "\0" not in name)
    return tuple(place for place in places if place.exists())
