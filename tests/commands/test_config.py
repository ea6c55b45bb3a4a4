"""`harness config show` and `harness trust`, as a person runs them."""

import json

import pytest

from harness.cli import main


def test_every_value_with_its_file(room, capsys):
    user = room.user({"model": "m", "permissions": {"deny": ["Read(.env)"]}, "env": {"A": "1", "GH_TOKEN": "s3cret"}})
    project = room.committed({"permissions": {"deny": ["Bash(rm *)"], "allow": ["Write"]}})
    assert main(["config", "show", "--origin"]) == 0
    out, err = capsys.readouterr()
    assert out.splitlines() == [
        f'model = "m"   # {user}',
        f'permissions.deny += "Read(.env)"   # {user}',
        f'permissions.deny += "Bash(rm *)"   # {project}',
        f'env.A = "1"   # {user}',
        f'env.GH_TOKEN = "(hidden)"   # {user}',
    ]
    assert err.startswith("Warning: this workspace has not been trusted; ignored: .claude/settings.json")


def test_no_header_is_shown(room, capsys):
    hook = {"type": "http", "url": "http://x", "headers": {"Authorization": "Bearer s3cret"}}
    room.user({"hooks": {"Stop": [{"hooks": [hook]}]}})
    assert main(["config", "show"]) == main(["config", "show", "--json"]) == 0
    out = capsys.readouterr().out
    assert (out.count("(hidden)"), "s3cret" in out) == (2, False)


def test_as_one_object(room, capsys):
    path = room.user({"model": 7, "spinnerVerbs": [], "verbose": True})
    assert main(["config", "show", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert {"key": "verbose", "value": True, "origin": str(path)} in found["settings"]
    assert found["problems"] == [f"{path}: model must be a string. Correct that key, or remove it."]
    assert found["unknown"] == [{"key": "spinnerVerbs", "origin": str(path)}]
    assert found["trust"] == {"state": "untrusted", "ignored": []}


def test_the_flags_of_a_session_count(room, capsys):
    room.user({"model": "m"})
    room.committed({"model": "p"})
    assert (
        main(["config", "show", "--trust-project", "--setting-sources", "project", "--settings", '{"verbose":true}'])
        == 0
    )
    assert capsys.readouterr() == ('model = "p"\nverbose = true\n', "")


@pytest.mark.parametrize(
    "words", [["config"], ["config", "set"], ["config", "show", "--setting-sources", "all"], ["trust", "--x"]]
)
def test_what_is_no_command_is_said(room, words, capsys):
    assert main(words) == 2
    assert capsys.readouterr().err.startswith("Error: ")


def test_trust_names_what_is_trusted_and_can_be_taken_back(room, capsys):
    room.committed({"permissions": {"allow": ["Write"]}})
    room.write("project/.claude/hooks/a\x1b[2J.sh", b"x")
    assert main(["trust", ".."]) == main(["trust"]) == 0
    nothing, head, hook, settings = capsys.readouterr().out.splitlines()
    assert "nothing to trust" in nothing
    assert head == f"Trusted until one of these changes, in {room.project}:"
    assert (settings, "\x1b" in hook) == ("  .claude/settings.json", False)
    assert main(["trust", "--revoke"]) == main(["trust", "--revoke"]) == 0
    assert "trusted no longer" in capsys.readouterr().out


def test_there_must_be_a_directory_and_a_place_to_record(room, capsys):
    assert main(["trust", "missing"]) == 2
    room.committed({"model": "m"})
    (room.home / ".harness").write_text("in the way")
    assert main(["trust"]) == 1
    assert "Trust cannot be recorded" in capsys.readouterr().err


def test_without_any_settings_it_says_so(room, capsys):
    assert main(["config", "show"]) == 0
    assert capsys.readouterr() == ("", "No settings files: the defaults count.\n")
