"""Path rules beyond the corpus: anchors, links, and wildcards that may reach what a rule hides."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.permissions import Rules, hidden_globs
from harness.permissions.paths import may_cover, normal
from harness.permissions.patterns import escaped
from harness.permissions.places import device, may_be_protected
from tests.corpus.decisions import PROJECT, linked, roots_for
from tests.permissions.at import path, rules


@pytest.mark.parametrize(
    ("source", "anchor", "read"),
    [("project", PROJECT, "docs/a"), ("user", Path("/home/u/.harness"), "/home/u/.harness/docs/a"),
     ("file", Path("/etc/h"), "/etc/h/docs/a")],
)  # fmt: skip
def test_a_leading_slash_is_anchored_by_source(source, anchor, read):
    given_rules = Rules.parse({"deny": ["Read(/docs/**)"]}, source, anchor)
    assert path("Read", read, given_rules) == "deny"
    assert path("Read", "x/docs/a", given_rules) == "allow"


def test_relative_rules_stay_where_the_session_started():
    roots = roots_for(cwd=PROJECT / "pkg")
    assert path("Read", "pkg/.env", rules(deny=["Read(.env)"]), roots=roots) == "deny"
    assert path("Read", "/home/u/proj/.env", rules(deny=["Read(.env)"]), roots=roots) == "ask"


def test_a_project_that_is_a_link_is_one_place():
    roots = roots_for(cwd=Path("/home/u/link"), real=linked({"/home/u/link": "/home/u/proj"}))
    assert path("Write", "/home/u/link/a", mode="acceptEdits", roots=roots) == "allow"
    assert path("Write", "/home/u/link/a", rules(deny=["Edit(./a)"]), "acceptEdits", roots) == "deny"


def test_known_real_places_win():
    roots = roots_for(real=linked({str(PROJECT / "a"): "/etc/a"}))
    assert path("Read", "a", roots=roots) == "ask"
    assert path("Read", "b", roots=roots) == "allow"


def test_saved_results_and_the_plan_are_free_to_read():
    roots = roots_for()
    roots = type(roots)(
        project=roots.project, cwd=roots.cwd, home=roots.home, real=roots.real,
        readable=(Path("/state/results"),), plan_file=Path("/state/plans/p.md"),
    )  # fmt: skip
    assert path("Read", "/state/results/1.txt", roots=roots) == "allow"
    assert path("Read", "/state/other/1.txt", roots=roots) == "ask"
    assert path("Write", "/state/plans/p.md", mode="plan", roots=roots) == "allow"
    assert path("Write", "/state/plans/q.md", mode="plan", roots=roots) == "deny"


def test_edit_allow_implies_read():
    assert path("Read", "/srv/a", rules(allow=["Edit(//srv/**)"])) == "allow"


def test_notebooks_are_not_under_read_rules():
    assert path("NotebookEdit", "a.ipynb", rules(deny=["Read(a.ipynb)"]), "acceptEdits") == "allow"
    assert path("Edit", "a.ipynb", rules(deny=["Read(a.ipynb)"]), "acceptEdits") == "deny"


@given(st.text(alphabet=st.characters(exclude_characters="/\n\0", exclude_categories=["Cs"]), min_size=1, max_size=12))
def test_an_escaped_path_allows_itself_alone(name):
    if name.strip(".") == "" or name != name.strip():
        return
    rule = rules(allow=[f"Read(//srv/{escaped(name)})"])
    assert path("Read", f"/srv/{name}", rule) == "allow"
    assert path("Read", f"/srv/{name}x", rule) == "ask"


@pytest.mark.parametrize(
    ("rule", "glob", "below", "reaches"),
    [
        ("./secrets/**", "/home/u/proj/s*/key", False, True),
        ("./secrets/**", "/home/u/proj/x*/key", False, False),
        ("./secrets/**", "/home/u/proj/src", True, True),  # a directory of that name may be anywhere below
        ("/secrets/**", "/home/u/proj/src", True, False),
        ("/secrets/**", "/home/u/proj", True, True),
        ("/secrets/**", "/home/u/proj", False, False),
        ("~/.ssh/**", "/home/u/proj", True, False),
        ("//**/.env", "/home/u/proj/*", False, True),
        ("*.key", "/home/u/proj/a.*", False, True),
        ("*.key", "/home/u/proj/*.py", False, False),
    ],
)
def test_what_a_wildcard_may_reach(rule, glob, below, reaches):
    assert bool(may_cover(rules(deny=[f"Read({rule})"]).deny, "Read", glob, below, roots_for())) is reaches


def test_what_searching_tools_leave_out():
    denied = rules(deny=["Read(.env)", "Read(secrets/**)", "Read(/a/b)", "Read(~/.ssh/)", "Read(//etc/x*)", "Edit(c)"])
    assert hidden_globs(denied.deny, roots_for()) == (
        "/home/u/proj/**/.env",
        "/home/u/proj/**/secrets/**",
        "/home/u/proj/a/b",
        "/home/u/.ssh",
        "/etc/x*",
    )


def test_special_names():
    assert may_be_protected("/p/.m*")
    assert not may_be_protected("/p/*.py")
    assert device(Path("/dev/zero"))
    assert not device(Path("/dev/null"))
    assert normal(Path("//a/../b")) == Path("/b")
