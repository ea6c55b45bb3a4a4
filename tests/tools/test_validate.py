import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import ToolError
from harness.tools import TOOLS, load
from harness.tools.validate import parse

ALL = load(TOOLS)


def refused(name, **given) -> str:
    with pytest.raises(ToolError) as caught:
        parse(ALL[name], given)
    return str(caught.value)


@pytest.mark.parametrize(
    ("name", "given", "said"),
    [
        ("Read", {}, "Read was not run: `file_path` is required.\nFields: file_path (required), offset, limit."),
        ("Read", {"file_path": "a", "offset": "x"}, '`offset`: must be a whole number, not "x"'),
        ("Read", {"file_path": "a", "limit": 0}, "`limit`: must be greater than or equal to 1, not 0"),
        ("Read", {"file_path": ["a"]}, '`file_path`: must be a string, not ["a"]'),
        ("Read", {"file_path": "a\0b"}, "`file_path` must not hold control characters"),
        ("Read", {"file_path": " "}, "`file_path` must not be empty"),
        ("Read", {"file_path": "a", "ofset": 1}, "Read was not run: `ofset` should be `offset`."),
        (
            "Edit",
            {"path": "a", "old_str": "b", "new_str": "c"},
            "run: `path` should be `file_path`; `old_str` should be `old_string`; `new_str` should be `new_string`.",
        ),
        ("Write", {"path": "a"}, "run: `content` is required; `path` should be `file_path`."),
        ("Write", {"content": "a", "x": 1}, "run: `file_path` is required; there is no field `x`."),
        ("Grep", {"pattern": ""}, "`pattern`"),
        (
            "Grep",
            {"pattern": "x", "output_mode": "lines"},
            "`output_mode`: must be 'files_with_matches', 'content' or 'count', not \"lines\"",
        ),
        ("TodoWrite", {"todos": "[{"}, '`todos`: must be a list, not "[{"'),
        ("TodoWrite", {"todos": [{"content": "x"}]}, "`todos.0.status` is required"),
        ("Write", {"file_path": "a", "content": "\ud800"}, "`content` holds half of a surrogate pair"),
    ],
)
def test_errors_name_field_rule_and_form(name, given, said):
    assert said in refused(name, **given)


@pytest.mark.parametrize(
    ("name", "given", "field", "value"),
    [
        ("Read", {"filePath": "a"}, "file_path", "a"),
        ("Read", {"FILE-PATH": "a", "limit": "5"}, "limit", 5),
        ("Read", {"file_path": "a", "offset": None}, "offset", None),
        ("Edit", {"file_path": "a", "old_string": "", "new_string": "", "replaceAll": "true"}, "replace_all", True),
        ("Grep", {"pattern": "x", "-i": "true"}, "ignore_case", True),
        ("Grep", {"pattern": "x", "A": 2}, "after", 2),
    ],
)
def test_what_is_unambiguous_is_mended(name, given, field, value):
    assert getattr(parse(ALL[name], given), field) == value


def test_two_names_for_one_field_are_not_chosen_between():
    assert "there is no field `filePath`." in refused("Read", file_path="a", filePath="b")


def test_a_list_written_as_json_text():
    todos = parse(ALL["TodoWrite"], {"todos": '[{"content": "x", "status": "pending"}]'})
    assert todos.model_dump(exclude_none=True) == {"todos": [{"content": "x", "status": "pending"}]}


# With half surrogate pairs, which JSON can hold.
ANY_TEXT = st.text(st.characters(), max_size=5) | st.just("\ud800")
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
NAMES = st.sampled_from(sorted({name for tool in ALL.values() for name in tool.input.model_fields})) | st.text(
    max_size=8
)


@given(st.sampled_from(sorted(ALL)), st.dictionaries(NAMES, VALUES, max_size=4))
def test_any_arguments_are_an_input_or_a_tool_error(name, arguments):
    try:
        parsed: object = parse(ALL[name], arguments)
    except ToolError as error:
        parsed = error
    if isinstance(parsed, ToolError):
        assert parsed.what.startswith(f"{name} was not run: ")
        assert str(parsed).encode()
    else:
        assert isinstance(parsed, ALL[name].input)
