"""Which requests a strict server takes."""

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.scripted.chat import Chat, Malformed

USER = {"role": "user", "content": "hi"}


def call(call_id="a", name="Read", arguments="{}"):
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}


def asked(*calls):
    return {"role": "assistant", "content": None, "tool_calls": list(calls)}


def result(call_id="a", content="ok"):
    return {"role": "tool", "tool_call_id": call_id, "content": content}


def chat(*messages, **body):
    return Chat(json.dumps({"model": "m", "messages": list(messages), **body}).encode(), {})


def test_results_are_told_with_their_tools():
    seen = chat(
        USER,
        asked(call("a")),
        result("a", "1"),
        asked(call("b", "Bash"), call("c")),
        result("b", "2"),
        result("c", "3"),
    )
    assert [(r.tool, r.text) for r in seen.results] == [("Read", "1"), ("Bash", "2"), ("Read", "3")]
    assert [r.text for r in seen.fresh] == ["2", "3"]
    assert seen.last_role == "tool"


def test_a_user_message_makes_results_old():
    seen = chat(USER, asked(call()), result(), USER)
    assert seen.fresh == []
    assert seen.text_of("user") == "hi"


def test_parts_are_joined_and_images_have_no_text():
    parts = [
        {"type": "text", "text": "a"},
        {"type": "image_url", "image_url": {"url": "data:"}},
        {"type": "text", "text": "b"},
    ]
    assert chat({"role": "user", "content": parts}).text_of("user") == "ab"


@pytest.mark.parametrize(
    ("messages", "why"),
    [
        ([], "messages: missing, empty"),
        (["hi"], "unknown role 'hi'"),
        ([{"role": "robot", "content": "x"}], "unknown role 'robot'"),
        ([{"role": ["user"], "content": "x"}], "unknown role"),
        ([{"role": "user", "content": None}], "content must be a string"),
        ([{"role": "user", "content": []}], "content must be a string"),
        ([{"role": "user", "content": [{"text": "x"}]}], "has no type"),
        ([{"role": "user", "content": [{"type": "text"}]}], "has no text"),
        ([USER, {"role": "system", "content": "x"}], "must be the first"),
        ([{"role": "system", "content": "x"}], "nothing is asked"),
        ([USER, {"role": "assistant", "content": ""}], "neither content nor tool_calls"),
        ([USER, {"role": "assistant", "content": "x"}], "nothing is asked"),
        ([USER, asked()], "must be a list that is not empty"),
        ([USER, asked(call())], "calls a have no result"),
        ([USER, asked(call()), USER], "calls a have no result before this user message"),
        ([USER, asked(call()), {"role": "assistant", "content": "x"}], "calls a have no result"),
        ([USER, result()], "answers no call"),
        ([USER, asked(call()), result("b")], "answers no call"),
        ([USER, asked(call()), result(["a"])], "answers no call"),
        ([USER, asked(call()), result(), result()], "answers no call"),
        ([USER, asked(call("a"), call("b")), result("b"), result("a")], "in the order of the calls; a is next"),
        ([USER, asked(call("a"), call("a")), result()], "used twice"),
        ([USER, asked(call("")), result("")], "missing, empty"),
        ([USER, asked(call(arguments="")), result()], "arguments must be the JSON text of an object"),
        ([USER, asked(call(arguments="{")), result()], "arguments must be"),
        ([USER, asked(call(arguments="[]")), result()], "arguments must be"),
        ([USER, asked(call(arguments={})), result()], "arguments must be"),
        ([USER, asked(call(name="no name")), result()], "does not match"),
        ([USER, asked({"id": "a", "function": {}}), result()], 'needs type "function"'),
    ],
)
def test_malformed_conversations_are_refused(messages, why):
    with pytest.raises(Malformed, match=why):
        chat(*messages)


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b"", "not JSON"),
        (b"\xff", "not JSON"),
        (b"[]", "not a JSON object"),
        (b"{}", "model: missing"),
        (b"[" * 100_000, "not JSON"),
        (b'{"model": "m", "messages": [{"role": "user", "content": "x"}], "tools": [{}]}', "tools: needs type"),
        (b'{"model": "m", "messages": [{"role": "user", "content": "x"}], "tools": 1}', "tools: must be a list"),
    ],
)
def test_bodies_that_are_no_request(raw, why):
    with pytest.raises(Malformed, match=why):
        Chat(raw, {})


ROUNDS = st.lists(st.lists(st.sampled_from(["Read", "Bash"]), max_size=3), max_size=5)


@given(ROUNDS)
def test_a_paired_conversation_is_taken_and_any_lost_message_of_a_round_is_not(rounds):
    messages = [USER]
    for number, tools in enumerate(rounds):
        ids = [f"c{number}_{index}" for index in range(len(tools))]
        if tools:
            messages += [asked(*(call(i, tool) for i, tool in zip(ids, tools, strict=True))), *map(result, ids)]
    assert len(chat(*messages).results) == len(messages) - 1 - sum(1 for tools in rounds if tools)
    for lost in range(1, len(messages)):
        with pytest.raises(Malformed):
            chat(*messages[:lost], *messages[lost + 1 :])


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["role", "content", "tool_calls", "function", "type", "id", "text"]), inner, max_size=4
        )
    ),
    max_leaves=12,
)


@given(st.lists(JSON, max_size=3), JSON)
def test_any_messages_are_taken_or_refused(messages, tools):
    with suppress(Malformed):
        assert chat(*messages, tools=tools).messages == messages
