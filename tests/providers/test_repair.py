"""Arguments: what is repaired, what is refused, what is coerced."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.providers import lenient
from harness.providers.repair import complete, mended, read_arguments

SCHEMA = {
    "properties": {
        "path": {"type": "string"},
        "limit": {"type": "integer"},
        "ratio": {"type": "number"},
        "deep": {"type": "boolean"},
        "env": {"type": "object"},
        "names": {"type": ["array", "null"]},
        "file_path": {"anyOf": [{"type": "string"}, {"type": "null"}]},
    }
}

REPAIRED = {
    "{'a': 'b'}": {"a": "b"},
    '{"a": 1,}': {"a": 1},
    '{"a": [1, 2,],}': {"a": [1, 2]},
    '{"a": True, "b": None}': {"a": True, "b": None},
    '{"a": "x\ny"}': {"a": "x\ny"},
    '{"a": "it\\\'s"}': {"a": "it's"},
    '{"a": "\\d+"}': {"a": "\\d+"},
    '"{\\"a\\": 1}"': {"a": 1},
    '[{"a": 1}]': {"a": 1},
    '{}{"a": 1}': {"a": 1},
    '{"a": 1}{"a": 1}': {"a": 1},
    '{"a": (1, 2)}': {"a": [1, 2]},
    '"null"': {},
}


@pytest.mark.parametrize(("raw", "expected"), REPAIRED.items())
def test_damage_that_changes_no_meaning_is_repaired(raw: str, expected: object):
    read = read_arguments(raw)
    assert read.input == expected
    assert json.loads(read.text) == expected


@pytest.mark.parametrize("raw", ["", "null", "None", "  "])
def test_nothing_means_no_arguments(raw: str):
    assert read_arguments(raw).input == {}


@pytest.mark.parametrize(
    "raw",
    ['{"a": "x', '{"a": 1', '{"a"', "{", "rm -rf /", "[1, 2]", '"text"', "5", '{"a": 1}{"b": 2}', '{"a": b}', "[]"],
)
def test_the_rest_is_refused_and_named(raw: str):
    read = read_arguments(raw)
    assert read.input is None
    assert read.problem
    assert read.text == "{}"


def test_valid_text_is_kept_byte_for_byte():
    raw = '{ "b":1,\n"a" : "\\u00e9" }'
    assert read_arguments(raw, SCHEMA).text == raw


@pytest.mark.parametrize("raw", ["", '{"a": 1,}', '{"a": "x'])
def test_what_may_be_cut_off_is_not_repaired(raw: str):
    assert read_arguments(raw, whole=False).input is None


def test_no_number_gets_through_that_json_has_not():
    assert read_arguments('{"a": NaN}').input is None
    assert read_arguments("{'a': 1e999}").input is None


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"limit": "5"}, {"limit": 5}),
        ({"limit": "5.0"}, {"limit": 5}),
        ({"limit": "five"}, {"limit": "five"}),
        ({"ratio": "1.5"}, {"ratio": 1.5}),
        ({"deep": "True"}, {"deep": True}),
        ({"env": '{"A": "1"}'}, {"env": {"A": "1"}}),
        ({"env": "[1]"}, {"env": "[1]"}),
        ({"names": "['a']"}, {"names": ["a"]}),
        ({"path": "5"}, {"path": "5"}),
        ({"file_path": "null"}, {"file_path": "null"}),
        ({"filePath": "a"}, {"file_path": "a"}),
        ({"filePath": "a", "FilePath": "b"}, {"filePath": "a", "FilePath": "b"}),
        ({"filePath": "a", "file_path": "b"}, {"filePath": "a", "file_path": "b"}),
    ],
)
def test_coercion_by_schema(given: dict[str, object], expected: dict[str, object]):
    assert read_arguments(json.dumps(given), SCHEMA).input == expected


def test_surrogates_are_joined_or_replaced():
    assert mended("a\ud83e\udd80b") == "a🦀b"
    assert mended("a\ud83eb") == "a\ufffdb"
    assert read_arguments('{"a": "\\ud83e"}').input == {"a": "\ufffd"}


def test_complete_means_that_nothing_can_follow():
    assert complete('{"a": 1} ')
    assert not complete("{}")
    assert not complete('{"a": 1')


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
OBJECTS = st.dictionaries(st.text(max_size=9), VALUES, min_size=1, max_size=4)
patiently = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@patiently
@given(OBJECTS)
def test_python_literals_mean_what_they_say(value: dict[str, object]):
    assert lenient._Reader(repr(value), 0).value(0, 0) == value


@patiently
@given(OBJECTS, st.data())
def test_no_prefix_of_an_object_is_ever_read(value: dict[str, object], data: st.DataObject):
    raw = json.dumps(value)
    assert read_arguments(raw[: data.draw(st.integers(1, len(raw) - 1))]).input is None


@patiently
@given(st.text(max_size=50))
def test_any_text_gives_json(text: str):
    read = read_arguments(text)
    assert isinstance(json.loads(read.text), dict)
    assert (read.input is None) == bool(read.problem)


def test_nesting_without_end_is_refused():
    assert read_arguments("[" * 100_000).input is None
    assert read_arguments("{'a':" * 100_000).input is None


def test_arguments_nested_beyond_reason_are_refused_and_deep_ones_read():
    deep = '{"a": ' + "[" * 150 + "]" * 150 + "}"
    assert read_arguments(deep).input is not None
    assert "deep" in read_arguments(deep.replace("[" * 150, "[" * 900).replace("]" * 150, "]" * 900)).problem
    assert read_arguments('{"a": "' + "[{" * 500 + '"}').input == {"a": "[{" * 500}
