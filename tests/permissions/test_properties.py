"""What holds for every command, path and rule: a deny is never undone, by nothing that is added or dressed up."""

import shlex

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from harness.messages import MODES
from harness.permissions import Rules
from harness.sandbox.policy import Granted
from tests.corpus.decisions import PROJECT, linked, roots_for
from tests.permissions import grammar
from tests.permissions.at import command, path, rules

RANK = {"allow": 0, "ask": 1, "deny": 2}
LINES = st.randoms(use_true_random=False).map(grammar.line)
SANDBOXES = st.sampled_from(
    [None, Granted("full"), Granted("full", auto_allow=True), Granted("degraded"), Granted("none")]
)
RULES = [
    "Bash(ls:*)",
    "Bash(git *)",
    "Bash(touch made)",
    "Bash(* made)",
    "Bash(cat data.csv)",
    "Bash",
    "Read(data.csv)",
    "Read(./src/**)",
    "Read(*.md)",
    "Edit(made)",
    "Edit(//tmp/**)",
    "Edit(**)",
    "Read",
    "*",
    "Bash(nothing)",
    "Read(nothing)",
    "Bash(run_in_background:true)",
    "WebFetch",
    "Bash(sort*)",
]
SOME_RULES = st.lists(st.sampled_from(RULES), max_size=3)
GIVEN = st.builds(
    rules,
    SOME_RULES,
    st.lists(st.sampled_from(RULES), max_size=1),
    SOME_RULES,
)
PATHS = st.sampled_from(
    [
        "data.csv",
        "src/a.py",
        "made",
        ".git/config",
        "/tmp/x",
        "/etc/passwd",
        "~x",
        "a/../src/b",
        "out/x",
        "in/a.py",
        "README.md",
        "README.MD",
        "src",
    ]
)
ROOTS = roots_for(real=linked({"/home/u/proj/out": "/etc", "/home/u/proj/in": "/home/u/proj/src"}))


@settings(max_examples=200, deadline=None)
@given(LINES, GIVEN, st.sampled_from(RULES), st.sampled_from(MODES), SANDBOXES)
def test_a_deny_rule_never_lets_a_command_do_more(line, before, rule, mode, sandbox):
    after = before + rules(deny=[rule])
    stricter = RANK[command(line, after, mode, sandbox=sandbox)]
    assert stricter >= RANK[command(line, before, mode, sandbox=sandbox)]


@given(
    st.sampled_from(["Read", "Edit", "Write", "Grep", "Glob", "NotebookEdit", "MultiEdit"]),
    PATHS,
    GIVEN,
    st.sampled_from(RULES),
    st.sampled_from(MODES),
)
def test_a_deny_rule_never_lets_a_path_be_used_more(tool, where, before, rule, mode):
    after = before + rules(deny=[rule])
    assert RANK[path(tool, where, after, mode, ROOTS)] >= RANK[path(tool, where, before, mode, ROOTS)]


@settings(deadline=None)
@given(LINES, PATHS, GIVEN, SANDBOXES)
def test_dont_ask_never_asks_and_allows_no_more_than_default(line, where, before, sandbox):
    pairs = [
        (command(line, before, mode, sandbox=sandbox), path("Write", where, before, mode, ROOTS))
        for mode in ("dontAsk", "default")
    ]
    for silent, asking in zip(*pairs, strict=True):
        assert silent == ("deny" if asking == "ask" else asking)


@settings(deadline=None)
@given(LINES, GIVEN, st.sampled_from(MODES))
def test_what_a_rule_denies_no_mode_and_no_sandbox_frees(line, before, mode):
    if command(line, before) == "deny":
        assert command(line, before, mode, sandbox=Granted("full", auto_allow=True)) == "deny"


WRAPS = [
    "sh -c {}",
    "bash -lc {}",
    "env bash -c {}",
    "timeout 5 sh -c {}",
    "xargs sh -c {}",
    "sudo -u x dash -c {}",
    "nice -n 3 zsh -c {}",
    "watch {}",
    "find . -exec sh -c {} ';'",
]
AROUND = [
    "{}",
    "ls && {}",
    "{} || ls",
    "ls | {}",
    "( {} )",
    "{{ {}; }}",
    "echo $( {} )",
    "cat <({})",
    "if ls; then {}; fi",
    "for i in a; do {}; done",
    "x=$( {} )",
    "{} >/dev/null 2>&1",
    "while {}; do ls; done",
    "! {}",
    "case a in a) {};; esac",
    "f() {{ {}; }}",
]
FORBIDDEN = st.sampled_from(["touch made", "git push --force", "npm publish", "rm -rf x"])
DRESS = st.sampled_from(
    [
        "{}",
        "\\{}",
        "/usr/bin/{}",
        "A=1 {}",
        "timeout 9 {}",
        "env -i {}",
        "nice -n 2 {}",
        "sudo {}",
        "xargs -n1 {}",
        "  {}",
        "command -- {}",
        "nohup {} &",
        "''{}",
    ]
)


def respaced(line: str, blank: str, quoted: bool) -> str:
    words = [f'"{word}"' if quoted else word for word in line.split()]
    return blank.join(words)


@settings(max_examples=200, deadline=None)
@given(FORBIDDEN, st.sampled_from([" ", "  ", "\t", " \\\n"]), st.booleans(), DRESS, st.lists(st.sampled_from(AROUND), max_size=2),
       st.sampled_from([None, *WRAPS]), st.sampled_from(AROUND), st.sampled_from(MODES))  # fmt: skip
def test_dressing_a_denied_command_up_never_frees_it(line, blank, quoted, dress, inner, wrap, outer, mode):
    assume(not (quoted and dress == "\\{}"))  # a quoted quote
    given_rules = rules(["Bash"], [f"Bash({line}:*)"])
    dressed = dress.replace("{}", respaced(line, blank, quoted))
    for around in inner:
        dressed = around.format(dressed) if not dressed.endswith("&") else dressed
    if wrap:
        dressed = wrap.replace("{}", shlex.quote(dressed))
    if not dressed.endswith("&"):
        dressed = outer.format(dressed)
    assert command(dressed, given_rules, mode) == "deny", dressed


def test_rules_of_any_source_deny():
    for source in ("managed", "user", "project", "local", "file", "flag", "session"):
        denied = Rules.parse({"deny": ["Bash(touch made)"]}, source, PROJECT)
        assert command("touch made", rules(["Bash"]) + denied, "bypassPermissions") == "deny"
