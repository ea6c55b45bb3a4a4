"""Agents, commands and skills from files: nearest first, and from a stranger only their text."""

import os
from pathlib import Path

import pytest

from harness.definitions import load
from harness.definitions.expand import expanded
from harness.definitions.values import Command, agent_from
from harness.frontmatter import document

AGENT = "---\nname: reviewer\ndescription: Reviews: all of it\ntools: Read, Grep\nmodel: inherit\npermissionMode: bypassPermissions\n---\nReview.\n"


def put(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    (tmp_path / "repo" / ".git").mkdir(parents=True)
    return tmp_path / "repo"


def found(repo: Path, **more):
    return load(repo, {"HOME": str(repo.parent / "home")}, **more)


def test_an_agent_and_what_a_stranger_may_not_set(repo: Path):
    put(repo / ".claude/agents/team/r.md", AGENT)
    agent = found(repo).agents["reviewer"]
    assert (agent.description, agent.tools, agent.prompt, agent.mode) == (
        "Reviews: all of it",
        ("Read", "Grep"),
        "Review.",
        None,
    )
    assert found(repo, trusted=True).agents["reviewer"].mode == "bypassPermissions"
    assert found(repo, sources=("user",)).agents == {}


def test_the_nearest_wins_and_the_person_comes_last(repo: Path):
    put(repo.parent / "home/.claude/agents/r.md", AGENT.replace("Review.", "Person."))
    assert found(repo).agents["reviewer"].prompt == "Person."
    put(repo / ".claude/agents/r.md", AGENT)
    put(repo / "sub/.claude/agents/r.md", AGENT.replace("Review.", "Near."))
    assert found(repo).agents["reviewer"].prompt == "Review."
    assert found(repo / "sub").agents["reviewer"].prompt == "Near."


def test_problems_are_told_and_end_nothing(repo: Path):
    put(repo / ".claude/agents/bad.md", "no front matter")
    put(repo / ".claude/agents/odd.md", "---\n[\n---\nx")
    put(repo / ".claude/commands/ok.md", "Do it.")
    read = found(repo)
    assert list(read.commands) == ["ok"]
    assert len(read.problems) == 3


def test_a_skill_is_a_command_too_unless_it_says_no(repo: Path):
    put(
        repo / ".claude/skills/pdf/SKILL.md",
        "---\nname: pdf\ndescription: Reads PDFs\nallowed-tools: Bash(pdf *)\n---\nUse pdftotext.",
    )
    put(repo / ".claude/skills/own/SKILL.md", "---\ndescription: For the model\nuser-invocable: false\n---\nx")
    read = found(repo)
    assert sorted(read.skills) == ["own", "pdf"]
    assert list(read.commands) == ["pdf"]
    assert read.commands["pdf"].allowed == ()
    assert found(repo, trusted=True).commands["pdf"].allowed == ("Bash(pdf *)",)


@pytest.mark.parametrize(
    ("text", "argument", "result"),
    [
        ("Fix $ARGUMENTS now", "a b", "Fix a b now"),
        ("Fix $0 then $1, $2", "a 'b c'", "Fix a then b c, $2"),
        ("Fix $ARGUMENTS[1]", "a b", "Fix b"),
        ("Fix it", "a b", "Fix it\n\nARGUMENTS: a b"),
        ("Fix it", "", "Fix it"),
        (r"cost \$1 and $PATH", "x", "cost $1 and $PATH\n\nARGUMENTS: x"),
        ("In ${CLAUDE_PROJECT_DIR}: $issue", "7", "In /p: 7"),
    ],
)
def test_arguments(text: str, argument: str, result: str):
    command = Command(name="c", description="", text=text, source="user", path=Path("/c.md"), arguments=("issue",))
    assert expanded(command, argument, {"CLAUDE_PROJECT_DIR": "/p"}) == result


def test_front_matter_as_people_write_it():
    assert document("---\npaths: **/*.py, a/{b,c}\n---\nx").texts("paths") == ("**/*.py", "a/{b,c}")
    assert document("---\r\na: 1\r\n---\r\nbody").body == "body"
    assert document("no --- front matter").fields == {}
    assert document("---\n---\nbody").body == "body"


def test_agents_from_json_are_checked():
    with pytest.raises(ValueError, match="prompt"):
        agent_from("x", {"description": "d"}, "flag")
    with pytest.raises(ValueError, match="tools"):
        agent_from("x", {"description": "d", "prompt": "p", "tools": [1]}, "flag")
    assert agent_from("x", {"description": "d", "prompt": "p", "tools": []}, "sdk").tools == ()


def test_a_repositorys_links_lead_nowhere_else_and_pipes_wait_for_nobody(repo: Path):
    secret = repo.parent / "secret"
    secret.write_text("aws_secret_access_key")
    put(repo / "docs/review.md", "Look.")
    room = repo / ".claude/commands"
    room.mkdir(parents=True)
    (room / "leak.md").symlink_to(secret)
    (room / "review.md").symlink_to("../../docs/review.md")
    os.mkfifo(room / "pipe.md")
    (repo / ".claude/skills").symlink_to(repo.parent / "elsewhere")
    put(repo.parent / "elsewhere/s/SKILL.md", "Skill.")
    put(repo.parent / "home/.claude/commands/mine.md", "Mine.")
    for trusted in (False, True):
        read = found(repo, trusted=trusted)
        assert sorted(read.commands) == ["mine", "review"]
        assert read.skills == {}
        assert len(read.problems) == 3
