"""Limits and circles through the real CLI: the model is told, then stopped, and the result says why."""

import pytest

from tests.scenarios.house import STREAM, House, bash, call

BYPASS = (*STREAM, "--permission-mode", "bypassPermissions")


def test_circles_are_told_twice_and_then_end(house: House):
    stuck = {"calls": [bash("echo the same")], "times": "always"}
    done = house.ask(stuck, flags=BYPASS)
    assert done.code == 1
    assert done.result["terminal_reason"] == "stuck"
    assert done.of("preventContinuation")[0]["cause"] == "stuck"
    said = [m["content"] for m in done.asked[-1].messages if m["role"] == "user" and "<reminder>" in m["content"]]
    assert len(said) == 2
    assert "3 times in a row" in said[0]
    assert "new plan" in said[1]
    assert len(done.asked) == 9


PRICED = {"usage": {"prompt_tokens": 10_000, "completion_tokens": 1000}}


@pytest.mark.parametrize(
    ("flags", "settings", "cause", "requests"),
    [
        (("--max-tokens-total", "15000"), {}, "max_tokens_total", 2),
        (("--max-budget-usd", "0.25"), {"prices": {"m": {"input": 10.0, "output": 10.0}}}, "budget", 3),
        (("--max-budget-usd", "0.25"), {}, "budget", 0),
        (("--max-time", "0.6"), {}, "max_time", 1),
    ],
)
def test_limits(house: House, flags, settings, cause, requests):
    house.settings(**settings)
    slow = {"pace": {"first_byte": 0.8}} if cause == "max_time" else {}
    steps = [{"calls": [call("Read", file_path=f"{n}.txt")], **PRICED, **slow} for n in range(5)]
    for number in range(5):
        (house.project / f"{number}.txt").write_text(f"{number}\n")
    done = house.ask(*steps, flags=(*STREAM, "--model", "m", *flags))
    assert done.code == 1
    assert done.of("preventContinuation")[0]["cause"] == cause
    assert len(done.asked) == requests
    expected = "error_max_budget_usd" if cause == "budget" else "error_during_execution"
    assert done.result["subtype"] == expected
    if cause == "budget" and not requests:
        assert "prices" in done.result["errors"][0]


@pytest.mark.parametrize("words", [("--max-budget-usd", "none"), ("--max-time", "-1"), ("--max-tokens-total", "0")])
def test_limits_that_are_none(house: House, words):
    done = house.run("-p", *words, "--", "go")
    assert done.code == 2
    assert words[0] in done.err
