"""What a failing command is told about the sandbox, and that other failures are told nothing."""

from pathlib import Path

import pytest

from harness.sandbox.hints import hints
from harness.sandbox.policy import Policy
from tests.sandbox.room import Room


def told(output, **policy):
    return " ".join(hints(output, Policy(project=Path("/p"), home=Path("/home/a"), **policy)))


@pytest.mark.parametrize(
    ("output", "hint"),
    [
        ("curl: (6) Could not resolve host: example.org", "no network"),
        ("curl: (7) Failed to connect to 127.0.0.1 port 81 after 0 ms: Couldn't connect to server", "in one call"),
        ("ConnectionRefusedError: [Errno 111] Connection refused", "in one call"),
        ("bash: line 1: /etc/x: Read-only file system", "only the project and /tmp"),
        ("bash: line 1: .mcp.json: Is a directory", "Blocked: write to .mcp.json."),
        ("IsADirectoryError: [Errno 21] Is a directory: '/p/.mcp.json'", "Blocked: write to .mcp.json."),
        ("EISDIR: illegal operation on a directory, open '/p/.mcp.json'", "Blocked: write to .mcp.json."),
        ("error: could not lock config file .git/config: Read-only file system", ".git/hooks are read-only"),
        ("cat: /tmp/x: No such file or directory", "new, empty /tmp"),
        ("python: can't open file '/tmp/t.py': [Errno 2] No such file or directory", "new, empty /tmp"),
        ("FileNotFoundError: [Errno 2] No such file or directory: '/tmp/a.json'", "new, empty /tmp"),
    ],
)
def test_the_cause_is_named(output, hint):
    assert hint in told(output)


@pytest.mark.parametrize(
    "output",
    [
        "cat: src/tmp/x: No such file or directory",
        "'/tmp/pytest-of-a/x': No such file or directory",
        "1 failed",
        "cat: src: Is a directory",
    ],
)
def test_other_failures_are_left_alone(output):
    assert told(output) == ""


def test_plan_mode_and_network_change_what_is_told():
    assert "plan mode" in told("Read-only file system", project_readonly=True)
    assert told("Could not resolve host: example.org", network="host") == ""
    assert told("connect ECONNREFUSED 127.0.0.1:3000", network="host") == ""
    assert "in one call" in told("connect ECONNREFUSED 127.0.0.1:3000", network="proxy")
    shared = hints("connect ECONNREFUSED 127.0.0.1:3000", Policy(project=Path("/p"), home=Path("/home/a")), shared=True)
    assert "run_in_background" in shared[0]
    assert "HTTP_PROXY" in told("Could not resolve host: example.org", network="proxy")


@pytest.mark.parametrize(
    ("output", "blocked"),
    [
        ("bash: line 1: /etc/hosts: Read-only file system", "Blocked: write to /etc/hosts. "),
        ("touch: cannot touch '/usr/a b': Read-only file system", "Blocked: write to /usr/a b. "),
        ("OSError: [Errno 30] Read-only file system: '/opt/x'", "Blocked: write to /opt/x. "),
        ("Error: EROFS: read-only file system, open '/opt/y'", "Blocked: write to /opt/y. "),
        ("bash: line 1: .envrc: Read-only file system", "Blocked: write to .envrc. "),
        ("bash: .claude/settings.json: Read-only file system", "Blocked: write to .claude/settings.json. "),
        ("mv: cannot move '.git' to 'x': Device or resource busy", "Blocked: write to .git. "),
        (
            "mkdir: cannot create directory \u2018.claude/x\u2019: Read-only file system",
            "Blocked: write to .claude/x. ",
        ),
    ],
)
def test_what_was_blocked_is_named(output, blocked):
    assert blocked in told(output)
    assert ("--add-dir" in told(output)) == ("/p" not in output and "write to /" in blocked)


async def test_real_refusals_are_told_in_words(room: Room):
    (room.home / ".ssh").mkdir()
    (room.home / ".ssh" / "key").write_text("x")
    room.git("init")
    for command, words in {
        "echo x > /etc/harness-x": "Blocked: write to /etc/harness-x.",
        f"cat {room.home}/.ssh/key": f"Blocked: {room.home}/.ssh/key. The sandbox hides",
        f"python3 -c 'open(\"{room.home}/.ssh/key\")'": f"Blocked: {room.home}/.ssh/key. The sandbox hides",
        "touch .claude/x": "Blocked: write to .claude/x.",
        "git config a.b c": ".git/config and .git/hooks are read-only",
        "curl -sS http://example.org": "The sandbox has no network",
    }.items():
        done = await room.run(command, read=(room.home,))
        assert words in " ".join(done.notes), (command, done)
    for command in ("cat nosuch", f"cat {room.home}/.nosuch", "grep -r x .; exit 3", "cat .git/config /nonexistent"):
        assert (await room.run(command, read=(room.home,))).notes == (), command


@pytest.mark.parametrize(
    ("output", "hint"),
    [
        ("dial unix /var/run/docker.sock: socket: operation not permitted", "Unix sockets (databases"),
        ("strace: ptrace(PTRACE_TRACEME, ...): Operation not permitted", "tracing of processes"),
        ("mount: Operation not permitted", "mounts, namespaces"),
        ("bash: fork: retry: Resource temporarily unavailable", "2,048 processes"),
        ("RuntimeError: can't start new thread", "2,048 processes"),
        ("MemoryError", "8 GiB of memory"),
        ("dd: error writing 'x': File too large", "files of 16 GiB"),
    ],
)
def test_a_limit_or_a_refused_call_is_named_once(output, hint):
    assert told(f"{output}\n{output}").count(hint) == 1


def test_what_settings_do_not_want_to_hear_of_is_not_told():
    ignored = {"make": ["/etc/x"], "*": ["/opt"]}
    policy = Policy(project=Path("/p"), home=Path("/home/a"), ignored=ignored)
    etc, opt = "touch: cannot touch '/etc/x': Read-only file system", "/opt/x: Read-only file system"
    assert hints(etc, policy, "make all") == hints(opt, policy, "anything") == ()
    assert hints(etc, policy, "maker")
    assert hints(etc, policy, "touch /etc/x")
