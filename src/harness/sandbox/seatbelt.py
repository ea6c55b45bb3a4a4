"""macOS: the sandbox profile as text, with every path as a parameter. Not run by our tests on Linux."""

import itertools
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from harness.sandbox import environment, masks, snapshot
from harness.sandbox.launch import Launch
from harness.sandbox.policy import Policy
from harness.sandbox.protect import Protection

PROGRAM = "/usr/bin/sandbox-exec"
_BASE = """\
(version 1)
(deny default)
(allow process-exec process-fork)
(allow signal (target same-sandbox))
(allow process-info* (target same-sandbox))
(allow sysctl-read)
(allow mach-lookup
  (global-name "com.apple.system.opendirectoryd.libinfo")
  (global-name "com.apple.system.logger")
  (global-name "com.apple.logd"))
(allow ipc-posix-sem)
(allow ipc-posix-shm*)
(allow pseudo-tty)
(allow file-ioctl (literal "/dev/ptmx") (regex #"^/dev/ttys[0-9]+$"))
(allow file-read*)
(allow file-write-data (literal "/dev/null") (literal "/dev/zero") (literal "/dev/dtracehelper"))
(allow file-read* file-write* (literal "/dev/ptmx") (literal "/dev/tty") (regex #"^/dev/ttys[0-9]+$"))
"""
# Later rules win. A nested repository's hooks and configuration, wherever it lies; macOS compares without case.
_NESTED_GIT = '(deny file-write* (regex #"/[.][gG][iI][tT]/(hooks|config|config[.]worktree|commondir)(/|$)"))'


@dataclass(frozen=True, slots=True)
class Profile:
    """`text` goes to `sandbox-exec -p`; each of `parameters` to `-D NAME=VALUE`."""

    text: str
    parameters: tuple[tuple[str, str], ...]

    def argv(self, command: Sequence[str]) -> list[str]:
        words = [PROGRAM, "-p", self.text]
        for name, value in self.parameters:
            words += ["-D", f"{name}={value}"]
        return [*words, *command]


def profile(
    policy: Policy,
    hidden: Sequence[Path],
    shown: Sequence[Path],
    protection: Protection,
    installation: Sequence[Path],
    temporary: Path,
) -> Profile:
    """A pure function of a policy and what is on the disk; all paths are real. `temporary`: the private TMPDIR."""
    names = _Names()
    lines = [_BASE.rstrip()]
    lines.append(names.rule("deny file-read*", "subpath", (*hidden, *policy.deny_read)))
    lines.append(names.rule("allow file-read*", "subpath", (*shown, *policy.read, *installation)))
    writable = (temporary,) if policy.project_readonly else (policy.project, *policy.write, temporary)
    writable = (*writable, *policy.keep)
    lines.append(names.rule("allow file-read* file-write*", "subpath", writable))
    inside = [path for path in hidden if any(root in path.parents for root in writable)]
    lines.append(names.rule("deny file-read* file-write*", "subpath", (*inside, *policy.deny_read)))
    if not policy.project_readonly:
        shut = (*protection.read_only, *policy.deny_write, *installation)
        lines.append(names.rule("deny file-write*", "subpath", shut))
        lines.append(_NESTED_GIT)
        # Renaming a parent away would leave the protected name free for another.
        lines.append(names.rule("deny file-write-unlink", "literal", _ancestors(shut, writable)))
    if policy.network == "host":
        lines.append("(allow network*)\n(allow system-socket)")
    return Profile("\n".join(line for line in lines if line) + "\n", tuple(names.given))


class _Names:
    """Paths never stand in the profile's text: each gets a parameter, so that no name can be read as a rule."""

    def __init__(self) -> None:
        self.given: list[tuple[str, str]] = []
        self._count = itertools.count()

    def rule(self, head: str, kind: str, paths: Sequence[Path]) -> str:
        if not paths:
            return ""
        filters = []
        for path in dict.fromkeys(paths):
            for spelling in _spellings(path):
                name = f"P{next(self._count)}"
                self.given.append((name, spelling))
                filters.append(f'({kind} (param "{name}"))')
        return f"({head}\n  {' '.join(filters)})"


def _spellings(path: Path) -> tuple[str, ...]:
    """Both spellings of what macOS links into /private."""
    text = str(path)
    if re.match(r"/(tmp|var|etc)(/|$)", text):
        return text, "/private" + text
    return (text,)


def _ancestors(paths: Sequence[Path], roots: Sequence[Path]) -> tuple[Path, ...]:
    """Every directory between a writable root and a protected path, the path itself included."""
    found = {
        step: None for path in paths for step in (path, *path.parents) if any(root in step.parents for root in roots)
    }
    return tuple(sorted(found))


@dataclass(frozen=True, slots=True)
class Seatbelt:
    """The macOS launcher. There is no private /tmp: TMPDIR is the user's own, which macOS keeps private."""

    @contextmanager
    def open(self, policy: Policy, argv: Sequence[str], cwd: Path, passed: Sequence[int] = ()) -> Iterator[Launch]:
        disk = snapshot.take(policy, os.geteuid())
        temporary = Path(os.path.realpath(os.environ.get("TMPDIR", masks.home_of(os.geteuid()) or "/var/empty")))
        made = profile(policy, disk.hidden, disk.shown, disk.protection, disk.installation, temporary)
        variables = environment.sandboxed(policy, policy.home) | {"TMPDIR": str(temporary)}
        yield Launch(argv=made.argv(argv), env=variables, cwd=cwd, descriptors=tuple(passed))
