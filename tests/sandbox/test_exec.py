import subprocess
import sys

import pytest

from harness.errors import UsageError
from harness.sandbox.exec import sandbox_exec

SCRIPT = "import sys; from harness.sandbox.exec import sandbox_exec; sys.exit(sandbox_exec(sys.argv[1:]))"


def run(room, *words, stdin=""):
    flags = ["--project", str(room.project), "--home", str(room.home)]
    command = [sys.executable, "-c", SCRIPT, *flags, *words]
    return subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)


def test_streams_and_exit_code_pass_through(room):
    done = run(room, "--", "bash", "-c", "cat; echo err >&2; exit 9", stdin="hello")
    assert (done.stdout, done.stderr, done.returncode) == ("hello", "err\n", 9)


def test_flags_open_and_close_what_they_name(room, monkeypatch):
    monkeypatch.setenv("APP_ONE", "1")
    (room.project / "denied").write_text("secret")
    (room.base / "extra").mkdir()
    flags = ["--deny-read", f"{room.project}/denied", "--allow-write", f"{room.base}/extra", "--env", "APP_*"]
    done = run(room, *flags, "--", "bash", "-c", f"cat denied; echo x > {room.base}/extra/f; echo $APP_ONE")
    assert done.stdout == "1\n"
    assert (room.base / "extra" / "f").exists()


def test_arguments_after_the_dashes_are_the_commands_own(room):
    assert run(room, "--", "echo", "--project", "--", "x").stdout == "--project -- x\n"


def test_plan_leaves_the_project_alone(room):
    run(room, "--plan", "--", "touch", "x")
    assert list(room.project.iterdir()) == []


@pytest.mark.parametrize("words", [[], ["--project", "."], ["--project", "/nonexistent", "--", "true"]])
def test_bad_input_is_named(words):
    with pytest.raises(UsageError):
        sandbox_exec(words)
