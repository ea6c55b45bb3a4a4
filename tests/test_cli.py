"""The command as a program: what it prints, how it ends, and how little it loads to do so."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from harness import __version__
from harness.cli import COMMANDS, main

HEAVY = {"pydantic", "pydantic_core", "httpx", "anyio", "asyncio", "tree_sitter", "rich", "prompt_toolkit", "tiktoken"}
HARNESS = [sys.executable, "-m", "harness"]
# Output as pipes have it for everybody else: kept until it is flushed.
ENV = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}


def run(*argv, **options):
    given: dict[str, Any] = {"capture_output": True, "text": True, "env": ENV, "stdin": subprocess.DEVNULL} | options
    return subprocess.run([*HARNESS, *argv], check=False, timeout=30, **given)


@pytest.mark.parametrize("argv", [["--version"], ["-v"], ["-p", "-v"]])
def test_version(argv):
    done = run(*argv)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"2.1.248 (harness {__version__})\n", "")


def test_help():
    done = run("--help")
    assert (done.returncode, done.stderr) == (0, "")
    for word in ("--print", "--allowedTools", "OPENAI_BASE_URL", "exit codes", *COMMANDS):
        assert word in done.stdout


@pytest.mark.parametrize("argv", [["--version"], ["--help"], ["events"], ["--nonsense"], ["evnts"]], ids=str)
def test_nothing_heavy_is_loaded_to_say_what_there_is(argv):
    code = f"import sys, harness.cli; harness.cli.main({argv}); print(*sys.modules, file=sys.stderr)"
    # --version and --help may end by SystemExit, which the command turns into its code.
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=ENV)
    loaded = {name.split(".")[0] for name in done.stderr.split()}
    assert "harness" in loaded
    assert not loaded & HEAVY


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        (["evnts"], "Did you mean: harness events"),
        (["sandbx", "exec", "true"], "Did you mean: harness sandbox"),
        (["daemon", "status"], "no command 'daemon' here yet"),
        (["-p", "q", "--worktree"], "git worktree add"),
        (["events", "x"], "takes no arguments"),
        (["sandbox"], "harness sandbox exec -- true"),
        (["-p", "q", "--allowedTool", "A"], "Did you mean --allowedTools?"),
        (["-p", "q", "--max-turns", "0"], "--max-turns"),
        (["-p", "q", "--permission-mode", "yolo"], "acceptEdits"),
        (["-p", "q", "--add-dir", "/nowhere/at/all"], "/nowhere/at/all"),
        (["one", "two"], "two"),
    ],
    ids=str,
)
def test_bad_usage_exits_2_and_says_how_to_mend_it(argv, told):
    done = run(*argv)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("Error: ")
    assert told in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("argv", [["--version"], ["--help"], ["events"]], ids=str)
@pytest.mark.parametrize("unbuffered", [{}, {"PYTHONUNBUFFERED": "1"}], ids=["buffered", "unbuffered"])
def test_a_reader_that_has_gone_is_no_error(argv, unbuffered):
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as gone:
        done = run(*argv, capture_output=False, stdout=gone, stderr=subprocess.PIPE, env=ENV | unbuffered)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("argv", [["--version"], ["--help"], ["events"]], ids=str)
def test_a_full_disk_is_told(argv):
    with Path("/dev/full").open("w") as full:
        done = run(*argv, capture_output=False, stdout=full, stderr=subprocess.PIPE)
    assert done.returncode == 1
    assert done.stderr.startswith("Error: Standard output cannot be written: No space left")


def test_a_closed_output_is_no_error():
    command = f"exec {sys.executable} -m harness --version >&-"
    assert subprocess.run(["sh", "-c", command], check=False, env=ENV).returncode == 0


def test_output_that_is_not_utf8_is_no_error():
    for argv in (["--help"], ["events"]):
        assert run(*argv, env=ENV | {"PYTHONIOENCODING": "ascii"}).returncode == 0


def test_a_word_that_is_no_text_is_refused_in_words():
    done = run("-p", "q", b"--odd\xff")
    assert done.returncode == 2
    assert "unknown flag" in done.stderr


def test_an_error_cannot_write_to_the_terminal():
    ours, theirs = os.openpty()
    run("--add-dir", "no\x1b[2Jwhere", capture_output=False, stderr=theirs)
    os.close(theirs)
    told = os.read(ours, 4096)
    os.close(ours)
    assert told.startswith(b"Error: --add-dir no\\x1b[2Jwhere: no such directory.")


def test_main_returns_its_code(capsys):
    assert main(["--version"]) == main(["--help"]) == 0
    assert main(["evnts"]) == 2
    assert "harness events" in capsys.readouterr().err


def test_garbage_is_collected_as_usual_once_a_start_is_over():
    code = (
        "import gc, harness.cli as cli\nusual = gc.get_threshold()\n"
        "def run(words):\n"
        "    print(gc.get_threshold() == usual)\n"
        "    kept = [[] for _ in range(cli.START_OBJECTS + 1000)]\n"
        "    print(gc.get_threshold() == usual, gc.get_freeze_count() > cli.START_OBJECTS // 2)\n"
        "    return 0\n"
        "cli._run = run\ncli.main()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=ENV)
    assert done.stdout == "False\nTrue True\n"
