"""Where things are, and paths as a model writes them."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.paths import config_home, project_key, resolve, shown, within

CWD = Path("/project")


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("a.py", "/project/a.py"),
        ("", "/project"),
        ("./x/../a.py", "/project/a.py"),
        ("../other", "/other"),
        ("/../../etc/passwd", "/etc/passwd"),
        ("//etc/passwd", "/etc/passwd"),
        ("///etc//passwd/", "/etc/passwd"),
        ("~nobody-has-this-name/x", "/project/~nobody-has-this-name/x"),
    ],
)
def test_resolve(written, meant):
    assert resolve(written, CWD) == Path(meant)


def test_resolve_knows_home(monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    assert resolve("~/a", CWD) == Path("/home/me/a")


@given(st.text(st.sampled_from("~/.a\0\n\ud800é"), max_size=8))
def test_whatever_a_model_writes_is_one_absolute_normal_path(written):
    path = resolve(written, CWD)
    assert path.is_absolute()
    assert not str(path).startswith("//")
    assert ".." not in path.parts
    assert resolve(str(path), CWD) == path


def test_within_goes_by_components():
    assert within(Path("/proj"), Path("/proj"))
    assert within(Path("/proj/a"), Path("/proj"))
    assert not within(Path("/proj-evil/a"), Path("/proj"))
    assert within(Path("/a"), Path("/"))
    assert not within(Path("//a"), Path("/")), "POSIX lets it be another place"
    assert within(Path("a"), Path("."))
    assert not within(Path("/a"), Path("."))
    assert not within(Path("/"), Path("/a"))


def test_shown_is_relative_below_the_directory_only():
    assert shown(Path("/project/a/b"), CWD) == "a/b"
    assert shown(Path("/etc/hosts"), CWD) == "/etc/hosts"


@pytest.mark.parametrize(
    ("env", "home"),
    [
        ({"HARNESS_CONFIG_DIR": "/h", "CLAUDE_CONFIG_DIR": "/c", "HOME": "/me"}, "/h"),
        ({"CLAUDE_CONFIG_DIR": "/c", "HOME": "/me"}, "/c"),
        ({"HOME": "/me"}, "/me/.harness"),
        ({"HARNESS_CONFIG_DIR": "", "HOME": "/me"}, "/me/.harness"),
        ({"HARNESS_CONFIG_DIR": "/h", "CLAUDE_CONFIG_DIR": "/c", "CLAUDE_CODE_ENTRYPOINT": "sdk-py"}, "/c"),
        ({"HARNESS_CONFIG_DIR": "/h", "CLAUDE_CODE_ENTRYPOINT": "sdk-ts"}, "/h"),
    ],
)
def test_the_state_directory(env, home):
    assert config_home(env) == Path(home)


def test_a_state_directory_of_a_user_who_is_not_there_is_taken_as_written(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert config_home({"HARNESS_CONFIG_DIR": "~nobody-has-this-name"}) == tmp_path / "~nobody-has-this-name"


def test_project_keys():
    assert project_key(Path("/home/me/a_b.c")) == "-home-me-a-b-c"
    assert project_key(Path("/e\u0301")) == project_key(Path("/\u00e9")) == "--"


def test_a_long_project_key_is_cut_and_gets_the_hash_that_readers_expect():
    assert project_key(Path("/" + "a" * 200)) == "-" + "a" * 199 + "-" + expected_hash("/" + "a" * 200)


def expected_hash(text: str) -> str:
    """JavaScript's, written another way: signed 32-bit arithmetic, character by character."""
    value = 0
    for char in text:
        value = (value * 31 + ord(char) + 2**31) % 2**32 - 2**31
    digits, value = "", abs(value)
    while value:
        digits, value = "0123456789abcdefghijklmnopqrstuvwxyz"[value % 36] + digits, value // 36
    return digits


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=()), min_size=250, max_size=260))
def test_any_long_name_has_a_short_plain_key(name):
    key = project_key(Path("/") / name)
    assert len(key) <= 200 + 1 + 7
    assert set(key) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-")
