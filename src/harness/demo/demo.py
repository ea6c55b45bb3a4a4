"""`harness demo`: a failing test mended by a scripted model. Only the model is a script; all the rest is real.

The session is the one that every surface drives, with its real tools in their real sandbox; the endpoint is a real
server on loopback. Whether it worked, the demo learns from running the tests itself at the end.
"""

import argparse
import asyncio
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import aclosing, contextmanager
from pathlib import Path

import anyio

from harness.errors import EXIT_ERROR, EXIT_OK, EXIT_TERMINATED, UsageError
from harness.events import Result
from harness.options import SessionOptions
from harness.render import Renderer, safe
from harness.sandbox import open_shell
from harness.sandbox.outcome import Finished
from harness.sandbox.policy import Policy
from harness.sandbox.shell import SandboxShell
from harness.scripted.script import load
from harness.scripted.server import serve
from harness.session import open_session
from harness.settings import Asked

HERE = Path(__file__).parent
# Of the user's environment: no key, no endpoint, no proxy and no settings have a part in the demo.
ENVIRONMENT = ("HOME", "USER", "LANG", "TERM", "NO_COLOR", "TMPDIR")
PATIENCE = 120.0  # seconds for a test run that takes one

INTRODUCTION = """\
This is Harness doing its main job, with no key and no network: a test fails, and it finds out why and mends it.
The model is a script that answers what it really reads. The agent loop, the tools, the sandbox that commands run
in and pytest are the real ones. It works on a copy of a small repository, in {place}
"""


def main(argv: Sequence[str]) -> int:
    """Run the demo; `argv` is what follows the command's name. Returns 0 only if the tests pass at its end.

    Raises:
        HarnessError: what kept it from starting, such as no sandbox.
    """
    options = _parser().parse_args(argv)
    python = _python()
    with _place(keep=options.keep) as place:
        _say(INTRODUCTION.format(place=place))
        if not options.yes and sys.stdin.isatty() and not _agreed():
            return EXIT_ERROR
        _enter(python.parent, place / "state")
        try:
            return anyio.run(_run, place, f"{python.name} -m pytest -q")
        except asyncio.CancelledError:
            return EXIT_TERMINATED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="harness demo",
        description="Fix a failing test with a scripted model: no key, no network, real tools, real sandbox.",
        epilog="Exit codes: 0 the tests pass at the end; 1 they do not, or you said no; 2 the demo cannot be run here.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--yes", action="store_true", help="start without asking; so does standard input that is a file"
    )
    parser.add_argument("--keep", action="store_true", help="leave the repository as it is at the end, and say where")
    return parser


def _agreed() -> bool:
    try:
        return input("Start? [Y/n] ").strip().lower() in {"", "y", "yes"}
    except EOFError:
        return False


def _python() -> Path:
    """The Python that Harness runs on, which must have pytest."""
    if importlib.util.find_spec("pytest") is None:
        raise UsageError(
            "harness demo needs pytest, which is not installed.", f"Run: {sys.executable} -m pip install pytest"
        )
    usual = Path(sys.executable).parent / "python"
    return usual if usual.exists() else Path(sys.executable)


def _enter(programs: Path, state: Path) -> None:
    """Make this process's environment the demo's own; commands in the sandbox find `programs` first on PATH."""
    kept = {name: os.environ[name] for name in ENVIRONMENT if name in os.environ}
    path = os.pathsep.join([str(programs), os.environ.get("PATH", os.defpath)])
    os.environ.clear()
    os.environ.update({**kept, "PATH": path, "HARNESS_CONFIG_DIR": str(state), "XDG_CACHE_HOME": str(state / "cache")})


@contextmanager
def _place(*, keep: bool) -> Iterator[Path]:
    """A temporary directory with the repository and the session's state; removed at the end, unless `keep`."""
    place = Path(tempfile.mkdtemp(prefix="harness-demo-")).resolve()
    try:
        repository = place / "dayplan"
        shutil.copytree(HERE / "repo", repository, ignore=shutil.ignore_patterns("__pycache__", ".pytest_cache"))
        (repository / "gitignore").rename(repository / ".gitignore")
        yield place
    finally:
        if keep:
            _say(f"\nLeft for you to look at: {place / 'dayplan'}\n")
        else:
            shutil.rmtree(place, ignore_errors=True)


async def _run(place: Path, tests: str) -> int:
    task = asyncio.current_task()
    assert task is not None  # noqa: S101  it is the one that anyio.run made
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)  # unwinds as Ctrl-C does
    repository = place / "dayplan"
    git = _commit(repository)
    policy = Policy(project=repository, home=Path.home(), write=(repository,))
    shell = open_shell(lambda: policy, place / "results")
    _say(f"Sandbox: {await anyio.to_thread.run_sync(shell.check)}\n\n")
    async with serve(load(HERE / "script.toml")) as endpoint:
        await _session(repository, endpoint.url, f"The tests fail (run `{tests}`). Fix the cause.")
    _say("\nThat was the session. What is true now:\n")
    if git:
        await _shown(shell, "git --no-pager diff", repository)
    green = await _shown(shell, tests, repository)
    _say("\nThe tests pass.\n" if green else "\nThe tests do not pass: the demo failed.\n")
    return EXIT_OK if green else EXIT_ERROR


async def _session(repository: Path, url: str, prompt: str) -> None:
    """One turn of a session as a user would see it."""
    own = Asked(sources=())  # nobody's settings have a part in it
    options = SessionOptions(cwd=repository, mode="acceptEdits", base_url=url, model="scripted", settings=own)
    color = sys.stdout.isatty() and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"
    screen = Renderer(_say, color=color)
    _say(f"> {prompt}\n\n")
    async with open_session(options) as session, aclosing(session.prompt(prompt)) as events:
        async for event in events:
            screen.show(event)
            if isinstance(event, Result):
                screen.summary(event)


async def _shown(shell: SandboxShell, command: str, cwd: Path) -> bool:
    """Run a command in the sandbox and show it with its output; whether it succeeded."""
    _say(f"\n$ {command}\n")
    finished = None
    async with aclosing(shell.run(command, cwd, timeout=PATIENCE)) as items:
        async for item in items:
            if isinstance(item, Finished):
                finished = item
    if finished is None:
        return False
    _say(safe(finished.output.rstrip()) + "\n")
    return finished.exit_code == 0 and not finished.timed_out


def _commit(repository: Path) -> bool:
    """Make it a git repository with one commit, so that the end can show a diff; False where there is no git.

    The files are still our own here, and no configuration or hook of the user's or the system's is used.
    """
    git = shutil.which("git")
    if git is None:
        return False
    plain = {
        "PATH": os.environ["PATH"],
        "HOME": str(repository),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
    }
    who = ["-c", "user.name=Harness", "-c", "user.email=harness@localhost"]
    for words in (["init", "-q", "--template="], ["add", "."], [*who, "commit", "-q", "-m", "As it was found"]):
        subprocess.run([git, *words], cwd=repository, env=plain, check=True, capture_output=True)
    return True


def _say(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()
