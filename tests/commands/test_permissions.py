"""`harness permissions explain` and `list`, as a person runs them."""

import json
import os

import pytest

from harness.cli import main

RULES = """{"permissions": {
  "deny": ["Bash(git push --force*)", "Bas h"],
  "ask": ["Edit(/secret.txt)"],
  "allow": ["Bash(git add:*)"]
}}"""


@pytest.fixture
def explained(room, capsys):
    def explain(*words):
        assert main(["permissions", "explain", "--json", *words]) == 0
        return json.loads(capsys.readouterr().out)

    return explain


def test_a_denial_names_its_rule_the_rules_line_and_the_parse(room, capsys):
    where = room.write("home/.harness/settings.json", RULES.encode())
    assert main(["permissions", "explain", "git add . && git push --force"]) == 0
    out, err = capsys.readouterr()
    assert out.splitlines() == [
        "deny      git add . && git push --force",
        "why       rule: the rule Bash(git push --force*) of the user settings denies it",
        f"rule      Bash(git push --force*)  user  {where}:2",
        "mode      default; sandbox: bubblewrap; the project is writable, the rest read-only or hidden, no network",
        "command   git add .         allow: alone: the rule Bash(git add:*) allows it",
        f"            Bash(git add:*)  user  {where}:4",
        "command   git push --force  deny: alone: the rule Bash(git push --force*) of the user settings denies it",
        f"            Bash(git push --force*)  user  {where}:2",
        "to allow  no allow rule would",
    ]
    assert err.startswith(f"Warning: {where}:2: permission rule 'Bas h'")


def test_each_command_has_its_verdict_and_redirects(explained):
    found = explained("ls | wc -l > out.txt")
    assert [(each["command"], each["decision"]) for each in found["commands"]] == [("ls", "allow"), ("wc -l", "ask")]
    assert found["commands"][1]["redirects"] == ["> out.txt"]


@pytest.mark.parametrize("words", [["npm test && git push -f"], ["--tool", "Write", "--path", "a.txt"]])
def test_the_rule_that_is_named_does_allow_it(explained, words):
    asked = explained(*words)
    allowed = explained(*words, "--allowedTools", *asked["suggestions"])
    assert (asked["decision"], allowed["decision"], bool(asked["suggestions"])) == ("ask", "allow", True)


def test_no_rule_is_named_where_none_would_help(explained):
    assert explained("--tool", "Edit", "--path", "a.txt", "--permission-mode", "plan")["suggestions"] == []
    assert explained("rm -rf /")["suggestions"] == []


def test_the_flags_of_a_session_count(explained):
    decided = [explained("git push", "--permission-mode", "acceptEdits", *more) for more in ([], ["--no-sandbox"])] + [
        explained("git push", "--permission-mode", "dontAsk")
    ]
    assert [each["decision"] for each in decided] == ["allow", "ask", "deny"]
    assert decided[2]["suggestions"] == ["Bash(git push:*)"]


def test_a_rule_on_a_path_is_found_in_its_file(room, explained):
    where = room.committed({"permissions": {"ask": ["Edit(/secret.txt)"]}})
    for mode, decision in (("acceptEdits", "ask"), ("dontAsk", "deny")):
        found = explained("--tool", "Edit", "--path", "secret.txt", "--permission-mode", mode)
        assert found["decision"] == decision
        assert found["rules"] == [
            {"rule": "Edit(/secret.txt)", "behavior": "ask", "source": "project", "where": f"{where}:1"}
        ]


def test_what_cannot_be_read_is_said_and_cannot_steer_the_terminal(room, capsys):
    assert main(["permissions", "explain", "ls \x1b[2J\npwd"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("ask       ls \\x1b[2J\\npwd\n")
    assert "unread    it holds the character U+001B" in out


def test_the_rules_in_force_each_with_its_file_and_line(room, capsys):
    where = room.write("home/.harness/settings.json", RULES.encode())
    assert main(["permissions", "list", "--allowedTools", "Read(~/notes/**)"]) == 0
    out, err = capsys.readouterr()
    assert out.splitlines() == [
        f"deny   Bash(git push --force*)  user     {where}:2",
        f"ask    Edit(/secret.txt)        user     {where}:3",
        "allow  Read(~/notes/**)         flag     command line",
        f"allow  Bash(git add:*)          user     {where}:4",
    ]
    assert "it is ignored" in err


def test_the_list_as_one_object(room, capsys):
    room.committed({"permissions": {"allow": ["Write"], "deny": ["Read(.env)"]}})
    assert main(["permissions", "list", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert ([each["rule"] for each in found["deny"]], found["ask"], found["allow"]) == (["Read(.env)"], [], [])
    assert "has not been trusted" in found["warnings"][0]


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["show"],
        ["explain"],
        ["explain", "--tool", "Read", "ls"],
        ["explain", "--path", "a"],
        ["explain", "ls", "--permission-mode", "none"],
        ["explain", os.fsdecode(b"ls \xff")],
        ["list", "ls"],
    ],
)
def test_what_cannot_be_answered_is_said(room, words, capsys):
    assert main(["permissions", *words]) == 2
    assert capsys.readouterr().err.startswith("Error: ")


def test_in_auto_mode_it_says_who_is_asked_and_which_rules_are_too_broad(room, explained, capsys):
    room.user({"permissions": {"allow": ["Bash(python3 *)", "Bash(pytest:*)"]}})
    auto = ("--permission-mode", "auto")
    found = explained("python3 x.py", *auto)
    assert (found["decision"], found["classifier"], found["suggestions"]) == ("ask", True, ["Bash(python3 x.py)"])
    assert explained("pytest x", *auto)["decision"] == "allow"
    assert main(["permissions", "explain", "python3 x.py", *auto]) == 0
    assert "list of read-only commands; the classifier is asked in your place" in capsys.readouterr().out
    main(["permissions", "list", *auto])
    assert [line.endswith("(too broad to count in auto mode)") for line in capsys.readouterr().out.splitlines()] == [
        True,
        False,
    ]


def test_what_has_to_leave_the_sandbox_asks_whatever_rules_say(room, explained):
    room.write("project/.git/HEAD", b"ref: refs/heads/main\n")
    room.write("project/.git/config", b'[remote "origin"]\n\turl = git@host.example:x.git\n')
    assert explained("git push origin", "--allowedTools", "Bash")["decision"] == "ask"
    assert "ssh" in explained("git push origin", "--allowedTools", "Bash")["reason"]
    assert explained("git push /srv/x", "--allowedTools", "Bash")["decision"] == "allow"
