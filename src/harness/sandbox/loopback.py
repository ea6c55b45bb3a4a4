"""One loopback for all commands of a session: a server that runs in the background is reached by the next command.

bwrap gives each command a network of its own, with nothing in it but a loopback. Here one such network is made once
and held open by descriptors alone; each sandbox is started within it, by util-linux's nsenter, and keeps all its other
walls. Nothing in it leads out of it, and its commands are one session's: they share the project anyhow.
"""

import json
import os
import subprocess
import weakref
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from harness.errors import SandboxUnavailable
from harness.sandbox import programs, snapshot
from harness.sandbox.launch import Bwrap, Launch, Launcher, run_as
from harness.sandbox.policy import Policy

_PATIENCE = 10.0  # seconds for a bwrap on a loaded machine
_WALLS = ("--unshare-user", "--unshare-all", "--share-net", "--disable-userns", "--cap-drop", "ALL")
_VIEW = ("--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc")


@dataclass(frozen=True, slots=True)
class Loopback:
    """`user` and `network` are descriptors of its namespaces. nsenter leaves them open: the command's shell must close
    them before anything else."""

    nsenter: Path
    user: int
    network: int

    @property
    def descriptors(self) -> tuple[int, int]:
        return self.user, self.network

    def launch(self, launch: Launch) -> Launch:
        """The same start of bwrap, within this network."""
        at = launch.argv.index("--args") + 2  # what it says is read first, and takes the network away
        return replace(
            launch,
            argv=[*self._within(), *launch.argv[:at], "--share-net", *launch.argv[at:]],
            descriptors=(*launch.descriptors, *self.descriptors),
        )

    def works(self, bwrap: Path, owner: dict[str, Any]) -> bool:
        """Whether a sandbox can be had in it: a kernel may refuse namespaces within namespaces."""
        command = [*self._within(), str(bwrap), *_WALLS, *_VIEW, str(bwrap), "--version"]
        options = {"env": {}, "timeout": _PATIENCE, "pass_fds": self.descriptors, **owner}
        try:
            done = subprocess.run(command, capture_output=True, check=False, **options)
        except (OSError, subprocess.TimeoutExpired):
            return False
        return done.returncode == 0

    def close(self) -> None:
        os.close(self.user)
        os.close(self.network)

    def _within(self) -> Sequence[str]:
        names = (f"--user=/proc/self/fd/{self.user}", f"--net=/proc/self/fd/{self.network}")
        return (str(self.nsenter), "--preserve-credentials", *names, "--")


class Loopbacks:
    """A session's, one for each user that its commands run as; None where none can be had."""

    def __init__(self) -> None:
        self._made: dict[tuple[int, int] | None, Loopback | None] = {}

    def of(self, launcher: Launcher, policy: Policy) -> Loopback | None:
        """That of a command under `policy`, made when it is first asked for."""
        if not isinstance(launcher, Bwrap) or policy.network == "host":
            return None
        acting = snapshot.acting_user(policy)
        user = acting if acting[0] != os.geteuid() else None
        if user not in self._made:
            self._made[user] = found = _tried(launcher.program, user, policy)
            if found:
                weakref.finalize(self, found.close)
        return self._made[user]

    def reached(self, launch: Launch) -> bool:
        """Whether servers of other commands are reached from that one."""
        return self._made.get(launch.user) is not None


def _tried(bwrap: Path, user: tuple[int, int] | None, policy: Policy) -> Loopback | None:
    """None where there is no nsenter, or no sandbox to be had that way."""
    try:
        nsenter, shell = (programs.find(name, (policy.project, *policy.write)) for name in ("nsenter", "sh"))
    except SandboxUnavailable:
        return None
    owner = run_as(user)
    made = _make(bwrap, nsenter, shell, owner)
    if made and not made.works(bwrap, owner):
        made.close()
        return None
    return made


def _make(bwrap: Path, nsenter: Path, shell: Path, owner: dict[str, Any]) -> Loopback | None:
    """A bwrap makes it, and is over once we hold it. Without a /dev it has one user namespace, with the user's number
    in it; that is there when the shell speaks."""
    told, tells = os.pipe()
    with open(told) as text:  # noqa: PTH123  a descriptor
        options = ("--unshare-user", "--unshare-net", "--die-with-parent", "--info-fd", str(tells))
        command = [str(bwrap), *options, "--ro-bind", "/", "/", str(shell), "-c", "echo up; read -r wait"]
        try:
            process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={},
                pass_fds=(tells,),
                **owner,
            )
        except OSError:
            return None
        finally:
            os.close(tells)
        with process:
            try:
                child = json.load(text)["child-pid"]
                if process.stdout is None or not process.stdout.readline():
                    return None
                places = (f"/proc/{child}/ns/{kind}" for kind in ("user", "net"))
                return Loopback(nsenter, *(os.open(place, os.O_RDONLY) for place in places))
            except (OSError, ValueError, KeyError):
                return None
