"""The pure parts of compaction: what goes, what stays, what a summary must hold; any history, any window."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.context import micro, summary
from harness.context.budget import Wanted, budget
from harness.context.fold import boundary, folded, moved
from harness.context.ledger import Ledger, survivors
from harness.context.tail import halved, kept, pairs_hold
from harness.messages import Assistant, HistoryMessage, Text, ToolCall, ToolResult, User
from harness.providers.port import Model


def said(text: str) -> User:
    return User((Text(text),))


def asked(call_id: str, name: str = "Bash", **given: Any) -> Assistant:
    return Assistant(f"m{call_id}", (ToolCall(call_id, name, "{}", given),), "tool_use")


def result(call_id: str, text: str, *, error: bool = False) -> ToolResult:
    return ToolResult(call_id, (Text(text),), is_error=error)


@st.composite
def histories(draw: st.DrawFn) -> list[HistoryMessage]:
    messages: list[HistoryMessage] = [said(draw(st.text(max_size=40)))]
    for number in range(draw(st.integers(0, 12))):
        kind = draw(st.sampled_from(["said", "answer", "calls"]))
        if kind == "said":
            messages.append(said(draw(st.text(max_size=300))))
        elif kind == "answer":
            messages.append(Assistant(f"a{number}", (Text(draw(st.text(min_size=1, max_size=300))),)))
        else:
            ids = [f"c{number}_{k}" for k in range(draw(st.integers(1, 3)))]
            tool = draw(st.sampled_from(["Read", "Bash", "Grep"]))
            calls = tuple(
                ToolCall(i, tool, "{}", {"file_path": draw(st.sampled_from("ab")), "command": "x"}) for i in ids
            )
            messages.append(Assistant(f"m{number}", calls, "tool_use"))
            for call_id in ids:
                text = draw(st.text(max_size=50)) + "x" * draw(st.sampled_from([0, 3000]))
                messages.append(result(call_id, text, error=draw(st.booleans())))
    return messages


@given(histories(), st.floats(0, 5000))
def test_calls_and_results_are_never_parted(messages: list[HistoryMessage], room: float):
    assert pairs_hold(messages)
    count = kept(messages, room)
    assert pairs_hold(folded(messages, boundary(["compacted"], count)))
    assert pairs_hold(halved(messages))
    assert len(halved(messages)) < max(2, len(messages))


@given(histories())
def test_what_is_moved_out_keeps_every_pair_and_every_error(messages: list[HistoryMessage]):
    texts = {each.index: micro.digest(each, "/r") for each in micro.stale(messages)}
    after = folded(messages, moved(texts))
    assert pairs_hold(after)
    assert len(after) == len(messages)
    for index, (old, new) in enumerate(zip(messages, after, strict=True)):
        if index not in texts:
            assert old is new
        else:
            assert isinstance(old, ToolResult)
            assert not old.is_error
    assert not list(micro.stale(after)), "once is enough"


def test_the_last_reading_of_a_file_and_the_task_at_hand_stay():
    long = "x" * 5000
    messages: list[HistoryMessage] = [
        said("one"), asked("1", "Read", file_path="a"), result("1", long), asked("2", "Read", file_path="a"),
        result("2", long), asked("3", command="make"), result("3", long), asked("4", command="bad"),
        result("4", long, error=True), said("two"), asked("5", command="make"), result("5", long),
    ]  # fmt: skip
    assert [each.call.id for each in micro.stale(messages)] == ["1", "3"]


def test_in_one_long_task_all_but_the_last_results_may_go():
    messages: list[HistoryMessage] = [said("go")]
    for number in range(micro.RECENT + 3):
        messages += [asked(str(number), command="x"), result(str(number), "y" * 3000)]
    assert [each.call.id for each in micro.stale(messages)] == ["0", "1", "2"]


@given(st.integers(600, 500_000), st.none() | st.integers(1, 200_000), st.floats(0.1, 0.95))
def test_a_budget_is_within_its_window(window: int, output: int | None, share: float):
    made = budget(Model("m", "http://x", window, output), Wanted(share=share))
    assert made is not None
    assert 0 < made.micro <= made.trigger < made.usable < made.window
    assert made.reserve >= min(window // 4, output or 8192, 16_384)


def test_no_window_no_budget():
    assert budget(Model("m", "http://x"), Wanted()) is None


def test_the_ledger_keeps_what_the_person_said_and_what_was_done():
    ledger = Ledger.of([
        User((Text("Fix the parser. Never change the tests!\nThe weather is nice."), Text("<environment>never</environment>"))),
        asked("1", "Read", file_path="p.py"), result("1", "..."),
        asked("2", "Edit", file_path="p.py"), result("2", "ok"),
        asked("3", command="make test"), result("3", "failed", error=True),
    ])  # fmt: skip
    assert list(ledger.constraints) == ["Never change the tests!"]
    assert ledger.files == {"p.py": "changed"}
    assert ledger.commands == {"make test": "failed"}
    text = survivors(ledger, [{"content": "Fix it", "status": "in_progress"}], 4000)
    for part in ("Fix the parser", "Never change the tests!", "[>] Fix it", "p.py (changed)", "make test (failed)"):
        assert part in text
    assert "<environment>" not in text


@given(st.lists(st.text(max_size=500), max_size=60), st.integers(500, 20_000))
@settings(max_examples=50)
def test_survivors_keep_to_their_room(prompts: list[str], room: int):
    first = "The first thing. You must always do this one."
    ledger = Ledger.of([said(first), *(said(f"{text} must") for text in prompts)])
    text = survivors(ledger, [], room)
    assert "The first thing." in text
    assert "You must always do this one." in text
    assert len(text) < room + 1500


GOOD = "## Goal\nFix the parser for good.\n## Next step\nRun the tests again and look."


@pytest.mark.parametrize(
    "text",
    [
        GOOD,
        GOOD.replace("##", "#"),
        GOOD.replace("## Goal", "**Goal:**"),
        GOOD.replace("## ", "## 1. "),
        "Sure.\n" + GOOD,
    ],
)
def test_summaries_as_models_write_them(text: str):
    assert summary.problem(Assistant("a", (Text(text),)), []) == ""


@pytest.mark.parametrize(
    ("text", "why"),
    [("", "Goal"), ("## Goal\nFix the parser now.", "Next step"), (GOOD + "\n- [x] Write docs", "Write docs")],
)
def test_summaries_that_will_not_do(text: str, why: str):
    assert why in summary.problem(Assistant("a", (Text(text),)), ["Write docs"])


def test_a_summary_is_no_call_and_not_cut_off():
    assert summary.problem(asked("1"), [])
    begun = GOOD.partition("## Next")[0]
    assert "cut off" in summary.problem(Assistant("a", (Text(begun),), "max_tokens"), [])
    assert "answer at once" in summary.problem(Assistant("a", (), "max_tokens"), []), "only thoughts"
    assert not summary.problem(Assistant("a", (Text(GOOD),), "max_tokens"), []), "cut in its last words"


def test_a_stand_in_keeps_what_was_summed_up_before():
    begun = User((Text(f"<compacted>\nrecord\n\n{summary.THEIRS}\n{GOOD}\n</compacted>"),))
    text = summary.stand_in([begun, asked("1"), result("1", "x")], Ledger(), 4000)
    assert "Fix the parser for good." in text
    assert "Run the tests again and look." in text


@given(histories(), st.integers(200, 8000))
def test_a_stand_in_is_bounded_and_has_the_headings(messages: list[HistoryMessage], room: int):
    text = summary.stand_in(messages, Ledger.of(messages), room)
    assert len(text) < room + 1500
    assert "## Goal" in text
    assert "## Next step" in text


@given(
    histories(),
    st.recursive(
        st.none() | st.integers() | st.text(max_size=5),
        lambda x: st.lists(x, max_size=3) | st.dictionaries(st.sampled_from(["texts", "kept", "moved"]), x, max_size=3),
    ),
)
def test_foreign_folds_raise_nothing(messages: list[HistoryMessage], data: Any):
    if isinstance(data, dict):
        folded(messages, data)
