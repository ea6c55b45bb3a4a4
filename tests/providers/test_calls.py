"""Fragments put together: never two calls in one, never one as two."""

import pytest

from harness.providers.calls import CallAssembler, Offered, clean_name
from harness.providers.ids import Ids, nine

OFFERED = Offered({"read": {}, "read_file": {}, "list_dir": {}})


def fragment(index=0, id=None, name=None, arguments=None):  # noqa: A002  the wire's own word
    function = {k: v for k, v in {"name": name, "arguments": arguments}.items() if v is not None}
    return {k: v for k, v in {"index": index, "id": id, "function": function}.items() if v is not None}


def assembled(*fragments):
    assembler = CallAssembler(OFFERED, Ids("m"))
    for one in fragments:
        assembler.add(one)
    return [(call.name, call.input) for call in (assembler.finish(c, whole=True) for c in assembler.calls)]


A, B = '{"path": "a"}', '{"path": "b"}'


@pytest.mark.parametrize(
    ("fragments", "expected"),
    [
        # two calls whose pieces come in turns
        (
            [
                fragment(0, "1", "read_file", '{"path"'),
                fragment(1, "2", "read_file", '{"path"'),
                fragment(0, arguments=': "a"}'),
                fragment(1, arguments=': "b"}'),
            ],
            [{"path": "a"}, {"path": "b"}],
        ),
        # index stuck at 0, ids tell
        (
            [fragment(0, "1", "read_file", A), fragment(0, "2", "read_file", B), fragment(0, "2")],
            [{"path": "a"}, {"path": "b"}],
        ),
        # index stuck at 0, the first call without arguments
        ([fragment(0, "1", "list_dir"), fragment(0, "2", "read_file", A)], [{}, {"path": "a"}]),
        # no ids, no index: a name begins a call
        ([fragment(None, "", "read_file", A), fragment(None, "", "read_file", B)], [{"path": "a"}, {"path": "b"}]),
        # no ids, no index, the name in each piece
        (
            [
                fragment(None, name="read_file", arguments='{"path"'),
                fragment(None, name="read_file", arguments=':"a"}'),
            ],
            [{"path": "a"}],
        ),
        # a new id in each piece of one call
        ([fragment(0, "1", "read_file", '{"path"'), fragment(0, "2", "read_file", ': "a"}')], [{"path": "a"}]),
        # the whole call again at the end
        ([fragment(0, "1", "read_file", A), fragment(0, "1", "read_file", A)], [{"path": "a"}]),
        # pieces without index after a head that had one
        ([fragment(0, "1", "read_file", '{"path"'), fragment(None, arguments=': "a"}')], [{"path": "a"}]),
        # an index that counts pieces
        ([fragment(0, "1", "read_file", '{"path"'), fragment(1, arguments=': "a"}')], [{"path": "a"}]),
        # an object instead of its text
        ([fragment(0, "1", "read_file", {"path": "a"})], [{"path": "a"}]),
        # flat, as some servers send it
        ([{"name": "read_file", "arguments": A}], [{"path": "a"}]),
    ],
)
def test_assembly(fragments, expected):
    assert [given for _, given in assembled(*fragments)] == expected


@pytest.mark.parametrize(
    ("pieces", "name"),
    [(["read", "_file"], "read_file"), (["read_file", "read_file"], "read_file"), (["li", "list_dir"], "list_dir")],
)
def test_names_in_pieces(pieces: list[str], name: str):
    assert assembled(*(fragment(0, "1", piece, "") for piece in pieces))[0][0] == name


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("functions.read_file:0", "read_file"),
        ("read_file<|channel|>commentary", "read_file"),
        ("<|channel|>commentary to=functions.list_dir", "list_dir"),
        (" list_dir ", "list_dir"),
        ("open browser!", "open_browser_"),
    ],
)
def test_names_are_cleaned(given: str, name: str):
    assert clean_name(given, OFFERED) == name


def test_a_call_without_a_name_is_a_problem():
    assert assembled(fragment(0, "1", arguments=A)) == [("unnamed", None)]


def test_ids_are_safe_and_unique_in_message_and_history():
    ids = Ids("m", taken={"c1"})
    taken = [ids.take(given) for given in ("c1", "c2", "c2", "", "a b", "functions.f:0")]
    assert len(set(taken)) == 6
    assert taken[1] == "c2"
    assert taken[5] == "functions.f:0"
    assert "c1" not in taken


def test_nine_characters():
    assert len(nine("x")) == 9
    assert nine("x").isalnum()
    assert nine("x") != nine("y")


def test_unknown_keys_are_kept_to_be_sent_back():
    assembler = CallAssembler(OFFERED, Ids("m"))
    call, _ = assembler.add({**fragment(0, "1", "read", "{}"), "extra_content": {"google": {"thought_signature": "A"}}})
    assert call.extra == {"extra_content": {"google": {"thought_signature": "A"}}}
