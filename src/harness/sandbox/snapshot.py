"""Look at the disk once per command: what is there to hide, to show and to protect."""

import functools
import os
import stat
import sys
from collections.abc import Iterable
from pathlib import Path

import harness
from harness.paths import config_home
from harness.sandbox import masks
from harness.sandbox.bwrap import Snapshot
from harness.sandbox.environment import PROGRAMS
from harness.sandbox.policy import Policy
from harness.sandbox.protect import Protection, survey

_SCRATCH = (Path("/tmp"), Path("/var/tmp"))  # noqa: S108  replaced by private ones, not used
_EMPTY = (Path("/run"), Path("/mnt"), Path("/media"))
_NIXOS = Path("/run/current-system")
_RESOLVER = Path("/run/systemd/resolve")


def take(policy: Policy, uid: int) -> Snapshot:
    """The facts for a command that will run as `uid`. Raises SandboxUnavailable (see `protect.survey`)."""
    named = Path(os.path.realpath(policy.home))
    homes = {named, masks.home_of(uid) or named}
    hidden = [*masks.hidden(homes, root=uid == 0), *_existing((Path(os.path.realpath(config_home())),))]
    system = (_NIXOS, _RESOLVER) if policy.network == "host" else (_NIXOS,)
    shown = (*masks.shown(homes), *(path for path in system if masks.mode(path)))
    return Snapshot(
        directories=frozenset(path for path in (*hidden, *policy.deny_read) if stat.S_ISDIR(masks.mode(path))),
        scratch=_existing(_SCRATCH),
        empty=_existing(_EMPTY),
        hidden=tuple(hidden),
        shown=shown,
        installation=_installation(),
        links=_programs(),
        protection=_protection(policy),
    )


def acting_user(policy: Policy) -> tuple[int, int]:
    """(uid, gid) to run as: our own; root on another owner's project runs as that owner.

    Root inside a sandbox has no capabilities: it could not write that project, and git would refuse it.
    """
    owner = policy.project.stat()
    if os.geteuid() == 0 and owner.st_uid != 0:
        return owner.st_uid, owner.st_gid
    return os.geteuid(), os.getegid()


def _protection(policy: Policy) -> Protection:
    if policy.project_readonly:
        return Protection()
    whole = Protection()
    for root in (policy.project, *policy.write):
        found = survey(root)
        whole.read_only += found.read_only
        whole.pinned += found.pinned
        whole.placeholders += found.placeholders
        whole.sighted |= found.sighted
    return whole


@functools.cache
def _installation() -> tuple[Path, ...]:
    """The interpreter, the virtual environment and our package: what runs outside the sandbox.

    Read-only inside even where the project is our own source checkout: a module that is imported later would
    run with all rights. Whoever develops Harness with Harness edits it by the file tools, which ask, or runs
    another installation of it.
    """
    package = Path(harness.__file__).parent
    roots = {Path(os.path.realpath(path)) for path in (sys.prefix, sys.base_prefix, package)}
    return tuple(sorted(roots))


def _programs() -> dict[Path, Path]:
    """The rg that came with us, for commands too: at the end of their PATH, behind the user's own."""
    rg = Path(sys.prefix, "bin", "rg")
    return {PROGRAMS / "rg": rg} if PROGRAMS.parent.is_dir() and masks.mode(rg) else {}


def _existing(paths: Iterable[Path]) -> tuple[Path, ...]:
    return tuple(path for path in paths if _is_real(path))


def _is_real(path: Path) -> bool:
    try:
        mode = path.lstat().st_mode
    except OSError:
        return False
    return not stat.S_ISLNK(mode)
