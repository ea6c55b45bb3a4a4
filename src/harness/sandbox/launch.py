"""A command made ready to be started: argument list, environment, descriptors, user; and what to undo after."""

import dataclasses
import os
import platform
import secrets
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from harness.errors import SandboxUnavailable
from harness.network.contact import Contact
from harness.sandbox import bwrap, cgroup, environment, masks, placeholders, programs, reaper, seccomp, snapshot
from harness.sandbox.policy import Policy


@dataclass(frozen=True, slots=True)
class Made:
    """What a sandbox was made from: as long as it is all the same, so is the sandbox that would be made now.

    `mounts` are the places that must stay mounted inside; `refused` the placeholders that could not be made.
    """

    policy: Policy
    disk: bwrap.Snapshot
    variables: dict[str, str]
    mounts: frozenset[Path]
    refused: frozenset[Path] = frozenset()

    def unchanged(self, *, quiet: bool = False) -> bool:
        """Look at everything again. `quiet`: nothing on the disk has changed, as the kernel says."""
        user = snapshot.acting_user(self.policy)
        if quiet:
            return _variables(self.policy, user[0]) == self.variables
        try:
            disk = _without(snapshot.take(self.policy, user[0]), self.refused)
        except SandboxUnavailable:
            return False
        gone = {placeholder.path for placeholder in disk.protection.placeholders} - self.refused
        variables = _variables(self.policy, user[0])
        return not gone and _comparable(disk) == _comparable(self.disk) and variables == self.variables


class Way(Protocol):
    """To the network, entered once the command is started; `wake` becomes readable when there are contacts.

    `waited`: seconds for which a person was asked. `notes`: what was refused. Entering raises SandboxUnavailable.
    """

    @property
    def wake(self) -> int: ...

    @property
    def waited(self) -> float: ...

    @property
    def notes(self) -> Sequence[str]: ...

    async def enter(self) -> None: ...

    def contacts(self) -> Sequence[Contact]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """`user` is (uid, gid) where it is not our own. `descriptors` stay open in the child, by these numbers.
    `mark`: the value of `reaper.MARK` in `env`, where strays must be found by it. `made`: bubblewrap's alone."""

    argv: Sequence[str]
    env: dict[str, str]
    cwd: Path
    descriptors: tuple[int, ...] = ()
    user: tuple[int, int] | None = None
    mark: str = ""
    made: Made | None = None
    way: Way | None = None

    @property
    def start(self) -> dict[str, Any]:
        """What every start of it takes, as keywords of `subprocess`: place, environment, descriptors and user."""
        return {"cwd": self.cwd, "env": self.env, "pass_fds": self.descriptors, **run_as(self.user)}


def run_as(user: tuple[int, int] | None) -> dict[str, Any]:
    """Keywords of `subprocess` for (uid, gid), without the groups of whom it is not run as; None is our own user."""
    uid, gid = user or (None, None)
    return {"user": uid, "group": gid, "extra_groups": [] if user else None}


class Launcher(Protocol):
    """Makes commands ready. `passed` are descriptors that the command itself needs."""

    def open(
        self, policy: Policy, argv: Sequence[str], cwd: Path, passed: Sequence[int] = ()
    ) -> AbstractContextManager[Launch]: ...


@dataclass(frozen=True, slots=True)
class Bwrap:
    """Linux. `program` is absolute and outside every writable directory; `overlay`: it has --tmp-overlay."""

    program: Path
    overlay: bool = False

    @contextmanager
    def open(self, policy: Policy, argv: Sequence[str], cwd: Path, passed: Sequence[int] = ()) -> Iterator[Launch]:
        user = snapshot.acting_user(policy)
        with placeholders.hold(policy.project, create=not policy.project_readonly) as journal, _Files() as files:
            disk, refused = snapshot.take(policy, user[0]), frozenset[Path]()
            if journal:
                refused = journal.create(disk.protection.placeholders, user)
                disk = _without(disk, refused)
            seccomp = files.add("filter", call_filter(policy))
            overlay = self.overlay and policy.project_readonly
            variables = _variables(policy, user[0])
            layers = bwrap.plan(policy, disk, overlay=overlay)
            words = bwrap.arguments(policy, disk, variables, cwd, seccomp=seccomp, overlay=overlay, layers=layers)
            options = files.add("arguments", b"\0".join(os.fsencode(word) for word in words) + b"\0")
            command = [str(self.program), "--args", str(options), "--", *argv]
            group = cgroup.own() if user[0] == os.geteuid() else None  # another user could not join it
            yield Launch(
                argv=group.enter(command) if group else command,
                env={},  # pid 1 inside keeps the environment that bwrap itself was started with
                cwd=Path("/"),
                descriptors=(*files.numbers, *passed),
                user=user if user[0] != os.geteuid() else None,
                made=Made(policy, disk, variables, frozenset(layers), refused),
            )


@dataclass(frozen=True, slots=True)
class Unsandboxed:
    """No sandbox, by the user's word. `secret`: patterns of more variables to leave out. `single`: other
    commands are held, so no program is found in places that they can write."""

    secret: tuple[str, ...] = ()
    single: bool = False

    @contextmanager
    def open(self, policy: Policy, argv: Sequence[str], cwd: Path, passed: Sequence[int] = ()) -> Iterator[Launch]:
        mark = secrets.token_hex(8)
        variables = environment.unsandboxed(policy, self.secret) | {reaper.MARK: mark}
        if not self.single:
            variables |= policy.inside
        else:
            variables["PATH"] = programs.guarded(variables.get("PATH", os.defpath), (policy.project, *policy.write))
        yield Launch(argv=argv, env=variables, cwd=cwd, descriptors=tuple(passed), mark=mark)


def _variables(policy: Policy, uid: int) -> dict[str, str]:
    home = policy.home if uid == os.geteuid() else masks.home_of(uid) or Path("/tmp")  # noqa: S108
    return environment.sandboxed(policy, home)


def _comparable(disk: bwrap.Snapshot) -> bwrap.Snapshot:
    """Placeholders are missing before they are made, and there afterwards."""
    return dataclasses.replace(disk, protection=dataclasses.replace(disk.protection, placeholders=[]))


def _without(disk: bwrap.Snapshot, refused: frozenset[Path]) -> bwrap.Snapshot:
    if not refused:
        return disk
    kept = dataclasses.replace(
        disk.protection,
        read_only=[path for path in disk.protection.read_only if path not in refused],
        pinned=[path for path in disk.protection.pinned if path not in refused],
    )
    return dataclasses.replace(disk, protection=kept)


def call_filter(policy: Policy, *, degraded: bool = False) -> bytes:
    """The seccomp program. `degraded`: it must also do for the namespaces of network and of shared memory."""
    machine = platform.machine()
    if machine not in seccomp.AUDIT_ARCH:
        raise SandboxUnavailable(
            f"There is no system-call filter for the {machine} architecture yet.",
            "Use an x86-64 or aarch64 machine, or --no-sandbox inside a container of your own.",
        )
    alone = degraded and policy.network != "host"
    return seccomp.build(
        machine,
        allow_unix=policy.allow_unix_sockets,
        allow_ptrace=policy.allow_ptrace,
        shared=not degraded,
        sockets=not alone,
    )


class _Files:
    """Files in memory, given to bwrap by their numbers and closed at the end."""

    def __init__(self) -> None:
        self.numbers: list[int] = []

    def __enter__(self) -> "_Files":
        return self

    def __exit__(self, *_: object) -> None:
        for number in self.numbers:
            os.close(number)

    def add(self, name: str, content: bytes) -> int:
        number = memory_file(name, content)
        self.numbers.append(number)
        return number


def memory_file(name: str, content: bytes) -> int:
    """An open descriptor, at its start, of a file in memory that holds `content`; the caller closes it."""
    if sys.platform == "linux":
        number = os.memfd_create(name, os.MFD_CLOEXEC)
    else:
        number = _unlinked()
    view = memoryview(content)
    while view:
        view = view[os.write(number, view) :]
    os.lseek(number, 0, os.SEEK_SET)
    return number


def _unlinked() -> int:
    number, name = tempfile.mkstemp(prefix="harness-")
    Path(name).unlink()
    return number
