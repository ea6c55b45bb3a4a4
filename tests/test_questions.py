"""What a question offers: the narrowest rule for what was asked so far, examples of it, and why it comes again."""

from pathlib import Path
from typing import Any

import pytest

from harness.effects import Effect, Fetches, Runs, Writes
from harness.events import PermissionRequest
from harness.messages import Mode, ToolCall
from harness.permissions import Ask, Roots, Rules
from harness.permissions.offer import Offer
from harness.permit import Permit
from harness.question import answer, choices, shown
from harness.questions import Questions
from harness.sandbox.policy import Granted

PROJECT = Path("/home/kim/shop")


class Asked:
    def __init__(self, mode: Mode = "default", **rules: Any) -> None:
        roots = Roots(project=PROJECT, cwd=PROJECT, home=PROJECT.parent, real=lambda path: path)
        self.permit = Permit(
            Rules.parse({"ask": rules.get("ask", ()), "allow": rules.get("allow", ())}, "user", PROJECT),
            mode,
            roots,
            Granted("full"),
        )
        self.questions = Questions(self.permit, PROJECT, PROJECT.parent / ".harness")

    def run(self, command: str) -> Offer:
        return self.ask("Bash", Runs(command, PROJECT), command=command)

    def ask(self, tool: str, effect: Effect, **given: Any) -> Offer:
        call = ToolCall("c", tool, "{}", given)
        decision = self.permit.decide(call, (effect,), {})
        assert isinstance(decision, Ask), decision
        return self.questions.offer(call, (effect,), decision)


def rules(offer: Offer) -> list[str]:
    return [each.rule for each in offer.rules]


@pytest.mark.parametrize(
    ("commands", "rule"),
    [
        (["pytest a.py"], "Bash(pytest:*)"),
        (["pytest a.py", "pytest b.py"], "Bash(pytest *)"),
        (["git push origin a"], "Bash(git push:*)"),
        (["git push origin a", "git push origin b"], "Bash(git push origin *)"),
        (["git push origin a", "git fetch", "git push origin a"], "Bash(git push origin a)"),
        (["./deploy staging a", "./deploy staging b"], "Bash(./deploy staging *)"),
        (["./tool a", "./tool b"], "Bash(./tool *)"),
        (["python3 gen.py a", "python3 gen.py b"], "Bash(python3 gen.py *)"),
        (["python3 a.py", "python3 b.py"], "Bash(python3 b.py)"),
        (["node -e 1", "node -e 2"], "Bash(node -e 2)"),
        (["rm -r a", "rm -r b"], "Bash(rm -r b)"),
        (["curl https://a.example/x", "curl https://a.example/y"], "Bash(curl https://a.example/y)"),
        (["./tool a", "./other b"], "Bash(./other b)"),
        (["./tool 'a*'", "./tool 'a*'"], "Bash(./tool 'a\\*')"),
    ],
)
def test_the_rule_is_the_narrowest_that_covers_what_was_asked_like_it(commands, rule):
    asked = Asked()
    offers = [asked.run(command) for command in commands]
    assert rules(offers[-1]) == [rule]
    asked.permit.allow_rule(rule)
    call = ToolCall("c", "Bash", "{}", {"command": commands[-1]})
    assert asked.permit.decide(call, (Runs(commands[-1], PROJECT),), {}).reason.startswith(f"the rule {rule}")


def test_each_command_of_a_line_has_its_rule_and_more_than_five_are_not_offered():
    assert rules(Asked().run("npm test && ./a x | ./b y")) == ["Bash(npm test:*)", "Bash(./a x)", "Bash(./b y)"]
    assert rules(Asked().run(" && ".join(f"./{letter} x" for letter in "abcdef"))) == []


@pytest.mark.parametrize(
    ("given", "command"),
    [
        ({"ask": ["Bash(git push:*)"]}, "git push"),
        ({}, "rm -rf /"),
        ({}, "echo x > .git/config"),
        ({}, "ls $(./x"),
        ({}, "FOO=/x ./y"),
    ],
)
def test_where_no_rule_would_help_none_is_offered(given, command):
    assert Asked(**given).run(command) == Offer()


def test_every_rule_is_shown_by_what_it_matches_and_what_not():
    asked = Asked()
    asked.run("git push origin a")
    [offered] = asked.run("git push origin b").rules
    assert (offered.matches, offered.misses) == ("git push origin a", "git push not-origin")
    [offered] = Asked().run("make").rules
    assert (offered.matches, offered.misses) == ("make", "make more")


def test_edits_are_for_the_session_and_hosts_may_be_kept():
    edit = Asked().ask("Write", Writes(PROJECT / "a.py"), file_path="a.py")
    assert (rules(edit), edit.savable) == ([f"Edit(/{PROJECT}/a.py)"], False)
    assert Asked().run("./x > out.txt").savable is False
    fetch = Asked().ask("WebFetch", Fetches("https://docs.example/a"), url="https://docs.example/a")
    assert (rules(fetch), fetch.savable) == (["WebFetch(domain:docs.example)"], True)
    assert fetch.rules[0].misses == "https://other.docs.example/"
    assert Asked().ask("Write", Writes(PROJECT / ".git/hooks/x"), file_path=".git/hooks/x") == Offer()


@pytest.mark.parametrize(
    ("session", "settings", "command", "why"),
    [
        (["Bash(git push origin a)"], [], "git push origin b", "you allowed `git push origin a` for this session; this differs in argument 4"),
        ([], ["Bash(npm test:*)"], "npm run x", "it differs from the rule Bash(npm test:*) in argument 2"),
        (["Bash(./x a)"], [], "./x a b", "you allowed `./x a` for this session; this differs in argument 3"),
        ([], ["Bash(npm run a)", "Bash(npm run b c)"], "npm run b d", "it differs from the rule Bash(npm run b c) in argument 4"),
        ([], ["Bash(npm test:*)"], "yarn test", ""),
    ],
)  # fmt: skip
def test_asked_again_it_says_what_is_new(session, settings, command, why):
    asked = Asked(allow=settings)
    for rule in session:
        asked.permit.allow_rule(rule)
    assert asked.run(command).again == why


def request(**given: Any) -> PermissionRequest:
    call = ToolCall("c", "Bash", "{}", {"command": "ls \u202e\x1b[2Jx\nrm y"})
    return PermissionRequest(id="c", call=call, mode="default", reason="why", **given)


def test_the_question_shows_every_byte_and_what_may_be_answered():
    plain = request()
    assert "    | ls \\u202e\\x1b[2Jx\n    | rm y\n" in shown(plain)
    assert choices(plain) == "[y]es once, [n]o, or say why not: "
    assert answer("a", plain).reason == "a"
    full = request(suggestions=("Bash(x *)",), examples=(("x a", "y"),), savable=True, again="it differs")
    assert "  asked again: it differs\n  rule: Bash(x *)\n        allows: x a    but not: y\n" in shown(full)
    assert "[a]lways (saved in .harness/settings.local.json)" in choices(full)
    assert (answer("A ", full).save, answer("s", full).save) == (True, False)
    assert answer("s", full).rules == ("Bash(x *)",)
    session = request(suggestions=("Edit(//x)",))
    assert "[a]lways" not in choices(session)
    assert answer("a", session).save is False
    assert (answer("", full).stop, answer("use make", full).reason, answer("use make", full).stop) == (
        True,
        "use make",
        False,
    )
