"""The prompt loop in a real terminal: a conversation, a question, an interrupt."""

import os
import pty
import select
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from harness.events import UserMessage
from harness.journal import Journal, session_file
from harness.messages import Text, User
from harness.scripted.script import parse
from harness.scripted.server import running
from tests.processes import gone

pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")

SCRIPT = {
    "step": [
        {"when": {"user": "wait"}, "calls": [{"name": "Bash", "arguments": {"command": "echo begun; sleep 60"}}]},
        {"when": {"user": "hello"}, "text": "Hello from the script."},
        {"when": {"user": "touch"}, "calls": [{"name": "Bash", "arguments": {"command": "touch made.txt"}}]},
        {
            "when": {"last": "user", "user": "tool (?P<what>[^\n]*)"},
            "times": "always",
            "calls": [{"name": "Bash", "arguments": {"command": "{{what}}"}}],
        },
        {"when": {"last": "tool"}, "text": "I saw the result.", "times": "always"},
    ]
}


class Terminal:
    """A pseudo-terminal with `harness` in it; `expect` reads until the text has come."""

    def __init__(self, fd: int, pid: int) -> None:
        self._fd, self._pid, self.seen = fd, pid, ""

    def exit_code(self) -> int:
        return os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1])

    def expect(self, text: str, seconds: float = 20) -> str:
        end, start = time.monotonic() + seconds, len(self.seen)
        while text not in self.seen[start:]:
            left = end - time.monotonic()
            if left <= 0 or not select.select([self._fd], [], [], left)[0]:
                pytest.fail(f"{text!r} did not come; the screen has: {self.seen[-2000:]!r}")
            try:
                data = os.read(self._fd, 65536)
            except OSError:
                data = b""
            if not data:
                pytest.fail(f"the terminal closed before {text!r}: {self.seen[-2000:]!r}")
            self.seen += data.decode(errors="replace")
            if "\x1b[6n" in data.decode(errors="replace"):
                os.write(self._fd, b"\x1b[1;1R")  # prompt-toolkit asks where the cursor is
        return self.seen[start:]

    def type(self, text: str) -> None:
        os.write(self._fd, text.encode())


@contextmanager
def terminal(cwd: Path, url: str, model: str = "m", *flags: str):
    env = {**os.environ, "OPENAI_BASE_URL": url, "OPENAI_MODEL": model, "TERM": "xterm", "NO_COLOR": "1"}
    env |= {"HOME": str(cwd.parent), "HARNESS_CONFIG_DIR": str(cwd.parent / "state")}
    command = [sys.executable, "-m", "harness", *flags]
    pid, fd = pty.fork()  # the child's controlling terminal, so that Ctrl-C becomes a signal
    if pid == 0:
        os.chdir(cwd)
        os.execve(command[0], command, env)
    try:
        yield Terminal(fd, pid)
    finally:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        with suppress(ChildProcessError):
            os.waitpid(pid, 0)
        os.close(fd)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    project = tmp_path / "project"
    project.mkdir()
    return project


def test_a_conversation_a_question_an_interrupt_and_the_end(project):
    with running(parse(SCRIPT)) as server, terminal(project, server.url) as screen:
        screen.expect("/help lists the commands")
        screen.type("hello\r")
        screen.expect("Hello from the script.")
        screen.type("touch it\r")
        assert "command: touch made.txt" in screen.expect("say why not")
        screen.type("y\r")
        screen.expect("I saw the result.")
        assert (project / "made.txt").exists()
        screen.type("wait\r")
        screen.expect("│ begun")
        screen.type("\x03")
        screen.expect("aborted_tools", seconds=5)
        screen.type("/exit\r")
        assert screen.exit_code() == 0


def test_a_projects_settings_are_shown_and_count_once_they_are_trusted(project):
    (project / ".claude").mkdir()
    (project / ".claude/settings.json").write_text('{"permissions": {"allow": ["Bash(touch *)"]}}')
    for answer in ("n", "y"):
        with running(parse(SCRIPT)) as server, terminal(project, server.url) as screen:
            shown = screen.expect("Trust this project?")
            assert 'permissions.allow = ["Bash(touch *)"]   .claude/settings.json' in shown
            screen.type(f"{answer}\r")
            screen.expect("/help lists the commands")
            screen.type("touch it\r")
            screen.expect("say why not" if answer == "n" else "I saw the result.")
    with running(parse(SCRIPT)) as server, terminal(project, server.url) as screen:
        assert "Trust" not in screen.expect("/help lists the commands")


def test_a_rule_for_the_session_or_for_good_and_why_a_question_comes_again(project):
    (project / "x").write_text("#!/bin/sh\necho ran $*\n")
    (project / "x").chmod(0o755)
    with running(parse(SCRIPT)) as server, terminal(project, server.url) as screen:
        screen.expect("/help lists the commands")
        screen.type("tool ./x go a\r")
        assert "rule: Bash(./x go a)" in screen.expect("say why not")
        screen.type("s\r")
        screen.expect("I saw the result.")
        screen.type("tool ./x go a\r")
        screen.expect("I saw the result.")  # unasked
        screen.type("tool ./x go b\r")
        shown = screen.expect("say why not")
        assert "asked again: you allowed `./x go a` for this session; this differs in argument 3" in shown
        assert "rule: Bash(./x go *)" in shown
        assert "allows: ./x go a    but not: ./x not-go" in shown
        screen.type("a\r")
        screen.expect("Saved in .harness/settings.local.json: Bash(./x go *)")
        screen.expect("I saw the result.")
    with running(parse(SCRIPT)) as server, terminal(project, server.url) as screen:
        assert "Trust" not in screen.expect("/help lists the commands")
        screen.type("tool ./x go c\r")
        screen.expect("I saw the result.")


def test_resume_alone_lets_the_person_choose(project):
    for number, text in enumerate(("older", "newer"), 1):
        name = f"00000000-0000-4000-8000-{number:012}"
        journal = Journal(session_file(project.parent / "state", project, name), name, project)
        journal.write(UserMessage(message=User((Text(f"the {text} one"),)), source="prompt"))
        journal.close()
        os.utime(journal.path, (number, number))
    with running(parse(SCRIPT)) as server, terminal(project, server.url, "m", "-r") as screen:
        assert "1970-01-01 00:00  the newer one" in screen.expect("word to search for")
        screen.type("OLDER\r")
        screen.expect("  1  00000000-0000-4000-8000-000000000001")
        screen.type("1\r")
        screen.expect("/help lists the commands")
        screen.type("hello\r")
        screen.expect("Hello from the script.")
    assert next(m["content"] for m in server.requests[0].messages if m["role"] == "user").startswith("the older one")


def test_the_models_name_cannot_write_to_the_terminal(project):
    with running(parse(SCRIPT)) as server, terminal(project, server.url, model="m\x1b[2Jn") as screen:
        assert "harness · m\\x1b[2Jn · mode" in screen.expect("/help lists the commands")


def test_refusing_without_a_reason_ends_the_turn(project):
    with running(parse(SCRIPT)) as server, terminal(project, server.url) as screen:
        screen.expect("/help lists the commands")
        screen.type("touch it\r")
        screen.expect("say why not")
        screen.type("n\r")
        screen.expect("aborted_tools")
        assert len(server.requests) == 1
    assert not (project / "made.txt").exists()


def test_without_a_terminal_it_says_what_to_use(project):
    done = subprocess.run(
        [sys.executable, "-m", "harness"],
        cwd=project,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert 'harness -p "what to do"' in done.stderr


def test_background_jobs_are_told_of_between_turns_listed_and_stopped(project):
    begin = {"command": "until [ -e go ]; do sleep 0.05; done", "run_in_background": True}
    mark = f"619.{os.getpid()}"
    never = {"command": f"sleep {mark}", "run_in_background": True}
    script = {
        "step": [
            {"calls": [{"name": "Bash", "arguments": begin}, {"name": "Bash", "arguments": never}]},
            {"text": "Both begun."},
        ]
    }
    with (
        running(parse(script)) as server,
        terminal(project, server.url, "m", "--permission-mode", "bypassPermissions") as screen,
    ):
        screen.expect("/help lists the commands")
        screen.type("begin\r")
        screen.expect("Both begun.")
        (project / "go").touch()
        assert "exit status 0" in screen.expect("until [ -e go ]; do sleep 0.05; done has ended: exit status 0")
        screen.type("/tasks\r")
        listed = screen.expect(f"sleep {mark}")
        name = next(
            word for line in listed.splitlines() if "is running" in line for word in line.split() if word[0] == "b"
        )
        screen.type(f"/tasks stop {name}\r")
        screen.expect("was stopped after")
        assert gone(mark)
        screen.type("/exit\r")
        assert screen.exit_code() == 0
