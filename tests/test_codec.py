"""Messages in the shared form: what every reader of it may rely on, and what comes back of it."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.codec import (
    assistant_from,
    assistant_pieces,
    line,
    message_json,
    plain,
    result_json,
    usage_json,
    user_from,
)
from harness.events import Denial, PermissionRequest, Result
from harness.messages import Assistant, Image, Text, Thinking, ToolCall, ToolResult, Usage, User
from tests.values import assistants, inputs, results, users

scalars = st.none() | st.text(max_size=5) | st.integers()
json_values = scalars | st.lists(scalars, max_size=2) | st.dictionaries(st.sampled_from(["type", "data"]), scalars)
fields = ("text", "thinking", "source", "id", "name", "input", "tool_use_id", "content")
junk_blocks = st.fixed_dictionaries(
    {"type": st.sampled_from(["text", "thinking", "image", "tool_use", "tool_result", "server_tool_use"])},
    optional=dict.fromkeys(
        ("text", "thinking", "source", "id", "name", "input", "tool_use_id", "content"), json_values
    ),
)


def result(**changed):
    given = {"subtype": "success", "is_error": False, "result": "done", "num_turns": 1, "duration_ms": 5}
    given |= {"duration_api_ms": 4, "usage": Usage(10, 2, 4), "model": "m", "stop_reason": "end_turn"}
    return Result(**{**given, "terminal_reason": "completed", **changed})


@given(assistants)
def test_an_assistant_comes_back_from_its_pieces(message):
    assert assistant_from(list(assistant_pieces(message))) == message


@given(users | results)
def test_user_and_result_come_back(message):
    assert user_from(message_json(message)) == [message]


@given(inputs)
def test_a_line_is_one_line_of_utf8_for_every_reader(value):
    text = line(value)
    assert len(text.splitlines()) == 1
    assert json.loads(text.encode()) == value


def test_halves_of_a_character_that_a_server_sent_apart_become_whole():
    assert json.loads(line({"text": "\ud83d" + "\ude00"})) == {"text": "😀"}


@pytest.mark.parametrize(
    ("part", "block"),
    [
        (Text("a"), {"type": "text", "text": "a"}),
        (Thinking("t", "reasoning"), {"type": "thinking", "thinking": "t", "signature": ""}),
        (
            ToolCall("c", "Read", '{"a":1}', {"a": 1}),
            {"type": "tool_use", "id": "c", "name": "Read", "input": {"a": 1}},
        ),
        (ToolCall("c", "Read", '"x"', None, "bad"), {"type": "tool_use", "id": "c", "name": "Read", "input": {}}),
    ],
)
def test_blocks_have_the_fields_that_readers_demand(part, block):
    message = message_json(Assistant("m1", (part,), model="m"))
    assert message["content"] == [block]
    assert (message["id"], message["role"], message["model"]) == ("m1", "assistant", "m")


def test_a_single_text_is_a_plain_string_and_an_image_a_block():
    assert message_json(User((Text("hi"),)))["content"] == "hi"
    source = {"type": "base64", "media_type": "image/png", "data": "aGk="}
    assert message_json(User((Image("image/png", "aGk="),)))["content"] == [{"type": "image", "source": source}]


def test_cached_tokens_are_counted_apart_and_never_below_nothing():
    assert usage_json(Usage(10, 2, 4))["input_tokens"] == 6
    assert usage_json(Usage(3, 2, 4))["input_tokens"] == 0


@given(st.lists(junk_blocks | json_values, max_size=3) | json_values)
def test_foreign_content_never_raises(content):
    for message in user_from({"content": content}):
        assert isinstance(message, User | ToolResult)
    assert assistant_from([({"content": content}, {})]).id == ""


def test_a_foreign_assistant_keeps_what_a_model_can_be_sent():
    blocks = [{"type": "server_tool_use"}, {"type": "tool_use", "id": "c", "name": "Read", "input": {"a": 1}}]
    usage = {"input_tokens": 6, "cache_read_input_tokens": 4, "output_tokens": "?"}
    message = assistant_from([({"id": "m", "content": blocks, "usage": usage}, {})])
    assert message == Assistant("m", (ToolCall("c", "Read", '{"a": 1}', {"a": 1}),), usage=Usage(10, 0, 4))


def test_success_carries_the_result_and_errors_carry_errors():
    assert result_json(result())["result"] == "done"
    failed = result_json(result(subtype="error_max_turns", is_error=True, errors=("too many",)))
    assert failed["errors"] == ["too many"]
    assert "result" not in failed


def test_a_result_has_what_scripts_ask_for():
    denial = Denial(tool_name="Bash", tool_use_id="c", tool_input={"command": "x"})
    data = json.loads(line(result_json(result(permission_denials=(denial,), api_error_status=503))))
    assert list(data)[:2] == ["type", "subtype"]
    assert data["permission_denials"] == [{"tool_name": "Bash", "tool_use_id": "c", "tool_input": {"command": "x"}}]
    assert (data["total_cost_usd"], data["cost_known"], data["api_error_status"]) == (0.0, False, 503)
    assert data["modelUsage"]["m"]["inputTokens"] == data["usage"]["input_tokens"] == 6


def test_a_question_is_plain_json():
    call = ToolCall("c", "Bash", "{}", {})
    event = PermissionRequest(id="c", call=call, mode="default", reason="r", cwd=Path("/p"))
    assert json.loads(line(plain(event)))["cwd"] == "/p"


def test_numbers_that_json_cannot_say_become_text():
    text = line({"given": {"n": [float("inf"), 1.5, float("nan")]}})
    assert json.loads(text, parse_constant=pytest.fail) == {"given": {"n": ["inf", 1.5, "nan"]}}
