"""Whether one rule is about a call: what a hook's `if` narrows by. Never "no" where it cannot be told."""

from pathlib import Path

import pytest

from harness.effects import Effect, Fetches, Opaque, Reads, Runs, Writes
from harness.messages import ToolCall
from harness.permissions import Roots
from harness.permissions.concern import concern
from harness.permissions.rules import parse_rule

PROJECT, HOME = Path("/p"), Path("/home/u")
LINKS = {PROJECT / "link": PROJECT / "secret/key"}
ROOTS = Roots(project=PROJECT, cwd=PROJECT, home=HOME, real=lambda path: LINKS.get(path, path))


def about(rule: str, tool: str, effects: tuple[Effect, ...], **given: object) -> str:
    parsed, _ = parse_rule(rule, "deny", "project", PROJECT / "sub")
    assert parsed is not None
    return concern(parsed, ToolCall("1", tool, "{}", given), effects, ROOTS)


@pytest.mark.parametrize(
    ("rule", "command", "expected"),
    [
        ("Bash", "ls", "yes"),
        ("Bash(git *)", "git push", "yes"),
        ("Bash(git:*)", "git", "yes"),
        ("Bash(git *)", "ls", "no"),
        ("Bash(git *)", "gitk", "no"),
        ("Bash(git *)", "echo git push", "no"),
        # any part of a line, behind whatever wraps it
        ("Bash(git push *)", "npm test && FOO=bar git push", "yes"),
        ("Bash(git push *)", "ls | xargs git push", "yes"),
        ("Bash(git *)", "timeout 5 git push", "yes"),
        ("Bash(git *)", "bash -c 'git push'", "yes"),
        ("Bash(git push *)", "echo $(git push origin)", "yes"),
        ("Bash(git push *)", "echo `git push`", "yes"),
        # what only the shell knows
        ("Bash(git push *)", "X=push; git $X", "unsure"),
        ("Bash(git *)", "$X push", "unsure"),
        ("Bash(git *)", "echo 'unterminated", "unsure"),
        # file names and lists
        ("Bash(git push *)", "git {push,origin}", "unsure"),
        ("Bash(git push *)", "ls;git pu[s]? x", "unsure"),
        ("Bash(git push *)", "git *", "unsure"),
        ("Bash(git push *)", "git a" + " p*" * 99, "no"),
        ("Bash(git push *)", "git add *.py && ls *", "no"),
        ("Bash(git push *)", "git commit -m 'p*'", "no"),
        ("Bash(git *)", "echo $HOME $(date)", "no"),
        ("Bash(run_in_background:true)", "ls", "no"),
        ("Edit(*.py)", "rm a.py", "no"),  # a rule's tool is the call's
    ],
)
def test_commands(rule, command, expected):
    assert about(rule, "Bash", (Runs(command, PROJECT),), command=command) == expected


@pytest.mark.parametrize(
    ("rule", "tool", "path", "expected"),
    [
        ("Edit(*.ts)", "Edit", "/p/src/a.ts", "yes"),
        ("Edit(*.ts)", "Write", "/p/a.ts", "yes"),
        ("Edit(*.ts)", "NotebookEdit", "/p/a.ts", "yes"),
        ("Edit(*.ts)", "Write", "/p/a.py", "no"),
        ("Edit(*.ts)", "Read", "/p/a.ts", "no"),
        ("Edit(/gen/**)", "Write", "/p/sub/gen/x", "yes"),  # from where the settings file is
        ("Edit(/gen/**)", "Write", "/p/gen/x", "no"),
        ("Edit(~/notes/**)", "Write", "/home/u/notes/x", "yes"),
        ("Edit(secret/**)", "Write", "/p/link", "yes"),  # a link to it is it
        ("Write", "Write", "/p/x", "yes"),
        ("Write", "Edit", "/p/x", "no"),
    ],
)
def test_files(rule, tool, path, expected):
    effects = (Reads(Path(path)),) if tool == "Read" else (Writes(Path(path)),)
    assert about(rule, tool, effects, file_path=path) == expected


def test_servers_hosts_and_agents():
    assert about("mcp__db", "mcp__db__drop", (Opaque("mcp__db__drop"),)) == "yes"
    assert about("mcp__db__get*", "mcp__db__drop", (Opaque("mcp__db__drop"),)) == "no"
    page = "https://docs.example.com/x"
    assert about("WebFetch(domain:*.example.com)", "WebFetch", (Fetches(page),), url=page) == "yes"
    assert about("WebFetch(domain:example.org)", "WebFetch", (Fetches(page),), url=page) == "no"
    assert about("WebFetch(domain:example.org)", "WebFetch", (Fetches("http://["),), url="http://[") == "unsure"
    assert about("Agent(Explore)", "Agent", (), subagent_type="Explore") == "yes"
    assert about("Agent(model:opus)", "Agent", (), model="haiku") == "no"
