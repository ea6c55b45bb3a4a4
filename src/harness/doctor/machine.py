"""This machine: the sandbox, the programs that tools need, the state directory, the settings in force."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from harness import PROTOCOL_LEVEL, __version__, paths
from harness.confine import Confinement
from harness.doctor.check import Check, failed
from harness.errors import HarnessError, SandboxUnavailable
from harness.options import SessionOptions
from harness.sandbox import cgroup, open_shell, programs
from harness.settings import Settings
from harness.tools.ripgrep import find_rg

_PATIENCE = 10.0  # seconds for a program to say its version


def examine(options: SessionOptions, chosen: Settings) -> Iterator[Check]:
    """The checks that need no endpoint."""
    yield Check(
        "harness",
        "ok",
        f"{__version__}, SDK protocol {PROTOCOL_LEVEL}, Python {sys.version.split()[0]}, {sys.platform}",
    )
    yield sandbox(options, chosen)
    yield from _programs(options.cwd.resolve())
    yield _state(paths.config_home(options.env))
    yield from _settings(chosen)


def sandbox(options: SessionOptions, chosen: Settings) -> Check:
    """Whether commands can have the sandbox that a session here would ask for: its real arguments are run."""
    results = paths.config_home(options.env)
    confinement = Confinement(options, chosen, options.cwd.resolve(), results)
    level = confinement.level
    if not confinement.sandboxed:
        what = {
            "none": "Off, by the settings: commands run with your rights.",
            "external": "By your settings an outer container holds commands; here they run with your rights.",
        }[level]
        mend = (
            "Take sandbox.enabled and sandbox.mode out of your settings: harness config show --origin names the file."
        )
        return Check("sandbox", "warn", what, mend, {"level": level})
    shell = open_shell(lambda: confinement.policy("default"), results)
    try:
        found = shell.check()
    except SandboxUnavailable as error:
        return Check("sandbox", "fail", error.what, error.mend, {"level": "none"})
    except OSError as error:
        what = f"The sandbox's own files cannot be kept in {error.filename}: {error.strerror}."
        mend = "Set HARNESS_CONFIG_DIR to a directory that can be written."
        return Check("sandbox", "fail", what, mend, {"level": "none"})
    data = {"level": level, "found": found}
    if level == "degraded":
        return Check("sandbox", "warn", f"degraded, {found}: docs/sandbox.md says what it does not hold.", "", data)
    if os.geteuid() == 0 and not cgroup.own():
        what = f"full, {found}; the number of root's processes is not bounded: no control group can be written."
        return Check("sandbox", "warn", what, "Run as a normal user, or make /sys/fs/cgroup writable.", data)
    return Check("sandbox", "ok", f"full, {found}", data=data)


def _programs(cwd: Path) -> Iterator[Check]:
    try:
        yield _version("rg", find_rg((cwd,)))
    except HarnessError as error:
        yield failed("rg", error)
    try:
        yield _version("bash", programs.find("bash", (cwd,)))
    except HarnessError as error:
        yield failed("bash", error)
    if git := shutil.which("git"):
        yield _version("git", Path(git))
    else:
        yield Check("git", "warn", "git is not on PATH: the model cannot see or make commits.", "Install git.")


def _version(name: str, program: Path) -> Check:
    try:
        done = subprocess.run(
            [program, "--version"], capture_output=True, text=True, errors="replace", timeout=_PATIENCE, check=True
        )
    except (OSError, subprocess.SubprocessError) as error:
        return Check(name, "fail", f"{program} does not run: {error}", f"Install {name} again.")
    said = next(iter(done.stdout.splitlines()), "")
    return Check(name, "ok", f"{program}: {said}", data={"path": str(program), "version": said})


def _state(home: Path) -> Check:
    """Whether session files can be kept."""
    place = next(path for path in (home, *home.parents) if path.exists())
    if place.is_dir() and os.access(place, os.W_OK | os.X_OK):
        return Check("state", "ok", f"{home}", data={"path": str(home)})
    mend = "Mend its permissions, set HARNESS_CONFIG_DIR to another place, or use -p --no-session-persistence."
    return Check("state", "fail", f"{home} cannot be written: no session can be kept.", mend)


def _settings(chosen: Settings) -> Iterator[Check]:
    from harness.settings.layer import leaves  # noqa: PLC0415  where there are no files it need not load

    for layer in chosen.layers:
        keys = [key for key, _ in leaves(layer.data)]
        what = f"{layer.name} ({layer.source}): {', '.join(keys) or 'nothing that counts'}"
        yield Check("settings", "ok", what, data={"file": layer.name, "source": layer.source, "keys": keys})
        if layer.unknown:
            names = ", ".join(layer.unknown)
            yield Check("settings", "ok", f"{layer.name}: unknown here, kept: {names}", data={"unknown": names})
    if not chosen.layers:
        yield Check("settings", "ok", "no settings files: the defaults")
    if line := str(chosen.trust):
        what, _, mend = line.partition(" To trust it: ")
        yield Check("settings", "warn", what, mend)
    for problem in chosen.problems:
        yield Check("settings", "warn", problem, "Correct that file: harness config show --origin shows what counts.")
