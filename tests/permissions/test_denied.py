"""Deny rules for Read as masks: which existing paths they are about, and that commands cannot read them."""

import os
from pathlib import Path

import pytest

from harness.permissions import Roots, Rules, denied
from harness.permissions.denied import Denied
from harness.permissions.rules import Behavior

FILES = ("a/.env", "a/x.py", "b/secrets/one", "b/secrets/deep/two", "key.pem", "b/c/other.pem", "plain")


def looker(base: Path, *rules: str) -> Denied:
    parsed = Rules.parse({"deny": list(rules)}, "flag", base)
    roots = Roots(project=base, cwd=base, home=base / "home", real=lambda path: Path(os.path.realpath(path)))
    return Denied(lambda: parsed.deny, roots)


@pytest.fixture
def base(tmp_path: Path) -> Path:
    for name in FILES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    (tmp_path / "home" / ".aws").mkdir(parents=True)
    return tmp_path.resolve()


@pytest.mark.parametrize(
    ("rule", "names"),
    [
        ("Read(.env)", ["a/.env"]),
        ("Read(./key.pem)", ["key.pem"]),
        ("Read(*.pem)", ["b/c/other.pem", "key.pem"]),
        ("Read(secrets/**)", ["b/secrets"]),
        ("Read(b/secrets/**)", ["b/secrets"]),
        ("Read(/b/c/*.pem)", ["b/c/other.pem"]),
        ("Read(**/deep)", ["b/secrets/deep"]),
        ("Read(~/.aws/**)", ["home/.aws"]),
        ("Read(./nothing)", []),
        ("Edit(plain)", []),
        ("Bash(cat plain)", []),
    ],
)
def test_a_rule_becomes_the_paths_it_is_about(base: Path, rule: str, names: list[str]):
    assert sorted(looker(base, rule)()) == [base / name for name in names]


def test_only_the_persons_own_edit_rules_open_a_directory(base: Path):
    roots = looker(base).roots
    texts: dict[Behavior, list[str]] = {
        "allow": [f"Edit(/{base}/b/**)", "Edit(~/**)", "Edit(//**)", f"Edit(/{base}/plain)", "Edit(*.py)"]
    }
    assert denied.opened(Rules.parse(texts, "user", base).allow, roots) == (base / "b",)
    assert denied.opened(Rules.parse(texts, "project", base).allow, roots) == ()


def test_what_is_made_later_is_seen_and_what_is_gone_is_not(base: Path):
    look = looker(base, "Read(.env)")
    assert look() == (base / "a/.env",)
    (base / "b" / ".env").write_text("x")
    assert set(look()) == {base / "a/.env", base / "b/.env"}
    (base / "a" / ".env").unlink()
    assert look() == (base / "b/.env",)


def test_of_a_link_the_target_is_hidden(base: Path):
    (base / "b" / ".env").symlink_to("../plain")
    assert base / "plain" in looker(base, "Read(.env)")()


def test_a_look_is_bounded_and_says_so(base: Path, monkeypatch):
    monkeypatch.setattr(denied, "DIRECTORIES", 2)
    look = looker(base, "Read(*.pem)")
    look()
    assert not look.complete
