"""The table of modes, read back, and what it does to calls without any rule (`conventions.md` 2.1)."""

from typing import get_args

import pytest

from harness.effects import Asks, Fetches, Opaque
from harness.messages import MODES
from harness.permissions import Ask
from harness.permissions.decide import decide
from harness.permissions.modes import VERDICTS, Action, Verdict
from tests.corpus.decisions import decided, roots_for
from tests.permissions.at import call, command, path, rules

# default, acceptEdits, plan, auto, dontAsk, bypassPermissions
PATHS = [
    ("Read", "a", "allow allow allow allow allow allow"),
    ("Grep", "/etc", "ask ask ask allow deny allow"),
    ("Read", "/home/u/.ssh/id", "ask ask ask ask deny allow"),
    ("Edit", "a", "ask allow deny allow deny allow"),
    ("Write", "/srv/a", "ask ask deny ask deny allow"),
    ("Write", ".git/hooks/x", "ask ask deny ask deny allow"),
    ("Read", "/dev/zero", "deny deny deny deny deny deny"),
]
COMMANDS = [
    ("git status", "allow allow allow allow allow allow"),
    ("touch a", "ask allow ask ask deny allow"),
    ("npm install", "ask ask ask ask deny allow"),
    ("rm -rf ~", "ask ask ask ask deny ask"),
    ("echo a > b", "ask allow ask allow deny allow"),
]
EFFECTS = [
    (Fetches("https://example.com/x"), "ask ask ask ask deny allow"),
    (Opaque("mcp__a__b"), "ask ask ask ask deny allow"),
    (Asks(), "ask ask ask ask deny ask"),
]


def rows(table):
    return [(*row[:-1], mode, want) for row in table for mode, want in zip(MODES, row[-1].split(), strict=True)]


def test_the_table_is_whole():
    assert {action for action, _ in VERDICTS} == set(get_args(Action))
    assert {mode for _, mode in VERDICTS} == set(MODES)
    assert set(VERDICTS.values()) <= set(get_args(Verdict))


@pytest.mark.parametrize(("tool", "where", "mode", "want"), rows(PATHS))
def test_paths(tool, where, mode, want):
    assert path(tool, where, mode=mode) == want


@pytest.mark.parametrize(("line", "mode", "want"), rows(COMMANDS))
def test_commands(line, mode, want):
    assert command(line, mode=mode) == want


@pytest.mark.parametrize(("effect", "mode", "want"), rows(EFFECTS))
def test_other_effects(effect, mode, want):
    assert decided(decide(call("mcp__a__b"), [effect], rules(), mode, roots_for())) == want


@pytest.mark.parametrize("mode", MODES)
def test_a_call_without_effects_runs(mode):
    assert decided(decide(call("TodoWrite"), [], rules(), mode, roots_for())) == "allow"
    assert decided(decide(call("TodoWrite"), [], rules(deny=["TodoWrite"]), mode, roots_for())) == "deny"


def test_only_what_a_person_need_not_answer_is_for_the_classifier():
    def classifiable(line, **given):
        from tests.permissions.at import on_command

        decision = on_command(line, rules(**given), "auto")
        return isinstance(decision, Ask) and decision.classifiable

    assert classifiable("npm install")
    assert classifiable("$a x")
    assert not classifiable("$a x", deny=["Bash(rm *)"])
    assert not classifiable("npm install", ask=["Bash(npm *)"])
    assert not classifiable("rm -rf ~")
    assert classifiable("python3 x.py", allow=["Bash(python3 *)"])  # too broad for auto
