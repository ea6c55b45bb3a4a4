"""What a server is sent: pairing, order, reasoning, and bytes that never change."""

import json

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.messages import Assistant, HistoryMessage, Image, Text, Thinking, ToolCall, ToolResult, User
from harness.providers.encode import NO_RESULT, Encoder
from harness.providers.quirks import Quirks

HI = User((Text("Hi"),))
CALL = ToolCall("c1", "Read", '{ "path": "a" }', {"path": "a"})
ASKS = Assistant("m1", (Thinking("why", "reasoning"), CALL))
RESULT = ToolResult("c1", (Text("text"),))


def encoded(*history: HistoryMessage, quirks: Quirks | None = None, system: str = "S"):
    return json.loads(Encoder(quirks or Quirks()).messages(system, list(history)))


def test_system_comes_first_and_neighbours_are_merged():
    assert encoded(HI, User((Text("there"),))) == [
        {"role": "system", "content": "S"},
        {"role": "user", "content": "Hi\n\nthere"},
    ]


def test_a_call_and_its_result():
    assert encoded(HI, ASKS, RESULT)[2:] == [
        {
            "role": "assistant",
            "content": None,
            "reasoning": "why",
            "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": "Read", "arguments": '{ "path": "a" }'}}
            ],
        },
        {"role": "tool", "tool_call_id": "c1", "content": "text"},
    ]


def test_reasoning_of_an_answer_without_calls_is_dropped():
    assert encoded(HI, Assistant("m", (Thinking("why"), Text("so"))))[2] == {"role": "assistant", "content": "so"}


def test_empty_reasoning_is_sent_back_beside_calls():
    assert encoded(HI, Assistant("m", (Thinking("", "reasoning_content"), CALL)), RESULT)[2]["reasoning_content"] == ""


def test_every_call_is_answered_once_in_order_before_anything_else():
    second = ToolCall("c2", "Read", "{}", {})
    history = (HI, Assistant("m", (CALL, second)), ToolResult("c2", (Text("2"),)), User((Text("stop"),)))
    roles = [(m["role"], m.get("tool_call_id"), m["content"]) for m in encoded(*history)[3:]]
    assert roles == [("tool", "c1", NO_RESULT), ("tool", "c2", "2"), ("user", None, "stop")]


def test_a_result_without_its_call_becomes_text():
    assert encoded(HI, RESULT)[1]["content"] == "[result of an earlier call] text\n\nHi"


def test_images_of_a_result_follow_as_a_user_message():
    messages = encoded(HI, ASKS, ToolResult("c1", (Image("image/png", "AA=="),)))
    assert messages[3]["content"] == "[the image follows]"
    assert messages[4]["content"][0]["image_url"]["url"] == "data:image/png;base64,AA=="


def test_quirks_of_mistral():
    messages = encoded(HI, ASKS, RESULT, HI, quirks=Quirks(nine_char_ids=True, bridge=True, null_content=False))
    call, result, bridge = messages[2], messages[3], messages[4]
    assert call["content"] == ""
    assert len(call["tool_calls"][0]["id"]) == 9
    assert result["tool_call_id"] == call["tool_calls"][0]["id"]
    assert bridge["role"] == "assistant"


def test_text_mode_writes_calls_and_results_as_text():
    messages = encoded(HI, ASKS, RESULT, quirks=Quirks(text_tools=True))
    assert messages[2]["content"].startswith("<tool_call>")
    assert messages[3] == {"role": "user", "content": "<tool_response>\ntext\n</tool_response>"}


def test_what_a_server_teaches_changes_all_that_is_sent():
    encoder = Encoder(Quirks())
    encoder.messages("S", [HI, ASKS, RESULT])
    encoder.quirks = Quirks(null_content=False)
    assert json.loads(encoder.messages("S", [HI, ASKS, RESULT]))[2]["content"] == ""


def test_a_lone_surrogate_can_be_sent():
    assert encoded(User((Text("a\ud83e"),)))[1]["content"] == "a?"


MESSAGES = st.sampled_from([HI, ASKS, RESULT, Assistant("m", (Text("ok"),)), ToolResult("zz", (Text("lost"),))])


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(MESSAGES, max_size=12), st.integers(0, 12))
def test_growing_gives_the_same_as_encoding_at_once(history: list[HistoryMessage], seen: int):
    encoder = Encoder(Quirks())
    encoder.messages("S", history[:seen])
    assert encoder.messages("S", history) == Encoder(Quirks()).messages("S", history)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(MESSAGES, max_size=12))
def test_whatever_the_history_the_roles_alternate_and_calls_are_answered(history: list[HistoryMessage]):
    open_calls: list[str] = []
    last = "system"
    for message in encoded(*history)[1:]:
        if message["role"] == "tool":
            open_calls.remove(message["tool_call_id"])
        else:
            assert not open_calls
            assert message["role"] != last
            open_calls = [call["id"] for call in message.get("tool_calls", [])]
        last = message["role"]
    assert not open_calls or last == "assistant"
