"""Rules that we keep: the file's own content and form, links, commits, and trust carried on or not."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from harness.errors import UsageError
from harness.settings import save as save_module
from harness.settings import trust
from harness.settings.save import save_rules

LOCAL = "project/.harness/settings.local.json"


def save(room, *texts: str, cwd: Path | None = None):
    return save_rules(room.state, cwd or room.project, texts or ("Bash(pytest *)",))


def allowed(room, **asked) -> list[str]:
    chosen = room.load(**asked)
    return [rule for layer in chosen.layers for rule in layer.get("permissions.allow") or ()]


def test_a_saved_rule_counts_in_the_next_session_and_trust_goes_on(room):
    assert save(room).counts
    assert save(room, "Bash(make:*)", "Bash(pytest *)").counts
    assert allowed(room) == ["Bash(pytest *)", "Bash(make:*)"]
    room.write(LOCAL, {"permissions": {"allow": ["Bash"]}})  # somebody else's hand
    assert allowed(room) == []
    assert not save(room).counts
    assert allowed(room) == []


def test_what_was_not_trusted_is_not_trusted_by_the_way(room):
    room.committed({"permissions": {"allow": ["Bash"]}})
    assert not save(room).counts
    assert allowed(room) == []
    assert allowed(room, trust_project=True) == ["Bash", "Bash(pytest *)"]
    trust.grant(room.state, room.project, trust.digest(trust.inventory(room.project)))
    assert save(room, "Bash(make:*)").counts
    assert allowed(room) == ["Bash", "Bash(pytest *)", "Bash(make:*)"]


def test_the_rest_of_the_file_stays_as_it_was(room):
    text = '{\n\t"model": "m\u00fc",\n\t"permissions": {\n\t\t"deny": ["Read(x)"],\n\t\t"allow": ["Bash(a)"]\n\t},\n\t"unknown": 1\n}\n'
    path = room.write(LOCAL, text.encode())
    path.chmod(0o600)
    save(room, "Bash(b)")
    assert list(json.loads(path.read_text())) == ["model", "permissions", "unknown"]
    assert '\n\t"model": "m\u00fc",\n' in path.read_text()
    assert path.stat().st_mode & 0o777 == 0o600
    assert sorted(os.listdir(path.parent)) == ["settings.local.json"]


@pytest.mark.parametrize("content", [b"{", b"[]", b'{"permissions": []}', b'{"permissions": {"allow": "x"}}'])
def test_a_file_that_cannot_be_added_to_is_left_alone(room, content):
    path = room.write(LOCAL, content)
    with pytest.raises(UsageError, match=r"settings\.local\.json"):
        save(room)
    assert path.read_bytes() == content


def test_nothing_is_written_through_a_link(room):
    target = room.write("home/target.json", {})
    (room.project / ".harness").symlink_to(room.home)
    with pytest.raises(UsageError, match="link"):
        save(room)
    (room.project / ".harness").unlink()
    (room.project / ".harness").mkdir()
    (room.project / ".harness/settings.local.json").symlink_to(target)
    with pytest.raises(UsageError, match="link"):
        save(room)
    assert target.read_text() == "{}"


def test_it_stands_at_the_root_of_git_and_is_in_no_commit(room):
    subprocess.run(["git", "init", "-q"], cwd=room.project, check=True)
    below = room.project / "below"
    below.mkdir()
    assert save(room, cwd=below).path == room.project / ".harness/settings.local.json"
    done = subprocess.run(
        ["git", "status", "--porcelain"], cwd=room.project, check=True, capture_output=True, text=True
    )
    assert done.stdout == ""
    assert [rule for layer in room.load(below).layers for rule in layer.get("permissions.allow")] == ["Bash(pytest *)"]


def test_a_change_between_two_looks_is_not_trusted_with_our_own(room, monkeypatch):
    assert save(room).counts
    mine = (room.project / ".harness/settings.local.json").read_bytes()
    read = save_module._read

    def changed_first(*args):
        room.write(LOCAL, {"permissions": {"allow": ["Bash"]}})
        return read(*args)

    monkeypatch.setattr(save_module, "_read", changed_first)
    assert not save(room, "Bash(make:*)").counts
    assert allowed(room) == []
    monkeypatch.undo()
    room.write(LOCAL, mine)
    assert save(room, "Bash(make:*)").counts
