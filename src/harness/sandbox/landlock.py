"""The degraded level: where the kernel or a container refuses namespaces, Landlock and seccomp confine a command.

Both are allow-lists: what is not named below can be neither read nor written, and there is no network at all. What
this level does not hold is listed in docs/sandbox.md; commands are never approved by themselves in it.
"""

import json
import os
import secrets
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from harness.errors import SandboxUnavailable
from harness.paths import within
from harness.sandbox import cgroup, environment, landlocked, launch, masks, reaper, snapshot
from harness.sandbox.bwrap import Snapshot
from harness.sandbox.launch import Launch
from harness.sandbox.policy import Policy

# What programs need of a system; of /proc the kernel gives away nothing about processes outside of this domain.
_SYSTEM = """
    /usr /bin /sbin /lib /lib32 /lib64 /libx32 /etc /opt /nix /snap /proc /sys/devices /sys/fs/cgroup
    /run/current-system /var/lib/dpkg /dev/random /dev/urandom
"""
SYSTEM = tuple(dict.fromkeys(Path(os.path.realpath(name)) for name in _SYSTEM.split()))
_DEVICES = ("null", "zero", "full", "tty", "ptmx", "pts")
DEVICES = tuple(Path(os.path.realpath(Path("/dev", name))) for name in _DEVICES)
Children = Callable[[Path], Iterable[Path]]


@dataclass(frozen=True, slots=True)
class Rules:
    """What `landlocked` is given. `change`: everything but to read or execute, where parts must not be read.
    `scope`: no TCP at all. `filter`: the seccomp program, in hexadecimal."""

    read: list[str]
    write: list[str]
    change: list[str]
    device: list[str]
    scope: bool
    filter: str


def rules(policy: Policy, disk: Snapshot, home: Path, temporary: Path, filter_: bytes, children: Children) -> Rules:
    """A pure function of a policy and of what is on the disk.

    Landlock can only add rights below a directory, never take one away: around a path that must not be read (or
    written) its neighbours are named one by one, and nothing can be read (or made) in its parents but they.
    """
    writable = (*policy.keep, temporary)
    if not policy.project_readonly:
        writable += (policy.project, *policy.write)
    given = (*policy.read, policy.project, *writable)
    found = (*SYSTEM, *disk.shown, *disk.installation, *(home / name for name in sorted(masks.TOOLCHAINS)))
    denied = [path for path in policy.deny_read if path not in (policy.project, policy.home)]
    secret = (*disk.hidden, *denied)
    read = [path for root in given for path in around(root, secret, children)]
    for root in found:
        if not any(within(root, path) for path in denied):
            read += around(root, secret, children)
    write: list[Path] = []
    change: list[Path] = []
    for root in writable:
        for path in around(root, (*disk.installation, *policy.deny_write), children):
            (change if any(within(hidden, path) for hidden in secret) else write).append(path)
    return Rules(
        read=_names(read),
        write=_names(write),
        change=_names(change),
        device=_names(DEVICES),
        scope=policy.network != "host",
        filter=filter_.hex(),
    )


def around(root: Path, closed: Sequence[Path], children: Children) -> Iterator[Path]:
    """`root`, or what lies in it beside what is closed. Of links nothing: what they lead to has its own rule."""
    below = [path for path in closed if root in path.parents]
    if not below:
        yield root
        return
    for child in children(root):
        if child not in below:
            yield from around(child, below, children)


def _names(paths: Iterable[Path]) -> list[str]:
    return list(dict.fromkeys(map(str, paths)))


def _children(directory: Path) -> list[Path]:
    return [path for path in masks.children(directory) if not path.is_symlink()]


@dataclass(frozen=True, slots=True)
class Landlocked:
    """The launcher of this level. There is a private TMPDIR, no private /tmp; processes are found by a mark."""

    @contextmanager
    def open(self, policy: Policy, argv: Sequence[str], cwd: Path, passed: Sequence[int] = ()) -> Iterator[Launch]:
        uid, gid = snapshot.acting_user(policy)
        own = uid == os.geteuid()
        temporary = Path(os.path.realpath(tempfile.mkdtemp(prefix="harness-")))
        mark = secrets.token_hex(8)
        home = policy.home if own else masks.home_of(uid) or temporary
        try:
            disk = snapshot.take(policy, uid)
            made = rules(policy, disk, home, temporary, launch.call_filter(policy, degraded=True), _children)
            variables = environment.sandboxed(policy, home) | environment.private(temporary) | {reaper.MARK: mark}
            for link, target in disk.links.items():
                (temporary / link.name).symlink_to(target)
                variables["PATH"] += f"{os.pathsep}{temporary}"
            if not own:
                os.chown(temporary, uid, gid)
            number = launch.memory_file("rules", json.dumps(asdict(made)).encode())
            try:
                words = [sys.executable, "-I", "-S", landlocked.__file__, str(number), *argv]
                group = cgroup.own() if own else None
                yield Launch(
                    argv=group.enter(words) if group else words,
                    env=variables,
                    cwd=cwd,
                    descriptors=(number, *passed),
                    user=None if own else (uid, gid),
                    mark=mark,
                )
            finally:
                os.close(number)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def launcher() -> Landlocked:
    """Raises SandboxUnavailable where this kernel cannot."""
    version = landlocked.abi() if sys.platform == "linux" else 0
    if version < landlocked.OLDEST:
        had = f"version {version} of it" if version else "none (too old, or `landlock` is not in its lsm= list)"
        raise SandboxUnavailable(
            f"The degraded sandbox needs Landlock of version {landlocked.OLDEST}, Linux 6.2; this kernel has {had}.",
            "Mend the full sandbox (harness doctor), or declare an outer container: sandbox.mode external.",
        )
    return Landlocked()
