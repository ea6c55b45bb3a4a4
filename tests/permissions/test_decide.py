"""The decision as a whole: precedence, sandboxes, plan mode, several effects, what goes wrong inside."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.effects import Asks, Effect, Fetches, Opaque, Reads, Runs, Writes
from harness.messages import MODES
from harness.permissions import Allow, Ask, Deny
from harness.permissions.decide import decide
from harness.sandbox.policy import Granted
from tests.corpus.decisions import PROJECT, decided, roots_for
from tests.permissions.at import call, command, on_command, on_path, path, rules

FULL = Granted("full")


@pytest.mark.parametrize("mode", MODES)
def test_deny_beats_ask_beats_allow(mode):
    assert command("make x", rules(["Bash"], ["Bash(make *)"], ["Bash(make *)"]), mode) == "deny"
    assert command("make x", rules(["Bash"], [], ["Bash(make *)"]), mode) == ("deny" if mode == "dontAsk" else "ask")


def test_the_deciding_rule_is_named():
    assert on_command("make x", rules(deny=["Bash(make *)"])) == Deny(
        "rule", "the rule Bash(make *) of the project settings denies it", "Bash(make *)"
    )
    assert on_command("make x", rules(["Bash(make *)"])).rule == "Bash(make *)"


@pytest.mark.parametrize(
    ("mode", "granted", "want"),
    [
        ("default", FULL, "ask"),
        ("default", Granted("full", auto_allow=True), "allow"),
        ("acceptEdits", FULL, "allow"),
        ("acceptEdits", Granted("full", auto_allow=False), "ask"),
        ("acceptEdits", Granted("degraded", auto_allow=True), "ask"),
        ("acceptEdits", Granted("none"), "ask"),
        ("acceptEdits", Granted("full", network="proxy"), "allow"),
        ("acceptEdits", Granted("full", network="host"), "ask"),
        ("acceptEdits", Granted("full", write=(PROJECT / "out",)), "allow"),
        ("acceptEdits", Granted("full", write=(PROJECT.parent,)), "ask"),
        ("plan", Granted("full", auto_allow=True), "ask"),
        ("dontAsk", Granted("full", auto_allow=True), "allow"),
        ("dontAsk", FULL, "deny"),
    ],
)
def test_commands_in_a_sandbox(mode, granted, want):
    assert command("make x", mode=mode, sandbox=granted) == want


def test_a_sandbox_answers_no_rule_and_no_critical_removal():
    assert command("make x", rules(ask=["Bash"]), "acceptEdits", sandbox=FULL) == "ask"
    assert command("make x", rules(deny=["Bash(make *)"]), "acceptEdits", sandbox=FULL) == "deny"
    assert command("$a x", rules(deny=["Bash(make *)"]), "acceptEdits", sandbox=FULL) == "ask"
    assert command("rm -rf /", mode="acceptEdits", sandbox=FULL) == "ask"
    assert command("make x", mode="acceptEdits", sandbox=FULL, unsandboxed=True) == "ask"


def test_a_full_sandbox_hides_denied_files_from_whole_trees():
    hidden = rules(deny=["Read(.env)"])
    assert command("grep -r x .", hidden) == "ask"
    assert command("grep -r x .", hidden, sandbox=FULL) == "allow"
    assert command("cat .env", hidden, sandbox=FULL) == "deny"


def test_plan_counts_rules_for_commands_but_not_for_writes():
    allowed = rules(["Bash", "Bash(pytest *)", "Bash(touch *)", "Bash(git *)", "Edit"])
    assert command("pytest -q", allowed, "plan") == "allow"
    assert command("make x", allowed, "plan") == "ask"
    assert command("touch x", allowed, "plan") == "ask"
    assert command("git push", allowed, "plan") == "ask"
    assert command("timeout 5 git push", allowed, "plan") == "ask"
    assert path("Edit", "a", allowed, "plan") == "deny"


def test_protected_paths_need_a_person_even_with_a_rule():
    assert path("Edit", ".git/config", rules(["Edit"]), "acceptEdits") == "ask"
    assert command("echo x > .git/config", rules(["Bash", "Edit"])) == "ask"
    assert path("Edit", ".harness/worktrees/w/a.py", mode="acceptEdits") == "allow"


@pytest.mark.parametrize(
    ("rule", "url", "matches"),
    [
        ("domain:example.com", "https://EXAMPLE.com./x", True),
        ("domain:example.com", "https://www.example.com", False),
        ("domain:*.example.com", "https://a.b.example.com", True),
        ("domain:*.example.com", "https://example.com", False),
        ("domain:*", "https://x.y", True),
        ("domain:api.*.com", "https://api.x.com", True),
        ("domain:api.*.com", "https://api.x.y.com", False),
        ("domain:example.com", "https://example.com.evil.net", False),
        ("domain:example.com", "https://example.com@evil.net/", False),
        ("domain:example.com", "http://[bad", False),
    ],
)
def test_web_domains(rule, url, matches):
    got = decide(call("WebFetch"), [Fetches(url)], rules([f"WebFetch({rule})"]), "default", roots_for())
    assert isinstance(got, Allow) is matches


def test_mcp_tools():
    assert (
        decided(decide(call("mcp__a__b"), [Opaque("mcp__a__b")], rules(["mcp__a"]), "default", roots_for())) == "allow"
    )
    got = decide(call("mcp__a__b"), [Opaque("mcp__a__b")], rules(), "default", roots_for())
    assert isinstance(got, Ask)
    assert got.suggestions == ("mcp__a__b",)


def test_the_strictest_effect_decides():
    effects: list[Effect] = [Reads(PROJECT / "a"), Writes(PROJECT / "b")]
    got = decide(call("Move"), effects, rules(deny=["Edit(b)"]), "acceptEdits", roots_for())
    assert isinstance(got, Deny)
    both = [Writes(PROJECT / "a"), Writes(PROJECT / "b")]
    ask = decide(call("Move"), both, rules(), "default", roots_for())
    assert isinstance(ask, Ask)
    assert ask.suggestions == ("Edit(//home/u/proj/a)", "Edit(//home/u/proj/b)")


def test_a_failure_inside_asks_and_says_so():
    def broken(path):
        raise OSError("disk")

    got = on_path("Read", "a", roots=roots_for(real=broken))
    assert got == Ask("error", "the permission check failed (OSError: disk)")
    assert isinstance(on_path("Read", "a", mode="dontAsk", roots=roots_for(real=broken)), Deny)


TEXT = st.text(max_size=30)
PIECES = st.lists(
    st.sampled_from(["rm", " ", "-rf", "/", "~", "$(", ")", "`", "'", '"', "\\", "\n", "<<E", "E", ">", "|", "&", ";",
                     "{", "}", "[[", "]]", "if", "then", "fi", "for", "do", "done", "$x", "${", "*", "\0", "\u202e", "#"]),
    max_size=25,
).map("".join)  # fmt: skip


@given(TEXT | PIECES, st.sampled_from(MODES), st.booleans(), st.booleans())
def test_no_command_makes_it_raise(line, mode, denies, sandboxed):
    got = on_command(
        line, rules(["Bash(ls *)", "Read"], ["Bash(rm:*)", "Read(.env)"] if denies else []), mode,
        sandbox=FULL if sandboxed else None,
    )  # fmt: skip
    assert getattr(got, "source", "") != "error"


@given(TEXT, TEXT, st.sampled_from(MODES), st.sampled_from(["Read", "Write", "Edit", "Glob", "X"]))
def test_no_path_and_no_rule_makes_it_raise(where, rule, mode, tool):
    texts = [f"Read({rule})", f"Edit({rule})", rule]
    got = on_path(tool, where, rules(texts, texts[:2], texts), mode)
    assert getattr(got, "source", "") != "error"


@given(TEXT, st.sampled_from([Asks(), Fetches("x"), Opaque(""), Runs("", PROJECT)]), st.sampled_from(MODES))
def test_no_effect_makes_it_raise(name, effect, mode):
    assert getattr(decide(call(name), [effect], rules(), mode, roots_for()), "source", "") != "error"


LINES = st.sampled_from(
    ["rm x", "ls", "ls | xargs rm", "make", "$a b", "cat .env", "echo $(rm x)", "touch a", "rm -rf /"]
)
RANK = {"allow": 0, "ask": 1, "deny": 2}


@given(LINES, st.sampled_from(MODES), st.sampled_from(["Bash(rm:*)", "Bash", "Read(.env)", "Bash(zzz)", "Edit(a)", "*"]),
       st.sampled_from([None, FULL]))  # fmt: skip
def test_a_further_deny_rule_never_permits_more(line, mode, deny, sandbox):
    allowed = rules(["Bash(make *)", "Bash(ls *)"])
    before = RANK[command(line, allowed, mode, sandbox=sandbox)]
    assert RANK[command(line, allowed + rules(deny=[deny]), mode, sandbox=sandbox)] >= before
