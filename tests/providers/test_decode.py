"""Events of one answer: when they come, what they are made of, and how it may end."""

import json
from typing import Any

import pytest

from harness.errors import ProviderError
from harness.messages import Assistant, TextDelta, Thinking, ThinkingDelta, ToolInputDelta
from harness.providers import decode
from harness.providers.calls import Offered
from harness.providers.decode import Decoder
from harness.providers.deltas import Naming
from harness.providers.port import CallReady, MessageEnd, ModelEvent, Told

OFFERED = Offered({"read": {"properties": {"path": {"type": "string"}}}})
DONE = b"data: [DONE]\n\n"


def chunk(delta: dict[str, Any], finish: str | None = None) -> bytes:
    return f"data: {json.dumps({'choices': [{'index': 0, 'delta': delta, 'finish_reason': finish}]})}\n\n".encode()


def call(index: int, arguments: str, name: str | None = "read") -> dict[str, Any]:
    return {"tool_calls": [{"index": index, "id": f"c{index}", "function": {"name": name, "arguments": arguments}}]}


def decoder(**more: Any) -> Decoder:
    return Decoder(OFFERED, Naming("m1", "m", **more))


def ended(data: bytes) -> tuple[list[ModelEvent], Assistant]:
    reading = decoder()
    events = reading.feed(data) + reading.close()
    assert isinstance(events[-1], MessageEnd)
    return events, events[-1].message


def test_what_one_read_gave_comes_as_one_delta_of_each_kind():
    words = b"".join(chunk({"reasoning": word}) for word in "ab") + b"".join(chunk({"content": word}) for word in "xy")
    pieces = chunk(call(0, '{"path"')) + chunk({"tool_calls": [{"index": 0, "function": {"arguments": ': "a"}'}}]})
    assert decoder().feed(words + pieces) == [
        ThinkingDelta("ab"),
        TextDelta("xy"),
        ToolInputDelta(0, "c0", "read", '{"path": "a"}'),
    ]


def test_a_call_is_ready_when_the_next_begins():
    reading = decoder()
    reading.feed(chunk(call(0, '{"path": "a"}')))
    events = reading.feed(chunk(call(1, "")))
    assert [event.call.input for event in events if isinstance(event, CallReady)] == [{"path": "a"}]
    reading.feed(chunk({}, "tool_calls"))
    later = [event.call.id for event in reading.close() if isinstance(event, CallReady)]
    assert later == ["c1"]


def test_a_call_that_may_still_change_is_not_ready_early():
    reading = decoder()
    reading.feed(chunk(call(0, "{}")))
    assert not any(isinstance(event, CallReady) for event in reading.feed(chunk(call(1, ""))))


def test_of_an_answer_cut_off_only_whole_calls_count():
    _, message = ended(chunk(call(0, '{"path": "a"}')) + chunk(call(1, '{"path": "b')) + chunk({}, "length"))
    assert [one.input for one in message.calls] == [{"path": "a"}, None]
    assert "cut off" in message.calls[1].problem
    assert message.stop == "max_tokens"


def test_a_call_cut_off_before_its_arguments_is_none_without_arguments():
    _, message = ended(chunk(call(0, "")) + chunk({}, "length"))
    assert message.calls[0].input is None


def test_what_the_filter_stopped_is_not_done():
    _, message = ended(chunk({"content": "par"}) + chunk(call(0, "{}")) + chunk({}, "content_filter"))
    assert (message.text, message.calls, message.stop) == ("par", (), "refusal")


def test_an_error_does_not_lose_what_came_before_it():
    reading = decoder()
    assert reading.feed(chunk({"content": "par"}) + b'data: {"error": "busy"}\n\n') == [TextDelta("par")]
    assert reading.ended
    with pytest.raises(ProviderError, match="busy"):
        reading.close()


def test_reasoning_that_is_empty_is_kept_beside_calls_only():
    _, with_call = ended(chunk({"reasoning_content": ""}) + chunk(call(0, "{}")) + DONE)
    _, without = ended(chunk({"reasoning_content": ""}) + chunk({"content": "x"}) + DONE)
    assert with_call.parts[0] == Thinking("", "reasoning_content")
    assert len(without.parts) == 1


def test_parts_of_content():
    parts = [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}, {"type": "text", "text": "Yes"}]
    _, message = ended(chunk({"content": parts}) + DONE)
    assert message.text == "Yes"
    assert [part.text for part in message.parts if isinstance(part, Thinking)] == ["hm"]


@pytest.mark.parametrize(
    ("data", "cause"),
    [
        (chunk({}, "stop"), "empty_response"),
        (chunk(call(0, "{'path': 'a'}"), "stop"), "repaired_arguments"),
        (chunk({"content": '<tool_call>{"name": "read", "arguments": {}}</tool_call>'}, "stop"), "text_call"),
    ],
)
def test_what_people_are_told(data: bytes, cause: str):
    events, _ = ended(data)
    assert [event.cause for event in events if isinstance(event, Told)] == [cause]


def test_nothing_is_told_of_a_plain_answer():
    events, _ = ended(chunk({"content": "x"}) + chunk(call(0, '{"path": "a"}')) + DONE)
    assert not any(isinstance(event, Told) for event in events)


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"", "network"),
        (b"<html><title>Login</title>", "protocol"),
        (b"plain words", "protocol"),
        (b'{"object": "list", "data": []}', "protocol"),
        (b'{"detail": "Unauthorized", "message": "invalid_api_key"}', "auth"),
        (b": ping\n\n", "network"),
        (b'{"error": {"message": "maximum context length is 10"}}', "overflow"),
        (chunk({"content": "x"}), "network"),
        (chunk({}, "model_context_window_exceeded"), "overflow"),
    ],
)
def test_what_is_no_whole_answer(data: bytes, kind: str):
    reading = decoder()
    reading.feed(data)
    with pytest.raises(ProviderError) as caught:
        reading.close()
    assert caught.value.kind == kind


def test_an_answer_without_end_is_refused(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(decode, "MAX_ANSWER", 1000)
    reading = decoder()
    for _ in range(50):
        reading.feed(chunk({"content": "x" * 50}))
    with pytest.raises(ProviderError, match="longer than"):
        reading.close()


def test_ids_of_the_history_are_not_used_again():
    reading = decoder(taken={"c0"})
    reading.feed(chunk(call(0, "{}")) + DONE)
    last = reading.close()[-1]
    assert isinstance(last, MessageEnd)
    assert last.message.calls[0].id != "c0"
