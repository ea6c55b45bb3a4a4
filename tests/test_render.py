"""What a person sees: never a character that lies about the others, and something sensible for every event."""

import re
import unicodedata
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.events import (
    AssistantMessage,
    HookPermissionResult,
    Notice,
    PreventContinuation,
    Progress,
    Result,
    StreamEvent,
    System,
    ToolProgress,
    UserMessage,
)
from harness.messages import Assistant, Text, TextDelta, ThinkingDelta, ToolCall, ToolResult, Usage
from harness.render import Renderer, call_title, safe
from tests.values import events

JOINED = "\U0001f469\u200d\U0001f4bb"  # two pictures and a zero-width joiner
anything = st.text(st.characters(exclude_categories=()))


def shown(*given: Any, color: bool = False) -> str:
    written: list[str] = []
    screen = Renderer(written.append, color=color)
    for event in given:
        screen.show(event)
    return "".join(written)


def text(piece: str) -> StreamEvent:
    return StreamEvent(delta=TextDelta(piece))


def call(name: str, **given: Any) -> ToolCall:
    return ToolCall("c", name, "{}", given)


def answered(text: str, *, is_error: bool = False) -> UserMessage:
    return UserMessage(message=ToolResult("c", (Text(text),), is_error), source="tool")


@given(anything)
def test_nothing_unsafe_gets_through(given_text):
    for char in safe(given_text).replace(JOINED, ""):
        assert char in "\n\t" or unicodedata.category(char) not in {"Cc", "Cf", "Cs", "Zl", "Zp"}
    safe(given_text).encode()


@given(anything)
def test_what_is_safe_stays(given_text):
    assert safe(safe(given_text)) == safe(given_text)


@pytest.mark.parametrize(
    "kept",
    [
        "héllo — ok",
        "日本語 한국어 中文",
        "👍🏽 ❤\ufe0f 🇫🇷 ✓ 1\ufe0f\u20e3",
        JOINED,
        "👨\u200d👩\u200d👧\u200d👦 ❤\ufe0f\u200d🔥 🧑🏽\u200d🚀 🏳\ufe0f\u200d🌈",
        "ไทย עברית عربي हिन्दी",
        "\tx\n",
    ],
)
def test_scripts_and_pictures_are_left_alone(kept):
    assert safe(kept) == kept


@pytest.mark.parametrize(
    ("hidden", "escaped"),
    [
        ("\x1b[31m", "\\x1b[31m"),
        ("\x9b31m", "\\x9b31m"),
        ("a\rb", "a\\x0db"),
        ("a\u202eb", "a\\u202eb"),  # right-to-left override
        ("a\u061cb", "a\\u061cb"),  # Arabic letter mark
        ("a\u2066b", "a\\u2066b"),  # isolate
        ("pa\u200dss", "pa\\u200dss"),
        ("pa\u00adss", "pa\\xadss"),  # soft hyphen
        ("a\u3164b", "a\\u3164b"),  # Hangul filler
        ("a\ufe01b", "a\\ufe01b"),  # a selector that carries hidden data
        ("a\U000e0041b", "a\\U000e0041b"),  # tag
        ("a\U000e0101b", "a\\U000e0101b"),
        ("a\ud800b", "a\\ud800b"),
        ("a\u2028b", "a\\u2028b"),
    ],
)
def test_what_hides_is_escaped(hidden, escaped):
    assert safe(hidden) == escaped


@given(st.lists(events, max_size=5))
def test_any_events_are_shown_without_control_characters(given_events):
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\u202a-\u202e]", shown(*given_events))


@given(st.lists(events, max_size=5))
def test_with_color_the_only_escapes_are_ours(given_events):
    written = re.sub(r"\x1b\[\d+m", "", shown(*given_events, color=True))
    assert written == shown(*given_events)


def test_text_streams_and_a_call_begins_a_line():
    said = AssistantMessage(message=Assistant("m", (Text("Hi"), call("Read", file_path="a.py"))))
    allowed = HookPermissionResult(call_id=said.message.calls[0].id, tool="Read", decision="allow", source="mode")
    assert shown(text("H"), text("i"), said, allowed) == "Hi\n● Read(a.py)\n"


def test_results_of_calls_that_ran_together_are_told_apart():
    calls = (call("Read", file_path="a.py"), replace(call("Read", file_path="b.py"), id="other"))
    results = [UserMessage(message=ToolResult(c.id, (Text(f"of {c.id}"),)), source="tool") for c in calls]
    lines = shown(AssistantMessage(message=Assistant("m", calls)), *results).splitlines()
    assert [line.strip() for line in lines[::2]] == ["● Read(a.py)", "● Read(b.py)"]


def test_live_output_comes_in_whole_lines():
    beats = [
        ToolProgress(call_id="c", tool="Bash", text=t, total_bytes=1, elapsed=1.0) for t in ("ab", "c\n1%\r99%\nd")
    ]
    assert shown(*beats) == "  │ abc\n  │ 99%\n"


def test_thinking_and_text_stand_apart():
    assert shown(StreamEvent(delta=ThinkingDelta("hm")), text("Hi")) == "hm\nHi"


@pytest.mark.parametrize(
    ("given_call", "title"),
    [
        (call("Bash", command="a\n  b"), "Bash(a ⏎ b)"),
        (call("Grep", pattern="x", path="src\n● Bash(rm)"), "Grep(x in src ⏎ ● Bash(rm))"),
        (call("Odd\n● Read"), "Odd ⏎ ● Read()"),
        (call("Odd", a=1, b=2), "Odd(a, b)"),
        (ToolCall("c", "Read", '"x"', None, "bad"), "Read()"),
        (call("Bash", command=7, description="d"), "Bash(d)"),
    ],
)
def test_titles_are_one_line(given_call, title):
    assert call_title(given_call) == title


def test_a_long_title_is_cut():
    assert call_title(call("Bash", command="x" * 1000)) == "Bash(" + "x" * 159 + "…)"


def test_a_long_result_is_cut_and_says_so():
    lines = shown(answered("\n".join(map(str, range(20))))).splitlines()
    assert lines[0] == "  └ 0"
    assert lines[-1] == "    … 12 more lines"
    assert len(lines) == 9


def test_a_line_of_megabytes_is_shown_cut_and_soon():
    assert len(shown(answered("\x1b" * 5_000_000))) < 200


def test_an_empty_result_says_nothing():
    assert shown(answered("")) == "  └ (nothing)\n"


def test_live_output_is_not_shown_twice_but_a_later_call_of_that_id_is():
    live = ToolProgress(call_id="c", tool="Bash", text="1\n2\n", total_bytes=4, elapsed=0.1)
    assert shown(live, answered("1\n2\nexit 0"), answered("a\nb")) == "  │ 1\n  │ 2\n  └ exit 0\n  └ a\n    b\n"


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (Notice(level="error", cause="c", text="what", mend="how"), "what\nhow\n"),
        (Progress(what="request", elapsed=12.4), "… waiting for the request: 12 s\n"),
        (PreventContinuation(cause="c", reason="too many"), "■ too many\n"),
        (
            HookPermissionResult(call_id="c", tool="Bash", decision="deny", source="rule", rule="Bash(x)", reason="no"),
            "  ✗ Bash denied: no [Bash(x)]\n",
        ),
        (HookPermissionResult(call_id="c", tool="Bash", decision="allow", source="mode"), ""),
        (
            System(
                subtype="api_retry", data={"attempt": 1, "max_retries": 3, "retry_delay_ms": 1500, "message": "Broken."}
            ),
            "! Broken. Asking again in 1.5 s (retry 1 of 3).\n",
        ),
        (System(subtype="init", data={}), ""),
    ],
)
def test_what_is_told_about_the_turn(event, line):
    assert shown(event) == line


def test_the_summary_counts():
    written: list[str] = []
    common: dict[str, Any] = {"is_error": False, "result": "", "num_turns": 2, "duration_ms": 1234, "model": "m"}
    common |= {"duration_api_ms": 1, "usage": Usage(1200, 30, 1000), "stop_reason": None}
    Renderer(written.append).summary(Result(subtype="error_max_turns", terminal_reason="max_turns", **common))
    assert written == ["[max_turns · 2 requests, 1,200 tokens in, 30 out, 1,000 cached, cost unknown, 1.2 s]\n"]
