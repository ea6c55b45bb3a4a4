"""The grammar: what a rule is read as, what is refused with a warning, what covers what."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.permissions import Rules, removed_tools, split_rules
from harness.permissions.rules import broad, parse_rule, tool_rule
from harness.permissions.wildcard import command_match, escape, glob_match
from tests.permissions.at import rules

HERE = Path("/proj")


def parsed(text, behavior="deny"):
    rule, warning = parse_rule(text, behavior, "user", HERE, where="settings.json:3")
    return rule and (rule.tool, rule.kind, rule.specifier), str(warning) if warning else ""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Bash", ("Bash", "tool", "")),
        ("Bash(*)", ("Bash", "tool", "")),
        ("Bash(npm run test:*)", ("Bash", "bash", "npm run test:*")),
        ("Bash(echo (a))", ("Bash", "bash", "echo (a)")),
        ("Bash(run_in_background:true)", ("Bash", "param", "true")),
        ("Bash(make all:x)", ("Bash", "bash", "make all:x")),
        ("Read(./secrets/**)", ("Read", "path", "./secrets/**")),
        ("WebFetch(domain:Example.com.)", ("WebFetch", "domain", "example.com")),
        ("Agent(Explore)", ("Agent", "name", "Explore")),
        ("Task(Explore)", ("Agent", "name", "Explore")),
        ("Agent(model:opus)", ("Agent", "param", "opus")),
        ("Skill(deploy *)", ("Skill", "name", "deploy *")),
        ("Read([[])", ("Read", "path", "[[]")),
        ("Cd(~/src/*)", ("Cd", "path", "~/src/*")),
        ("mcp__github__*", ("mcp__github__*", "tool", "")),
    ],
)
def test_forms(text, expected):
    assert parsed(text) == (expected, "")


@pytest.mark.parametrize(
    ("text", "behavior", "hint"),
    [
        ("Bash(npm test", "deny", "not of the form"),
        ("", "deny", "not of the form"),
        ("Bash()", "deny", "empty"),
        ("Bash(command:git *)", "deny", "'command' cannot be matched"),
        ("Read(file_path:x)", "deny", "'file_path' cannot be matched"),
        ("Write(docs/**)", "deny", "write Edit(docs/**)"),
        ("Glob(docs/**)", "ask", "write Read(docs/**)"),
        ("Agent(model:opus)", "allow", "not allow"),
        ("WebSearch(x)", "deny", "takes no specifier"),
        ("WebFetch(example.com)", "allow", "domain:HOST"),
        ("*", "allow", "only after mcp__<server>__"),
        ("mcp__*", "allow", "only after mcp__<server>__"),
        ("Read(!x)", "deny", "cannot start with"),
        ("Read([1-0])", "deny", "not a gitignore pattern"),
        ("Read(a\\)", "deny", "not a gitignore pattern"),
    ],
)
def test_unusable_rules_warn_with_their_place(text, behavior, hint):
    rule, warning = parsed(text, behavior)
    assert rule is None
    assert hint in warning
    assert warning.startswith("settings.json:3: permission rule ")


def test_unknown_tool_warns_and_is_kept():
    rule, warning = parsed("Bsh")
    assert rule == ("Bsh", "tool", "")
    assert "no tool of that name" in warning
    assert parsed("my_tool")[1] == parsed("mcp__x")[1] == parsed("B*")[1] == ""


def test_one_bad_rule_leaves_the_others():
    read = Rules.parse({"deny": ["Bash(", "Bash(rm:*)"], "allow": ["mcp__github__get_*"]}, "user", HERE)
    assert [rule.text for rule in read.deny + read.allow] == ["Bash(rm:*)", "mcp__github__get_*"]
    assert len(read.warnings) == 1


def test_sources_add_up():
    both = rules(allow=["Read"]) + Rules.parse({"deny": ["Bash"]}, "session", HERE)
    assert [rule.source for rule in both.deny + both.allow] == ["session", "project"]


@pytest.mark.parametrize(
    ("value", "parts"),
    [
        ("Bash(git log:*),Edit Read", ["Bash(git log:*)", "Edit", "Read"]),
        ("Bash(echo a, b) , Read", ["Bash(echo a, b)", "Read"]),
        ("Bash(echo (a b) c),X", ["Bash(echo (a b) c)", "X"]),
        ("", []),
    ],
)
def test_flag_values_split_outside_parentheses(value, parts):
    assert split_rules(value) == parts


@given(st.lists(st.sampled_from(["Read", "Bash(a b,c)", "Edit(/x y/**)", "mcp__a__*"]), max_size=6))
def test_splitting_undoes_joining(parts):
    assert split_rules(", ".join(parts)) == parts


def covers(text, tool, **fields):
    return tool_rule(rules(deny=[text]).deny, tool, fields) is not None


def test_what_a_bare_name_covers():
    assert covers("Edit", "Write")
    assert covers("Read", "Grep")
    assert not covers("Write", "Edit")
    assert covers("mcp__github", "mcp__github__get_issue")
    assert not covers("mcp__git", "mcp__github__get_issue")
    assert covers("mcp__*", "mcp__github__get_issue")
    assert covers("Agent", "Task")


def test_fields_and_names():
    assert covers("Agent(model:opus*)", "Agent", model="opus-4")
    assert not covers("Agent(model:*)", "Agent")
    assert covers("Bash(run_in_background:true)", "Bash", run_in_background=True)
    assert covers("Agent(Explore)", "Agent", subagent_type="Explore")
    assert covers("Skill(deploy *)", "Skill", skill="deploy")
    assert not covers("Skill(deploy *)", "Skill", skill="deployed")


def test_removed_tools_are_those_with_a_bare_deny():
    names = ["Bash", "Edit", "Write", "Read", "mcp__x__a"]
    assert removed_tools(rules(deny=["Bash(rm:*)", "Edit", "mcp__x"]), names) == {"Edit", "Write", "mcp__x__a"}
    assert removed_tools(rules(deny=["*"]), names) == set(names)


@pytest.mark.parametrize(
    ("text", "wide"),
    [("Bash", True), ("Bash(python3:*)", True), ("Bash(npm run *)", True), ("Agent", True), ("Bash(* x)", True),
     ("Bash(npm run test:*)", False), ("Bash(python3 x.py)", False), ("Read", False), ("Bash(git *)", False)],
)  # fmt: skip
def test_broad_rules(text, wide):
    assert broad(rules(allow=[text]).allow[0]) is wide


@pytest.mark.parametrize(
    ("pattern", "text", "matches"),
    [
        ("ls *", "ls", True),
        ("ls *", "lsof", False),
        ("ls*", "lsof", True),
        ("ls:*", "ls -a", True),
        ("a*b*c", "a1b2c", True),
        ("a*b*c", "acb", False),
        ("aba*aba", "aba", False),
        (r"echo \*", "echo *", True),
        (r"echo \*", "echo x", False),
    ],
)
def test_command_patterns(pattern, text, matches):
    assert command_match(pattern, text) is matches


@given(st.text(alphabet="ab*\\ ", max_size=12))
def test_an_escaped_text_matches_only_itself(text):
    assert glob_match(escape(text), text)
    assert not glob_match(escape(text), text + "a")


def test_matching_is_linear():
    assert not glob_match("*a" * 400 + "b", "a" * 20_000)


@pytest.mark.parametrize("text", ["KillShell", "KillBash", "TaskStop", "Kill*"])
def test_a_rule_for_a_tool_by_another_name_is_about_the_tool(text):
    deny = rules(deny=[text]).deny
    assert tool_rule(deny, "TaskStop", {"task_id": "b1"})
    assert removed_tools(rules(deny=[text]), ["TaskStop", "TaskOutput"]) == {"TaskStop"}
