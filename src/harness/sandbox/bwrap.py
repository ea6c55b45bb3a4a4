"""The bubblewrap argument list: a pure function of a policy and of what is on the disk.

Every path gets one `Layer`; layers are mounted parents first, so the most specific one wins, and the order in
which they are decided below is their precedence for one and the same path.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from pathlib import Path

from harness.paths import within
from harness.sandbox.policy import Policy
from harness.sandbox.protect import Protection

TMPFS_BYTES = 2 << 30
COVER_BYTES = 64 << 10
# What lies over a hidden place is in memory and goes with the command. Its mode keeps honest programs from believing
# that they wrote something; making the mount read-only as well would cost as much as a bind: 0.2 ms each.
_COVER = ("--size", str(COVER_BYTES), "--perms")
_ISOLATE = (
    # Said explicitly, not "try": a kernel without user namespaces must refuse, and root must lose all.
    *("--unshare-user", "--unshare-all", "--disable-userns", "--cap-drop", "ALL"),
    *("--new-session", "--die-with-parent", "--hostname", "sandbox", "--clearenv"),
)


class Layer(Enum):
    WRITE = auto()
    READ = auto()
    OVERLAY = auto()  # writable, and all writes vanish with the command
    SCRATCH = auto()  # an empty writable directory in memory
    EMPTY = auto()  # an empty directory
    HIDDEN_DIR = auto()
    HIDDEN_FILE = auto()
    DENIED_DIR = auto()


_SECRET = {Layer.HIDDEN_DIR, Layer.HIDDEN_FILE, Layer.DENIED_DIR}
_HIDING = {Layer.SCRATCH, Layer.EMPTY, Layer.HIDDEN_DIR, Layer.DENIED_DIR}
Layers = dict[Path, Layer]


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """What is on the disk, as far as it matters. All paths are real; only existing ones are listed."""

    directories: frozenset[Path]  # of the paths named here, those that are directories
    scratch: tuple[Path, ...] = ()  # /tmp, /var/tmp
    empty: tuple[Path, ...] = ()  # /run, /mnt, /media
    hidden: tuple[Path, ...] = ()
    shown: tuple[Path, ...] = ()
    installation: tuple[Path, ...] = ()  # our package and interpreter: readable, never writable
    links: Mapping[Path, Path] = field(default_factory=dict)  # made below `empty`: name to target
    protection: Protection = field(default_factory=Protection)


def arguments(
    policy: Policy,
    disk: Snapshot,
    environment: Mapping[str, str],
    cwd: Path,
    *,
    seccomp: int | None = None,
    overlay: bool = False,
    layers: Layers | None = None,
) -> list[str]:
    """bwrap's options, without the command. `seccomp`: the number of the open file that holds the filter. `overlay`:
    plan mode on a bwrap that has --tmp-overlay. `layers`: the plan, where it is there already."""
    words = [*_ISOLATE, *(("--share-net",) if policy.network == "host" else ())]
    for name, value in environment.items():
        words += ["--setenv", name, value]
    words += ["--ro-bind", "/", "/", "--dev", "/dev"]
    # Measured: for real root bwrap leaves /proc/sys writable (core_pattern: code as root on the host).
    words += ["--proc", "/proc", "--remount-ro", "/proc"]
    words += ["--size", str(TMPFS_BYTES), "--perms", "1777", "--tmpfs", "/dev/shm"]  # noqa: S108  the sandbox's own
    layers = plan(policy, disk, overlay=overlay) if layers is None else layers
    ordered = sorted(layers, key=lambda path: (len(path.parts), path))
    for path in ordered:
        words += _mount(path, layers[path])
    for link, target in disk.links.items():
        words += ["--symlink", str(target), str(link)]
    words += ["--chdir", str(cwd)]
    if seccomp is not None:
        words += ["--seccomp", str(seccomp)]
    return words


def plan(policy: Policy, disk: Snapshot, *, overlay: bool = False) -> Layers:
    """Which layer each path gets. Later decisions win over earlier ones for the same path."""
    layers: Layers = dict.fromkeys(disk.scratch, Layer.SCRATCH)
    layers |= dict.fromkeys(disk.empty, Layer.EMPTY)
    layers |= {path: _hide(path, disk) for path in disk.hidden}
    layers |= _reopened(disk.shown, layers)
    layers |= _reopened(disk.installation, layers)
    if policy.project_readonly:
        layers[policy.project] = Layer.OVERLAY if overlay else Layer.READ
        layers |= _reopened(policy.write, layers)
    else:
        layers |= dict.fromkeys((policy.project, *policy.write), Layer.WRITE)
    layers |= dict.fromkeys(policy.keep, Layer.WRITE)
    layers |= _reopened(policy.read, layers)
    denied = (path for path in policy.deny_read if path not in (policy.project, policy.home))
    layers |= {path: _hide(path, disk, Layer.DENIED_DIR) for path in denied}
    for path in [path for path, layer in layers.items() if layer is Layer.DENIED_DIR]:
        if any(path in other.parents for other in layers):
            layers[path] = Layer.HIDDEN_DIR  # something within it is allowed: it must let through
    _protect(layers, policy, disk)
    return layers


def _protect(layers: Layers, policy: Policy, disk: Snapshot) -> None:
    """Only what a command could write needs protection, and protection must not uncover what is hidden."""
    if policy.project_readonly:
        return
    shut = (*disk.installation, *policy.deny_write)
    for path in disk.protection.pinned:
        if cover(path, layers) not in _SECRET and not any(within(path, root) for root in shut):
            layers[path] = Layer.WRITE
    # A read-only path is worth nothing if a parent of it can be renamed away.
    roots = (policy.project, *policy.write)
    pins = [parent for path in disk.installation for parent in path.parents if any(r in parent.parents for r in roots)]
    for paths, layer in (
        (pins, Layer.WRITE),
        (disk.protection.read_only, Layer.READ),
        (shut, Layer.READ),
    ):
        for path in paths:
            if cover(path, layers) is Layer.WRITE:
                layers[path] = layer


def cover(path: Path, layers: Mapping[Path, Layer]) -> Layer | None:
    """The layer that `path` lies in: its own or its nearest parent's; None is the read-only system."""
    return next((layers[step] for step in (path, *path.parents) if step in layers), None)


def _reopened(paths: Sequence[Path], layers: Layers) -> Layers:
    """Read-only layers for those that something hides; the others can be read as they are."""
    return {path: Layer.READ for path in paths if cover(path, layers) in _HIDING}


def _hide(path: Path, disk: Snapshot, layer: Layer = Layer.HIDDEN_DIR) -> Layer:
    return layer if path in disk.directories else Layer.HIDDEN_FILE


def _bind(option: str, path: Path) -> list[str]:
    return [option, str(path), str(path)]


def _mount(path: Path, layer: Layer) -> list[str]:
    name = str(path)
    match layer:
        case Layer.WRITE:
            return _bind("--bind", path)
        case Layer.READ:
            return _bind("--ro-bind", path)
        case Layer.OVERLAY:
            return ["--overlay-src", name, "--tmp-overlay", name]
        case Layer.SCRATCH:
            return ["--size", str(TMPFS_BYTES), "--perms", "1777", "--tmpfs", name]
        case Layer.EMPTY:
            return [*_COVER, "0555", "--tmpfs", name]
        case Layer.HIDDEN_DIR:
            return [*_COVER, "0500", "--tmpfs", name]
        case Layer.DENIED_DIR:
            return [*_COVER, "0000", "--tmpfs", name]
        case Layer.HIDDEN_FILE:
            return ["--ro-bind", "/dev/null", name]
