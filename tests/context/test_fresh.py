"""Results that the model has not seen yet are cut before they are thrown away."""

import re

from hypothesis import given
from hypothesis import strategies as st

from harness.context.account import cost
from harness.context.fold import replaced
from harness.context.fresh import LEAST, oversized, shortened, weight
from harness.context.micro import MOVED
from harness.events import System
from harness.messages import Assistant, HistoryMessage, Text, Thinking, ToolCall, ToolResult, User
from harness.providers.tokens import tokens
from tests.context.test_keeper import FailingModel, fit

PLACE = "/results/moved-1.txt"


def called(*texts: str, name: str = "Bash") -> list[HistoryMessage]:
    """A prompt, an answer with a call for each text, and these texts as results."""
    calls = tuple(ToolCall(f"c{i}", name, "{}", {"file_path": f"f{i}"}) for i in range(len(texts)))
    results = [ToolResult(call.id, (Text(text),)) for call, text in zip(calls, texts, strict=True)]
    return [User((Text("Look."),)), Assistant("m", calls), *results]


def cut(messages: list[HistoryMessage], room: float) -> list[HistoryMessage]:
    return replaced(messages, {each.index: shortened(each, PLACE) for each in oversized(messages, room)})


@given(st.lists(st.integers(0, 40_000), min_size=1, max_size=8), st.integers(500, 20_000))
def test_all_together_fit_and_what_is_small_stays_whole(lengths, room):
    messages = called(*("word " * (length // 5) for length in lengths))
    made = cut(messages, room)
    assert weight(made) <= max(room, len(lengths) * (LEAST + 140)) * 1.1
    if weight(messages) <= room:
        assert made == messages
    for before, after in zip(messages, made, strict=True):
        assert after == before or cost(before) > room / len(lengths) * 0.99


def test_a_commands_end_and_beginning_stay():
    text = "\n".join(f"line {n}" for n in range(5000))
    long, result = cut(called(text, "ok"), 600)[2:]
    assert result.text == "ok"
    assert isinstance(long, ToolResult)
    assert long.text.startswith("line 0\n")
    assert long.text.endswith("line 4999")
    first, last = (int(each) for each in re.search(r"\[Lines (\d+)-(\d+) of 5000 did not fit", long.text).groups())  # type: ignore[union-attr]
    assert f"line {first - 2}\n[Lines {first}" in long.text, "by whole lines"
    assert f"]\nline {last}\n" in long.text
    assert f"All of it: {PLACE} (Read offset={first} " in long.text


def test_one_long_line_is_cut_by_characters():
    (long,) = cut(called("x" * 50_000 + "end"), 600)[2:]
    assert isinstance(long, ToolResult)
    assert long.text.startswith("xxx")
    assert long.text.endswith("xend")
    assert f"characters did not fit here. All of it: {PLACE}]" in long.text


def test_a_file_is_cut_by_lines_and_it_is_said_where_to_read_on():
    text = "\n".join(f"{n:6}\tx = {n}" for n in range(1, 2001))
    (long,) = cut(called(text, name="Read"), 900)[2:]
    assert isinstance(long, ToolResult)
    last = re.findall(r"^ *(\d+)\t", long.text, re.MULTILINE)[-1]
    assert f"[Lines {int(last) + 1}-2000 did not fit: Read offset={int(last) + 1} limit={last}]" in long.text
    assert PLACE not in long.text


def test_what_the_model_has_seen_is_not_touched():
    messages = [*called("x " * 20_000), Assistant("m", (Text("So."),)), User((Text("Go on."),))]
    assert list(oversized(messages, 100)) == []


def test_eight_files_at_once_in_a_small_window_are_all_shown_in_part():
    """They were thrown away unseen, and asked for again and again."""
    files = ["\n".join(f"{n:6}\tvalue_{n} = {n}" for n in range(1, 201)) for _ in range(8)]
    provider = FailingModel(10_000, [])
    done = fit(called(*files, name="Read"), provider)
    results = [message for message in done.messages if isinstance(message, ToolResult)]
    assert len(results) == 8
    assert all(result.text.startswith("     1\tvalue_1 = 1\n") for result in results)
    assert provider.asked == []  # no compaction: they fit now
    assert [event.data["compact_metadata"]["trigger"] for event in done.events if isinstance(event, System)] == [
        "micro"
    ]


def test_in_a_full_conversation_they_outlive_the_compaction():
    old: list[HistoryMessage] = [User((Text("Begin."),)), Assistant("m", (Text("word " * 6_000),))]
    done = fit(
        [*old, *called("\n".join(f"diff {n}" for n in range(6000)), "719 checks, all good")], FailingModel(10_000, [])
    )
    texts = [message.text for message in done.messages if isinstance(message, ToolResult)]
    assert texts[0].startswith("diff 0\n")
    assert texts[1] == "719 checks, all good"
    assert not any(text.startswith(MOVED) for text in texts)
    assert tokens("".join(texts)) < 2_000


def test_what_the_model_has_not_seen_outlives_a_compaction_beside_long_thoughts():
    """A thought and a file together are more than the part that stays word for word."""
    old: list[HistoryMessage] = [User((Text("Begin."),)), Assistant("m", (Text("word " * 5_000),))]
    thought = Assistant(
        "m2", (Thinking("I wonder. " * 500), ToolCall("c", "Read", "{}", {"file_path": "f"})), "tool_use"
    )
    seen = ToolResult("c", (Text("\n".join(f"{n:6}\tvalue = {n}" for n in range(1, 90))),))
    done = fit([*old, thought, seen], FailingModel(10_000, []))
    assert done.messages[-2:] == [thought, seen]
    assert any(
        event.data["compact_metadata"]["trigger"] == "auto"
        for event in done.events
        if isinstance(event, System) and event.fold
    )
