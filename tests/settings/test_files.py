"""One file: what is wrong is named by file and key and skipped alone, what is unknown is left alone."""

import os
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import UsageError
from harness.settings.keys import GROUPS, KEYS
from harness.settings.places import LIMIT, file_or_json
from tests.settings.room import Room, nested

WORDS = {
    "string": "a string",
    "mode": "a string",
    "level": "a string",
    "boolean": "true or false",
    "integer": "a whole number",
    "number": "a number",
    "strings": "a list of strings",
    "texts": "a string or a list of strings",
    "texts-map": "an object",
    "list": "a list",
    "object": "an object",
    "hooks": "an object",
    "endpoints": "an object",
    "prices": "an object",
    "effort": "a string",
}
VALUES = (7, 0.5, "yes", [1], {"a": 1}, False)
FITS = {
    "string": str, "mode": str, "level": str, "boolean": bool, "integer": int, "number": int | float, "texts": str | list,
    "strings": list, "list": list, "texts-map": dict, "object": dict, "hooks": dict, "any": object,
    "endpoints": dict, "prices": dict, "effort": str,
}  # fmt: skip


def test_no_file_is_all_defaults(room):
    found = room.load()
    assert (found.model, found.sandbox, found.layers, found.problems) == (None, True, (), ())


def test_everything_is_read(room):
    room.user(
        {
            "model": "m",
            "endpoint": {"baseUrl": "http://x", "caFile": "/ca"},
            "modelAliases": {"sonnet": "qwen"},
            "permissions": {"defaultMode": "plan", "additionalDirectories": ["../d"]},
            "sandbox": {
                "enabled": False,
                "filesystem": {"denyRead": ["~/x"], "allowWrite": ["/y"], "denyWrite": ["z"]},
            },
        }
    )
    found = room.load()
    assert (found.model, found.base_url, found.ca_file, found.aliases) == ("m", "http://x", "/ca", {"sonnet": "qwen"})
    assert (found.mode, found.directories) == ("plan", ("../d",))
    assert (found.sandbox, found.deny_read, found.allow_write, found.deny_write) == (False, ("~/x",), ("/y",), ("z",))


@pytest.mark.parametrize("key", [key for key, known in KEYS.items() if known.kind != "any"])
def test_a_value_of_the_wrong_kind_is_named_and_does_not_count(room, key):
    kind = KEYS[key].kind
    for value in VALUES:
        if isinstance(value, FITS[kind]) and not (isinstance(value, bool) and kind in {"integer", "number"}):
            continue
        path = room.user(nested(key, value))
        [problem] = room.load().problems
        assert problem == f"{path}: {key} must be {WORDS[kind]}. Correct that key, or remove it."
        assert room.load().layers[0].get(key) is None


@pytest.mark.parametrize("group", sorted(GROUPS))
@pytest.mark.parametrize("value", [7, "yes", [], True], ids=repr)
def test_a_group_that_is_no_object_is_named(room, group, value):
    room.user(nested(group, value))
    assert f"{group} must be an object" in room.load().problems[0]


def test_one_bad_item_leaves_the_others(room):
    room.user({"permissions": {"deny": ["Read(.env)", 7]}, "modelAliases": {"opus": 4, "sonnet": "q"}, "model": "m"})
    found = room.load()
    assert found.layers[0].get("permissions.deny") == ["Read(.env)"]
    assert (found.aliases, found.model, len(found.problems)) == ({"sonnet": "q"}, "m", 2)


def test_a_mode_must_be_known(room):
    room.user({"permissions": {"defaultMode": "yolo"}})
    assert "permissions.defaultMode is 'yolo', it must be one of" in room.load().problems[0]
    room.user({"permissions": {"defaultMode": "manual"}})
    assert room.load().mode == "default"


@pytest.mark.parametrize(
    ("sandbox", "enabled", "auto"),
    [
        ({}, True, None),
        ({"enabled": True}, True, True),
        ({"enabled": True, "autoAllowBashIfSandboxed": False}, True, False),
        ({"enabled": False}, False, None),
        ({"autoAllowBashIfSandboxed": True}, True, True),
    ],
)
def test_the_sandbox_keys_mean_what_people_wrote_them_for(room, sandbox, enabled, auto):
    room.user({"sandbox": sandbox})
    assert (room.load().sandbox, room.load().auto_allow) == (enabled, auto)


def test_unknown_and_empty_keys_are_left_alone_and_listed(room):
    room.user({"spinnerVerbs": ["x"], "permissions": None, "model": None, "sandbox": {"future": {"x": 1}}, "a.b": 1})
    found = room.load()
    assert (found.problems, found.model) == ((), None)
    assert found.layers[0].unknown == ("spinnerVerbs", "sandbox.future", "a.b")


@pytest.mark.parametrize("content", [b"\xef\xbb\xbf" + b'{"model": "m"}', b'{"model": "m"}'])
def test_a_byte_order_mark_is_no_error(room, content):
    room.user(content)
    assert room.load().model == "m"


@pytest.mark.parametrize("content", [b"{", b'{"a": 1,}', b"\xff\xfe", b"[" * 100_000, b"{} x"])
def test_what_is_no_json_is_skipped_and_said_and_the_other_files_count(room, content):
    room.write("home/.claude/settings.json", {"model": "m"})
    path = room.user(content)
    found = room.load()
    assert found.problems[0].startswith(f"{path} does not count: it is not valid JSON")
    assert found.model == "m"


@pytest.mark.parametrize("content", [[], "text", 7, None])
def test_json_that_is_no_object_is_said(room, content):
    room.user(content)
    assert "must hold a JSON object" in room.load().problems[0]


@pytest.mark.parametrize("content", [b"", b" \n"])
def test_an_empty_file_is_no_settings(room, content):
    room.user(content)
    assert room.load().layers == room.load().problems == ()


def test_deep_and_large_files_are_skipped(room):
    room.user(b'{"a":' * 50 + b"1" + b"}" * 50)
    assert "nests more than" in room.load().problems[0]
    room.user(b'{"model": "' + b"m" * (2 << 20) + b'"}')
    assert "larger than 2 MiB" in room.load().problems[0]


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir], ids=["pipe", "directory"])
def test_what_is_no_file_is_not_read(room, make):
    room.state.mkdir()
    make(room.state / "settings.json")
    assert "cannot be read and does not count" in room.load().problems[0]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_said(room):
    room.user({}).chmod(0)
    assert "cannot be read and does not count: Permission denied" in room.load().problems[0]


def test_strange_names_are_told_on_one_line_and_many_problems_are_summed_up(room):
    room.committed({"hooks": {"\x1b[2J\n": 7}, "env": dict.fromkeys(map(str, range(50)), 1)})
    problems = room.load().problems
    assert "hooks.\\x1b[2J\\n must be a list" in problems[0]
    assert (len(problems), problems[-1].split(": ")[1]) == (11, "41 more values are wrong.")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda v: st.lists(v, max_size=2) | st.dictionaries(st.sampled_from([p for k in KEYS for p in k.split(".")]), v),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from([key.split(".")[0] for key in KEYS]), json_values))
def test_any_object_gives_settings_and_problems_that_name_the_file(content):
    with TemporaryDirectory() as base:
        room = Room(Path(base))
        path = room.user(content)
        room.committed(content)
        found = room.load()
        assert all(str(path) in p or str(room.project) in p for p in found.problems)


@pytest.mark.parametrize("flag", ["--settings", "--mcp-config"])
def test_a_flag_takes_a_file_or_the_json_itself(flag, tmp_path):
    (tmp_path / "good.json").write_text('{"a": 1}')
    (tmp_path / "large.json").write_text("{" + " " * LIMIT + "}")
    (tmp_path / "dir").mkdir()
    assert file_or_json(flag, ' {"a": 1}', tmp_path) == (b' {"a": 1}', None)
    assert file_or_json(flag, "good.json", tmp_path) == (b'{"a": 1}', tmp_path / "good.json")
    for value, why in {
        "none.json": "there is no such file",
        "large.json": "it is larger than 2 MiB",
        "dir": "cannot be read",
        "{" + " " * LIMIT + "}": f"{flag} is larger than 2 MiB",
    }.items():
        with pytest.raises(UsageError, match=why) as caught:
            file_or_json(flag, value, tmp_path)
        assert str(caught.value).startswith(flag)
