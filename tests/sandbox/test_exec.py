import os
import pty
import re
import select
import shutil
import subprocess
import sys
import time

import pytest

from harness.errors import UsageError
from harness.sandbox import landlocked
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


def test_a_listed_host_and_another(room):
    """The name resolves nowhere, which shows that it was let as far as that."""
    done = run(
        room, "--allow-domain", "a.example", "--", "bash", "-c", "curl -s http://a.example/ http://b.example/; exit 7"
    )
    assert done.returncode == 7
    assert "a.example cannot be resolved" in done.stdout
    assert done.stderr.count("harness: blocked: connection to") == 2
    assert "allow with --allow-domain b.example" in done.stderr


def test_no_sandbox_to_be_had_is_one_plain_error_with_a_network_too(room):
    done = run(room, "--network", "proxy", "--allow-write", f"{room.base}/gone", "--", "true")
    assert "SandboxUnavailable" in done.stderr
    assert "ExceptionGroup" not in done.stderr


@pytest.mark.parametrize(
    "words",
    [
        ["--allow-domain", "x", "--", "true"],
        ["--allow-domain", "a.example", "--network", "none", "--", "true"],
        [],
        ["--project", "."],
        ["--project", "/nonexistent", "--", "true"],
    ],
)
def test_bad_input_is_named(words):
    with pytest.raises(UsageError):
        sandbox_exec(words)


class Terminal:
    """A person at a terminal: types, and reads until something is there."""

    def __init__(self, command: list[str]) -> None:
        self.pid, self.number = pty.fork()
        if self.pid == 0:
            os.environ["PS1"] = "$ "
            os.execv(command[0], command)
        self.seen = ""

    def type(self, text: str) -> None:
        os.write(self.number, text.encode())

    def until(self, pattern: str) -> None:
        found = None
        while not (found := re.search(pattern, self.seen)):
            assert select.select([self.number], [], [], 20)[0], self.seen
            try:
                self.seen += os.read(self.number, 4096).decode(errors="replace")
            except OSError:
                raise AssertionError(self.seen) from None
        self.seen = self.seen[found.end() :]

    def end(self) -> int:
        code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        os.close(self.number)
        return code


@pytest.mark.skipif(
    not shutil.which("setsid"), reason="setsid of util-linux gives the terminal its controlling process"
)
@pytest.mark.parametrize("level", ["full", "degraded"])
def test_a_shell_at_a_terminal_has_job_control(room, level):
    if level == "degraded" and landlocked.abi() < landlocked.OLDEST:
        pytest.skip("this kernel has no Landlock of version 3")
    flags = ["--project", str(room.project), "--home", str(room.home), "--level", level]
    shell = Terminal([sys.executable, "-c", SCRIPT, *flags, "--", "bash", "--norc", "--noediting"])
    shell.type("[ -t 0 ] && stty size && echo jo''bs: $-\n")
    shell.until(r"jobs: \w*m")
    shell.type("sleep 100\n")
    shell.until("sleep 100\r\n")
    time.sleep(0.2)  # it must run before it can be interrupted
    shell.type("\x03")
    shell.type("echo inter''rupted $?\n")
    shell.until("interrupted 130")
    shell.type("exit 7\n")
    assert shell.end() == 7
