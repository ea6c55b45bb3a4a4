"""Fewer questions in the sandbox, and what asks all the same: rules, critical removals, less than a full sandbox,
and a call that wants to leave it."""

from dataclasses import replace
from pathlib import Path

import pytest

from harness.effects import Runs
from harness.messages import MODES, Mode, ToolCall
from harness.permissions import Allow, Ask, Decision, Deny, Roots, Rules
from harness.permissions.decide import decide
from harness.sandbox.policy import Granted, Level

PROJECT = Path("/home/kim/shop")
ROOTS = Roots(project=PROJECT, cwd=PROJECT, home=PROJECT.parent, real=lambda path: path)
FULL = Granted("full", write=(PROJECT,), auto_allow=True)
ALLOW = ["Bash", "Bash(make:*)"]


def decided(
    command: str, mode: Mode = "acceptEdits", granted: Granted = FULL, *, leaves: bool = False, **rules: list[str]
) -> Decision:
    lists = {"deny": rules.get("deny", ()), "ask": rules.get("ask", ()), "allow": rules.get("allow", ())}
    call = ToolCall("c", "Bash", "{}", {"command": command, "dangerouslyDisableSandbox": leaves})
    pooled = Rules.parse(lists, "user", PROJECT)  # type: ignore[arg-type]  # the three behaviours
    return decide(call, (Runs(command, PROJECT, leaves),), pooled, mode, ROOTS, granted)


@pytest.mark.parametrize("mode", ["default", "acceptEdits", "auto", "dontAsk"])
def test_a_full_sandbox_that_settings_trust_runs_commands_unasked(mode):
    assert decided("./build --all", mode).source == "sandbox"
    assert not isinstance(decided("./build --all", mode, replace(FULL, auto_allow=False)), Allow)


def test_unset_it_is_accept_edits_alone_that_runs_them():
    unset = replace(FULL, auto_allow=None)
    assert decided("./build --all", "acceptEdits", unset).source == "sandbox"
    assert isinstance(decided("./build --all", "default", unset), Ask)
    for wider in (replace(unset, network="host"), replace(unset, write=(PROJECT, Path("/srv")))):
        assert isinstance(decided("./build --all", "acceptEdits", wider), Ask)


@pytest.mark.parametrize("level", ["degraded", "external", "none"])
def test_never_in_less_than_a_full_sandbox(level: Level):
    for mode in ("default", "acceptEdits"):
        assert isinstance(decided("./build --all", mode, replace(FULL, level=level)), Ask)


@pytest.mark.parametrize(
    ("rules", "command", "kind", "source"),
    [
        ({"deny": ["Bash(git push:*)"]}, "make && git push", Deny, "rule"),
        ({"ask": ["Bash(git push:*)"]}, "make && git push", Ask, "rule"),
        ({"ask": ["Bash"]}, "make", Ask, "rule"),
        ({"deny": ["Read(.env)"]}, "cat .env", Deny, "rule"),
        ({"ask": ["Edit(/lock)"]}, "echo 1 > lock", Ask, "rule"),
        ({"deny": ["Bash(git push:*)"]}, "sh -c \"$x\"", Ask, "mode"),
        ({}, "rm -rf /", Ask, "critical"),
        ({}, "make; rm -rf ~", Ask, "critical"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("mode", ["default", "acceptEdits"])
def test_rules_and_critical_removals_apply_in_it(rules, command, kind, source, mode):
    found = decided(command, mode, **rules)
    assert (type(found), found.source) == (kind, source)


# ---- leaving it


@pytest.mark.parametrize("mode", [mode for mode in MODES if mode not in {"dontAsk", "plan"}])
@pytest.mark.parametrize("command", ["make", "ls", "git push"])
def test_a_call_that_wants_to_leave_always_asks(mode, command):
    found = decided(command, mode, leaves=True, allow=ALLOW)
    assert (type(found), found.source) == (Ask, "sandbox")
    assert found == Ask("sandbox", "it asks to run outside the sandbox")  # of the person: no rule, no classifier
    for never in ("dontAsk", "plan"):
        assert isinstance(decided(command, never, leaves=True, allow=ALLOW), Deny)


@pytest.mark.parametrize("mode", MODES)
def test_settings_can_forbid_leaving(mode):
    found = decided("make", mode, replace(FULL, may_leave=False), leaves=True, ask=["Bash(make:*)"], allow=ALLOW)
    assert (type(found), found.source) == (Deny, "mode" if mode == "plan" else "sandbox")
    assert isinstance(decided("make", mode, replace(FULL, may_leave=False), allow=ALLOW), Allow)


def test_a_deny_rule_says_so_first_and_without_a_sandbox_there_is_nothing_to_leave():
    assert decided("git push", leaves=True, deny=["Bash(git push:*)"]).source == "rule"
    assert isinstance(decided("make", "default", Granted("none"), leaves=True, allow=ALLOW), Allow)


@pytest.mark.parametrize(
    "command", ["docker ps", "docker", "make && docker ps", "timeout 5 docker ps", "FOO=1 docker x"]
)
def test_a_command_that_settings_keep_out_of_the_sandbox_is_asked_about(command):
    out = replace(FULL, excluded=("docker:*",))
    assert not isinstance(decided(command, "acceptEdits", out), Allow)
    assert decided("dockerx ps", "acceptEdits", out).source == "sandbox"
    assert isinstance(decided("docker ps -x", "acceptEdits", out, allow=["Bash(docker ps:*)"]), Allow)


@pytest.mark.parametrize("rule", ["Read(~/**/*.pem)", "Read(//**/.env)", "Read(~/.*rc)"])
def test_not_where_a_denied_pattern_reaches_beyond_what_is_masked(rule: str):
    assert isinstance(decided("./build --all", deny=[rule]), Ask)


@pytest.mark.parametrize("rule", ["Read(~/private/**)", "Read(.env)", "Read(secrets/**)", "Read(//etc/hosts)"])
def test_but_where_what_is_denied_is_masked(rule: str):
    assert decided("./build --all", deny=[rule]).source == "sandbox"


def test_a_wildcard_in_a_full_sandbox_still_meets_ask_rules_and_what_lies_beyond():
    keys = ["Read(//home/kim/**)"]
    apart = replace(FULL, auto_allow=False)
    assert isinstance(decided("cat /home/kim/keys/*", "default", apart, allow=keys), Allow)
    assert isinstance(decided("cat /home/kim/keys/*", "default", apart, deny=["Read(~/**/*.pem)"], allow=keys), Ask)
    assert isinstance(decided("cat conf/*", "default", apart, ask=["Read(conf/key)"]), Ask)
    assert isinstance(decided("cat conf/*", "default", apart, deny=["Read(conf/key)"]), Allow)
