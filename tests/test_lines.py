"""stream-json: what each event becomes, and that partial messages are a well-formed stream of their own."""

import json
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.codec import line
from harness.events import (
    AssistantMessage,
    HookPermissionResult,
    Notice,
    PermissionRequest,
    Stopped,
    StopReason,
    StreamEvent,
    StreamRequestStart,
    System,
    ToolProgress,
    UserMessage,
)
from harness.lines import StreamLines
from harness.messages import (
    Assistant,
    Text,
    TextDelta,
    ThinkingDelta,
    ToolCall,
    ToolInputDelta,
    ToolResult,
    Usage,
    User,
)
from tests.values import events

START = StreamRequestStart(request_id="r1", model="m", endpoint="http://x", estimated_input_tokens=1)
RETRY = System(subtype="api_retry", data={"attempt": 1})
CALLS = (ToolCall("a", "Read", '{"x":1}', {"x": 1}), ToolCall("b", "Grep", "{}", {}))
WHOLE = AssistantMessage(message=Assistant("m1", (Text("hi"), *CALLS), "tool_use", Usage(10, 7)))


def lines_of(*given: Any, partial: bool = False) -> list[dict[str, Any]]:
    encoder = StreamLines("s1", partial=partial)
    return [json.loads(line(found)) for event in given for found in encoder.of(event)]


def stream(*given: Any) -> list[dict[str, Any]]:
    return [found["event"] for found in lines_of(*given, partial=True) if found["type"] == "stream_event"]


def text(piece: str) -> StreamEvent:
    return StreamEvent(delta=TextDelta(piece))


def thought(piece: str) -> StreamEvent:
    return StreamEvent(delta=ThinkingDelta(piece))


def fragment(index: int, piece: str) -> StreamEvent:
    call = CALLS[index]
    return StreamEvent(delta=ToolInputDelta(index, call.id, call.name, piece))


def beat(elapsed: float, call_id: str = "a") -> ToolProgress:
    return ToolProgress(call_id=call_id, tool="Bash", text="x\n", total_bytes=2, elapsed=elapsed)


def accumulate(raw: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """The blocks of each message, by the rules of the Messages API; an ill-formed stream fails."""
    messages: list[list[dict[str, Any]]] = []
    is_open: set[int] | None = None
    told = False
    for event in raw:
        match event["type"]:
            case "message_start":
                assert is_open is None
                assert event["message"]["content"] == []
                is_open, told = set(), False
                messages.append([])
            case "content_block_start":
                assert event["index"] == len(messages[-1])
                assert is_open is not None
                is_open.add(event["index"])
                messages[-1].append({**event["content_block"], "json": ""})
            case "content_block_delta":
                assert is_open is not None
                assert event["index"] in is_open
                add(messages[-1][event["index"]], event["delta"])
            case "content_block_stop":
                assert is_open is not None
                is_open.remove(event["index"])
            case "message_delta":
                assert is_open == set()
                told = True
            case "message_stop":
                assert is_open == set()
                assert told
                is_open = None
    assert is_open is None
    return messages


def add(block: dict[str, Any], delta: dict[str, Any]) -> None:
    kind = {"text_delta": "text", "thinking_delta": "thinking", "input_json_delta": "tool_use"}[delta["type"]]
    assert block["type"] == kind
    if kind == "tool_use":
        block["json"] += delta["partial_json"]
    else:
        block[kind] += delta[kind]


def test_text_thinking_and_calls_stream_as_one_message():
    raw = stream(START, thought("hm"), text("h"), text("i"), fragment(0, '{"x"'), fragment(0, ":1}"), WHOLE)
    thinking, said, call = accumulate(raw)[0]
    assert (thinking["thinking"], said["text"]) == ("hm", "hi")
    assert (call["id"], call["name"], call["json"]) == ("a", "Read", '{"x":1}')
    assert raw[0]["message"]["id"] == "r1"
    assert raw[-2]["delta"]["stop_reason"] == "tool_use"
    assert raw[-2]["usage"]["output_tokens"] == 7


def test_pieces_of_two_calls_in_turn_stay_two_calls():
    pieces = (fragment(0, "{"), fragment(1, "{"), fragment(0, '"x":1}'), fragment(1, "}"))
    blocks = accumulate(stream(START, text("x"), *pieces, WHOLE))[0]
    assert [block["json"] for block in blocks[1:]] == ['{"x":1}', "{}"]


def test_a_retry_closes_what_was_streamed_and_begins_anew():
    raw = stream(START, text("bro"), fragment(0, "{"), RETRY, text("whole"), WHOLE, Stopped(reason="completed"))
    first, second = accumulate(raw)
    assert [block["type"] for block in first] == ["text", "tool_use"]
    assert [block["text"] for block in second] == ["whole"]


@pytest.mark.parametrize("said", [True, False])
def test_an_interrupt_closes_the_stream(said):
    ended = [AssistantMessage(message=Assistant("p", (Text("ha"),)), interrupted=True)] if said else []
    raw = stream(START, thought("hm"), *ended, Stopped(reason="aborted_streaming"))
    assert len(accumulate(raw)) == 1
    assert raw[-2]["delta"]["stop_reason"] is None


def test_each_message_starts_its_own_stream():
    assert len(accumulate(stream(START, text("a"), WHOLE, START, text("b"), WHOLE))) == 2


def test_a_message_without_deltas_streams_nothing():
    assert stream(START, WHOLE, RETRY, Stopped(reason="completed")) == []


deltas = st.sampled_from([text("t"), thought("h"), fragment(0, "{"), fragment(1, "{")])


@given(st.lists(deltas | st.sampled_from([START, RETRY, WHOLE, Stopped(reason="completed")]), max_size=12))
def test_any_order_gives_a_well_formed_stream(order):
    raw = stream(*order, Stopped(reason="completed"))
    blocks = [block for message in accumulate(raw) for block in message]
    given_text = sum(event == text("t") for event in order)
    assert sum(len(block.get("text", "")) for block in blocks) == given_text


@given(st.lists(events, max_size=6), st.booleans())
def test_every_line_of_any_event_has_type_first_and_says_whose_it_is(given_events, partial):
    found = lines_of(*given_events, partial=partial)
    assert all(next(iter(one)) == "type" and one["session_id"] == "s1" for one in found)
    assert len({UUID(one["uuid"]) for one in found}) == len(found)


def test_deltas_are_shown_to_those_who_asked_only():
    assert lines_of(START, text("a"))[1:] == []


def test_a_whole_message_and_an_aborted_one():
    whole, aborted = lines_of(WHOLE, AssistantMessage(message=Assistant("p", (Text("ha"),)), interrupted=True))
    assert (whole["message"]["stop_reason"], whole["parent_tool_use_id"]) == ("tool_use", None)
    assert "aborted" not in whole
    assert aborted["aborted"] is True
    assert aborted["message"]["stop_reason"] is None


def test_results_are_told_and_prompts_are_not():
    prompt = UserMessage(message=User((Text("go"),)), source="prompt")
    answer = ToolResult("a", (Text("1"),), data={"lines": 1})
    (found,) = lines_of(prompt, UserMessage(message=answer, source="tool"))
    block = {"type": "tool_result", "tool_use_id": "a", "content": "1", "is_error": False}
    assert found["message"] == {"role": "user", "content": [block]}
    assert found["tool_use_result"] == {"lines": 1}


def test_a_denial_is_told_in_the_words_that_readers_know_too():
    given = {"call_id": "a", "tool": "Bash", "source": "rule", "rule": "Bash(rm *)", "reason": "no"}
    decided, denied = lines_of(HookPermissionResult(decision="deny", **given))
    assert decided["type"] == "hookPermissionResult"
    assert (denied["subtype"], denied["decision_reason"], denied["message"]) == (
        "permission_denied",
        "Bash(rm *)",
        "no",
    )
    assert len(lines_of(HookPermissionResult(decision="allow", **given))) == 1


@pytest.mark.parametrize(("level", "shown"), [("info", "info"), ("warning", "warning"), ("error", "warning")])
def test_a_notice_has_a_level_that_readers_know(level, shown):
    (found,) = lines_of(Notice(level=level, cause="c", text="what", mend="how"))
    assert (found["subtype"], found["level"], found["content"]) == ("informational", shown, "what\nhow")


def test_a_question_and_a_stop_reason_are_lines():
    question = PermissionRequest(id="a", call=CALLS[0], mode="default", reason="r")
    asked, why = lines_of(question, StopReason(message_id="m1", reason="tool_use"))
    assert (asked["type"], asked["call"]["name"]) == ("permission_request", "Read")
    assert (why["type"], why["reason"]) == ("stopReason", "tool_use")


def test_a_talkative_tool_gives_a_line_at_once_and_every_thirty_seconds():
    beats = [beat(0.1 * n) for n in range(700)]  # 70 seconds
    assert [found["elapsed_time_seconds"] for found in lines_of(*beats)] == [0.0, 30.0, 60.0]


def test_calls_beat_apart_and_an_id_used_again_begins_anew():
    done = UserMessage(message=ToolResult("a", ()), source="tool")
    found = [found for found in lines_of(beat(50), beat(50, "b"), done, beat(0.0)) if found["type"] == "tool_progress"]
    assert [(one["tool_use_id"], one["elapsed_time_seconds"]) for one in found] == [("a", 50), ("b", 50), ("a", 0)]
