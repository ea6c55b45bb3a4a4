"""Circles are noticed within a stated number of calls, and productive work never is one."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.guards.stuck import ERRORS, NOTHING_NEW, PERIODS, REVISITS, SAME, Watch
from harness.messages import Text, ToolCall, ToolResult


def note(
    watch: Watch, name: str = "Bash", text: str = "out", *, error: bool = False, content: str = "", **given
) -> str:
    call = ToolCall("c", name, repr(given), given)
    watch.note(call, ToolResult("c", (Text(text),), is_error=error), content)
    circle = watch.found()
    return circle.kind if circle else ""


def kinds(watch: Watch, *calls) -> list[str]:
    return [note(watch, **call) for call in calls]


def test_the_same_call_and_result():
    call = {"command": "make"}
    assert kinds(Watch(), *[call] * SAME)[-2:] == ["", "identical"]


def test_the_same_call_with_another_result_is_none():
    assert set(kinds(Watch(), *({"command": "make", "text": f"built {n}"} for n in range(20)))) == {""}


def test_two_in_turn():
    calls = [{"command": "a", "text": "1"}, {"command": "b", "text": "2"}] * PERIODS
    found = kinds(Watch(), *calls)
    assert found[-1] == "oscillation"
    assert set(found[:-1]) == {""}


def test_one_error_under_many_arguments():
    calls = [
        {"command": f"run {n}", "text": f"No module named 'x{n}' at line {n}", "error": True} for n in range(ERRORS)
    ]
    assert kinds(Watch(), *calls)[-2:] == ["", "error"]


def test_a_file_changed_to_and_fro():
    contents = ["a", "b"] * (REVISITS + 1)
    calls = [{"name": "Edit", "file_path": "x.py", "text": f"ok {n}", "content": c} for n, c in enumerate(contents)]
    found = kinds(Watch(), *calls)
    assert found[-1] == "undo" or found[-2] == "undo"


def test_nothing_new():
    watch = Watch()
    for number in range(4):
        note(watch, command=f"look {number}", text=f"seen {number}")
    found = [note(watch, command=f"look {n % 4} again {n // 4}", text=f"seen {n % 4}") for n in range(NOTHING_NEW)]
    assert found[-1] == "nothing_new"
    assert set(found[:-1]) == {""}


@pytest.mark.parametrize(
    "command", ["sleep 5; curl -s localhost", "gh run watch 3", "kubectl get pods --watch", "git status"]
)
def test_waiting_is_no_circle(command: str):
    assert set(kinds(Watch(), *[{"command": command, "text": "pending"}] * 40)) == {""}


def test_waiting_for_a_task_is_no_circle():
    assert set(kinds(Watch(), *[{"name": "TaskOutput", "task_id": "1", "text": "running"}] * 40)) == {""}


def test_two_thousand_productive_calls():
    """Edits, tests that fail and pass, reads: what a long good run looks like."""
    dice, watch, failures = random.Random(7), Watch(), 0
    for number in range(2000):
        kind = dice.choice(["read", "edit", "test", "grep", "status"])
        if kind == "read":
            found = note(watch, "Read", f"content of {dice.randrange(80)} v{number // 40}", file_path=f"f{number % 80}")
        elif kind == "edit":
            found = note(watch, "Edit", f"edited {number}", content=str(number), file_path=f"f{dice.randrange(40)}")
        elif kind == "test":
            failures = max(0, failures + dice.choice([-1, 0, 1]))
            text = f"{failures} failed, {300 - failures} passed in {dice.random():.2f} s"
            found = note(watch, "Bash", text, error=failures > 0, command="pytest -q")
        elif kind == "grep":
            found = note(watch, "Grep", f"{dice.randrange(400)} matches", pattern=f"p{dice.randrange(200)}")
        else:
            found = note(watch, "Bash", f"M f{dice.randrange(40)}", command="git status --short")
        assert found == "", (number, kind)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["x", "y", ""]), st.booleans()), max_size=60))
@settings(max_examples=100)
def test_any_calls(calls: list[tuple[str, str, bool]]):
    watch = Watch()
    for name, text, error in calls:
        assert note(watch, text=text, error=error, command=name) in {
            "",
            "identical",
            "oscillation",
            "error",
            "nothing_new",
        }
