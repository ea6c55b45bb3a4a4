"""The script format: what is read, and what a person is told about a script that cannot be used."""

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.scripted.script import ScriptError, Usage, load, parse, steps

TOML = """
models = ["small", "large"]
api_key = "secret"

[[step]]
name = "run"
when.last = "user"
when.user = 'fix (?P<what>\\w+)'
text = "I shall fix {{what}}."
times = "always"
usage.prompt_tokens = 7
[[step.calls]]
name = "Bash"
arguments.command = "echo {{what}}"

[[step]]
http.status = 429
http.headers.Retry-After = "1"
http.error = "slow down"
"""


def test_toml_file_is_read(tmp_path):
    file = tmp_path / "script.toml"
    file.write_text(TOML)
    script = load(file)
    run, busy = script.steps
    assert script.models == ("small", "large")
    assert run.times is None
    assert run.calls[0].arguments == {"command": "echo {{what}}"}
    assert run.usage == Usage(prompt_tokens=7)
    assert (busy.name, busy.times, busy.http.status, busy.http.headers) == ("step 2", 1, 429, {"Retry-After": "1"})


def test_json_file_has_the_same_shape(tmp_path):
    file = tmp_path / "script.json"
    file.write_text(json.dumps({"step": [{"text": "hi", "usage": False}]}))
    step = load(file).steps[0]
    assert step.text == "hi"
    assert step.usage is None


@pytest.mark.parametrize(
    ("step", "what"),
    [
        ({"txt": "hi"}, "step 1: txt is not a field of the format\nDid you mean text?"),
        ({"name": "a", "text": 1}, 'step 1 ("a"): text must be a string, not 1'),
        ({"when": {"last": "tools"}}, "step 1: when.last is 'tools'\nGive one of: user, tool."),
        ({"when": {"result": "("}}, "step 1: when.result is not a regular expression: missing )"),
        ({"when": {"request": 0}}, "step 1: when.request is 0\nGive a whole number, 1 or more."),
        ({"when": {"request": True}}, "step 1: when.request must be a whole number, not True"),
        ({"calls": [{}]}, "step 1: calls[1].name is missing"),
        ({"calls": [{"name": "Read", "arguments": 3}]}, "step 1: calls[1].arguments must be a table, or a string"),
        ({"text": "{{where}}"}, "step 1: text uses {{where}}, which nothing captures\nCapture it with (?P<where>...)"),
        ({"calls": [{"name": "A", "arguments": {"b": ["{{c}}"]}}]}, "step 1: calls uses {{c}}"),
        ({"http": {"status": 99}}, "step 1: http.status is 99\nGive a whole number, from 200 to 599."),
        ({"http": {"body": "a", "error": "b"}}, "step 1: http.body stands beside http.error"),
        ({"http": {"body": "a"}, "text": "b"}, "step 1: http sends a body of its own"),
        ({"http": {"headers": {"A": "b\r\nc"}}}, "step 1: http.headers.A must be printable ASCII"),
        ({"pace": {"between": -1}}, "step 1: pace.between is -1.0"),
        ({"pace": {"between": float("nan")}}, "step 1: pace.between is nan"),
        ({"times": "ever"}, "step 1: times must be a whole number, not 'ever'"),
        ({"usage": True}, "step 1: usage must be a table"),
        ({"finish": "end"}, "step 1: finish is 'end'"),
        ({"expect": {"headers": {"a": "["}}}, "step 1: expect.headers.a is not a regular expression"),
        ("text", "step 1: must be a table"),
    ],
)
def test_unusable_step_is_named_with_its_mend(step, what):
    with pytest.raises(ScriptError) as error:
        parse({"step": [step]}, "ci.toml")
    assert str(error.value).startswith(f"ci.toml, {what}")
    assert error.value.mend


@pytest.mark.parametrize(
    "data", [{}, {"step": []}, {"step": {}}, [], {"step": [{}], "modles": []}, {"step": [{}], "context_window": 0}]
)
def test_unusable_script_is_named(data):
    with pytest.raises(ScriptError, match=r"^ci.toml: "):
        parse(data, "ci.toml")


@pytest.mark.parametrize(
    ("name", "content", "what"),
    [
        ("a.toml", b"[[step]", "not TOML"),
        ("a.json", b"{", "not JSON"),
        ("a.toml", b"\xff", "not UTF-8"),
        ("a.toml", None, "cannot be read: No such file"),
    ],
)
def test_unreadable_file_is_named(tmp_path, name, content, what):
    file = tmp_path / name
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ScriptError, match=what) as error:
        load(file)
    assert str(file) in error.value.what


def test_names_that_are_always_there():
    assert steps({"text": "{{user}} {{result}} {{request|int}}"}).steps[0].text


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
FIELDS = st.sampled_from(
    [
        "name",
        "when",
        "expect",
        "text",
        "reasoning",
        "calls",
        "finish",
        "usage",
        "http",
        "pace",
        "times",
        "headers",
        "status",
    ]
)


@given(st.dictionaries(FIELDS, VALUES | st.dictionaries(FIELDS, VALUES, max_size=3), max_size=4))
def test_any_data_is_a_script_or_a_clear_error(step):
    with suppress(ScriptError):
        assert len(parse({"step": [step]}).steps) == 1
