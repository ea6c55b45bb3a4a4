"""The user's settings: what is wrong is named by file and key, what is unknown is left alone."""

import json
import os
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import UsageError
from harness.settings import Settings, load

KEYS = {
    "model": "a string",
    "endpoint.baseUrl": "a string",
    "endpoint.caFile": "a string",
    "modelAliases": "an object",
    "permissions.defaultMode": "a string",
    "permissions.allow": "a list of strings",
    "permissions.ask": "a list of strings",
    "permissions.deny": "a list of strings",
    "permissions.additionalDirectories": "a list of strings",
    "sandbox.enabled": "true or false",
    "sandbox.autoAllowBashIfSandboxed": "true or false",
    "sandbox.filesystem.denyRead": "a list of strings",
    "sandbox.filesystem.allowWrite": "a list of strings",
}


def nested(key, value):
    for name in reversed(key.split(".")):
        value = {name: value}
    return value


def loaded(home, content):
    (home / "settings.json").write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    return load(home)


def refused(home, content):
    with pytest.raises(UsageError) as caught:
        loaded(home, content)
    assert str(home / "settings.json") in caught.value.what
    assert caught.value.mend
    return caught.value.what


def test_no_file_is_all_defaults(tmp_path):
    assert load(tmp_path) == Settings()


def test_everything_is_read(tmp_path):
    content = {
        "model": "m",
        "endpoint": {"baseUrl": "http://x", "caFile": "/ca"},
        "modelAliases": {"sonnet": "qwen"},
        "permissions": {"defaultMode": "plan", "allow": ["Read"], "ask": ["Bash"], "deny": ["Write", "Edit"]},
        "sandbox": {"enabled": False, "filesystem": {"denyRead": ["~/x"], "allowWrite": ["/y"]}},
    }
    found = loaded(tmp_path, content)
    assert (found.model, found.base_url, found.ca_file, found.aliases) == ("m", "http://x", "/ca", {"sonnet": "qwen"})
    assert (found.mode, found.allow, found.ask, found.deny) == ("plan", ("Read",), ("Bash",), ("Write", "Edit"))
    assert (found.sandbox, found.deny_read, found.allow_write) == (False, ("~/x",), ("/y",))
    assert found.source == tmp_path / "settings.json"


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("value", [7, 0, "yes", [1], {"a": 1}, False], ids=repr)
def test_a_value_of_the_wrong_kind_is_named(tmp_path, key, value):
    kind = {"a string": str, "true or false": bool, "an object": dict, "a list of strings": tuple}[KEYS[key]]
    if isinstance(value, kind):
        return
    assert f"{key} must be {KEYS[key]}" in refused(tmp_path, nested(key, value))


@pytest.mark.parametrize("group", ["endpoint", "permissions", "sandbox", "sandbox.filesystem"])
@pytest.mark.parametrize("value", [7, "yes", [], True], ids=repr)
def test_a_group_that_is_no_object_is_named(tmp_path, group, value):
    assert f"{group} must be an object" in refused(tmp_path, nested(group, value))


def test_an_alias_must_be_a_name(tmp_path):
    assert "modelAliases.opus must be a string" in refused(tmp_path, {"modelAliases": {"opus": 4}})


def test_a_mode_must_be_known(tmp_path):
    assert "'yolo'" in refused(tmp_path, {"permissions": {"defaultMode": "yolo"}})
    assert loaded(tmp_path, {"permissions": {"defaultMode": "manual"}}).mode == "default"


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
def test_the_sandbox_keys_mean_what_people_wrote_them_for(tmp_path, sandbox, enabled, auto):
    found = loaded(tmp_path, {"sandbox": sandbox})
    assert (found.sandbox, found.auto_allow) == (enabled, auto)


def test_unknown_and_empty_keys_are_left_alone(tmp_path):
    content: dict[str, Any] = {
        "hooks": {"Stop": []},
        "permissions": None,
        "model": None,
        "sandbox": {"network": {"x": 1}},
    }
    found = loaded(tmp_path, content)
    assert found == Settings(source=tmp_path / "settings.json")


def test_a_byte_order_mark_is_no_error(tmp_path):
    assert loaded(tmp_path, b'\xef\xbb\xbf{"model": "m"}').model == "m"


@pytest.mark.parametrize("content", [b"", b"{", b'{"a": 1,}', b"\xff\xfe", b"[" * 100_000, b"{} x"])
def test_what_is_no_json_is_said(tmp_path, content):
    assert "not valid JSON" in refused(tmp_path, content)


@pytest.mark.parametrize("content", [[], "text", 7, None])
def test_json_that_is_no_object_is_said(tmp_path, content):
    assert "must hold a JSON object" in refused(tmp_path, content)


def test_a_directory_of_that_name_cannot_be_read(tmp_path):
    (tmp_path / "settings.json").mkdir()
    with pytest.raises(UsageError, match="cannot be read"):
        load(tmp_path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_said(tmp_path):
    (tmp_path / "settings.json").touch(mode=0)
    with pytest.raises(UsageError, match="cannot be read: Permission denied"):
        load(tmp_path)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda v: st.lists(v, max_size=2) | st.dictionaries(st.sampled_from([p for k in KEYS for p in k.split(".")]), v),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from([key.split(".")[0] for key in KEYS]), json_values))
def test_any_object_gives_settings_or_an_error_that_names_the_file(content):
    with TemporaryDirectory() as home:
        try:
            loaded(Path(home), content)
        except UsageError:
            refused(Path(home), content)
