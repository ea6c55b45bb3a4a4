import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.scripted.template import NotANumber, fill, placeholders

CAPTURES = {"file": "a.py", "line": "12"}


@pytest.mark.parametrize(
    ("value", "filled"),
    [
        ("{{file}}:{{ line }}", "a.py:12"),
        ("{{line|int}}", 12),
        ("line {{line|int}}", "line 12"),
        ({"path": "{{file}}", "offset": "{{line|int}}"}, {"path": "a.py", "offset": 12}),
        (["{{file}}", 3, None], ["a.py", 3, None]),
        ("{{ 1 }} {{}} {file}", "{{ 1 }} {{}} {file}"),
    ],
)
def test_captures_are_put_in(value, filled):
    assert fill(value, CAPTURES) == filled


def test_capture_is_not_a_template_itself():
    assert fill("{{a}}", {"a": "{{b}}"}) == "{{b}}"


def test_number_that_is_none():
    with pytest.raises(NotANumber, match=r"file\|int.*'a.py'"):
        fill("{{file|int}}", CAPTURES)


def test_placeholders_of_nested_values():
    assert placeholders({"a": ["{{x}}", {"b": "{{y|int}}"}], "c": 1}) == {"x", "y"}


@given(st.text(alphabet="{}ab |\\"))
def test_only_placeholders_change(text):
    if not placeholders(text):
        assert fill(text, {}) == text
