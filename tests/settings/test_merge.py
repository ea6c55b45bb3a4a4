"""Merging: the highest single value, objects by key, arrays added up, and each value's origin."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from harness.settings.layer import Layer
from harness.settings.merge import effective, merged, rows, unique

names = st.sampled_from("abc")
single = st.booleans() | st.integers(0, 2) | st.text("xy", max_size=1)
# Objects that agree on the type of every key, as checked files do: the key's first letter says it.
shaped = st.deferred(
    lambda: st.fixed_dictionaries(
        {},
        optional={
            "single": single,
            "array": st.lists(single, max_size=3),
            "model": single,
            "fallbackModel": st.lists(single, max_size=3),
            "object": st.dictionaries(names, st.lists(single, max_size=2), max_size=3),
        },
    )
)


@given(st.lists(shaped, max_size=4))
def test_the_highest_single_value_wins(values):
    said = [value["single"] for value in values if "single" in value]
    assert merged(values).get("single") == (said[-1] if said else None)


@given(st.lists(shaped, max_size=4))
def test_arrays_hold_each_item_of_every_file_once(values):
    items = [item for value in values for item in value.get("array", [])]
    assert merged(values).get("array", []) == unique(items)
    assert {repr(item) for item in unique(items)} == {repr(item) for item in items}
    assert len({repr(item) for item in unique(items)}) == len(unique(items))


@given(st.lists(shaped, max_size=4))
def test_a_list_that_is_one_value_is_not_added_to(values):
    said = [value["fallbackModel"] for value in values if "fallbackModel" in value]
    assert merged(values).get("fallbackModel") == (said[-1] if said else None)


@given(st.lists(shaped, max_size=4))
def test_objects_merge_by_key(values):
    keys = {key for value in values for key in value.get("object", {})}
    assert merged(values).get("object", {}).keys() == keys


@given(shaped, shaped, shaped)
def test_merging_is_associative_and_changes_nothing_it_was_given(a, b, c):
    before = repr((a, b, c))
    assert merged([merged([a, b]), c]) == merged([a, merged([b, c])]) == merged([{}, a, b, c, {}])
    assert repr((a, b, c)) == before


@given(shaped)
def test_the_same_file_twice_is_that_file(value):
    assert merged([value, value]) == merged([value])


@given(st.lists(shaped, max_size=4))
def test_each_value_has_an_origin_that_says_it(values):
    layers = [Layer("user", str(index), Path(), value) for index, value in enumerate(values)]
    found = list(rows(layers))
    for key, value, name in found:
        said = values[int(name)]
        for part in key.split("."):
            said = said[part]
        assert all(item in said for item in value) if isinstance(value, list) else value == said
    assert sum(key == "array" for key, _, _ in found if key) >= bool(merged(values).get("array"))


@given(st.lists(st.recursive(single | st.none(), lambda v: st.dictionaries(names, v) | st.lists(v, max_size=2)).filter(
    lambda v: isinstance(v, dict)), max_size=3))  # fmt: skip
def test_any_objects_merge_and_have_origins(values):
    layers = [Layer("user", str(index), Path(), value) for index, value in enumerate(values)]
    assert {key.split(".")[0] for key, _, _ in rows(layers)} == merged(values).keys()


def test_models_that_the_owner_lists_are_all_there_are():
    layers = [
        Layer("user", "u", Path(), {"availableModels": ["a"]}),
        Layer("managed", "m", Path(), {"availableModels": ["b"]}),
    ]
    assert effective(layers)["availableModels"] == ["b"]
