"""Signals: the turn ends, its result still comes, every call is answered, and no process is left."""

import signal
import time
from contextlib import suppress
from secrets import randbelow

import pytest

from harness.journal import replay
from harness.messages import Assistant, ToolResult, User
from tests.processes import gone, processes
from tests.scenarios.house import Done, House, Live, bash

SLOW = {"text": "one two three four five six seven", "pace": {"between": 0.1, "characters": 4}}


def mark() -> str:
    """A number of seconds that no other process of this machine sleeps."""
    return f"987.{randbelow(10**12):012}"


def asleep(run: Live, seconds: str, many: int = 1) -> None:
    run.until(lambda: len([pid for pid in processes(seconds) if _program(pid) == "sleep"]) >= many)


def _program(pid: int) -> str:
    with suppress(OSError), open(f"/proc/{pid}/comm") as file:
        return file.read().strip()
    return ""


def answered(done: Done) -> bool:
    """Whether the calls of all messages have one result each, in their order."""
    blocks = [b for line in done.of("assistant") for b in line["message"]["content"] if b["type"] == "tool_use"]
    results = [line["message"]["content"][0]["tool_use_id"] for line in done.of("user")]
    return [block["id"] for block in blocks] == results


def test_in_the_middle_of_the_answer_what_was_said_is_kept(house: House):
    with house.live(SLOW, flags=("--include-partial-messages",)) as run:
        run.until(lambda: sum(line["type"] == "stream_event" for line in run.lines) > 3)
        done = run.ended(signal.SIGINT)
    assert (done.code, done.result["terminal_reason"]) == (130, "aborted_streaming")
    assert (done.result["is_error"], done.result["subtype"]) == (True, "error_during_execution")
    (said,) = done.of("assistant")
    assert said["aborted"]
    assert SLOW["text"].startswith(said["message"]["content"][0]["text"])  # type: ignore[attr-defined]  # a string
    assert done.seconds < 2


def test_in_the_middle_of_a_tool_all_is_killed_and_every_call_answered(house: House):
    seconds = mark()
    first = bash(f"setsid nohup sleep {seconds} & sleep {seconds}")
    with house.live({"text": "Now.", "calls": [first, bash("echo never > made"), bash("ls")]}) as run:
        asleep(run, seconds, many=2)
        done = run.ended(signal.SIGINT)
    assert gone(seconds)
    assert (done.code, done.result["terminal_reason"]) == (130, "aborted_tools")
    assert answered(done)
    assert all("Interrupted" in line["message"]["content"][0]["content"] for line in done.of("user"))
    assert not (house.project / "made").exists()
    assert len(done.asked) == 1
    (file,) = house.config.rglob("*.jsonl")
    kept = replay(file.read_text().splitlines()).messages
    assert [type(message) for message in kept] == [User, Assistant, ToolResult, ToolResult, ToolResult]


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_while_the_server_is_silent(house: House, sent: signal.Signals, code: int):
    with house.live({"text": "late", "http": {"silence": True}}) as run:
        run.until(lambda: run.saw("stream_request_start"))
        done = run.ended(sent)
    assert (done.code, done.result["terminal_reason"]) == (code, "aborted_streaming")
    assert done.seconds < 2


@pytest.mark.parametrize("sandbox", [(), ("--no-sandbox",)])
def test_sigterm_during_a_tool_exits_143_within_two_seconds(house: House, sandbox):
    """Outside a sandbox a process that left the session and its group is found by its environment."""
    seconds = mark()
    flags = ("--allowedTools", "Bash", *sandbox)
    with house.live({"calls": [bash(f"setsid sleep {seconds} & sleep {seconds}")]}, flags=flags) as run:
        asleep(run, seconds, many=2)
        done = run.ended(signal.SIGTERM)
    assert (done.code, done.seconds < 2) == (143, True)
    assert gone(seconds)
    assert done.result["terminal_reason"] == "aborted_tools"
    assert answered(done)


def test_a_harness_that_is_killed_takes_its_commands_along(house: House):
    seconds = mark()
    with house.live({"calls": [bash(f"setsid sleep {seconds} & sleep {seconds}")]}) as run:
        asleep(run, seconds, many=2)
        run.process.kill()
        assert gone(seconds)


def test_background_children_end_with_their_call(house: House):
    seconds = mark()
    began = time.monotonic()
    done = house.acts(bash(f"sleep {seconds} & setsid nohup sleep {seconds} >/dev/null & echo started"))
    assert gone(seconds)
    assert (done.code, done.results) == (0, ["started"])
    assert time.monotonic() - began < 10


def test_a_command_that_hangs_is_killed_at_its_time_out_and_says_what_ran(house: House):
    seconds = mark()
    done = house.acts(bash(f"echo before; sleep {seconds}", timeout=400))
    assert gone(seconds)
    assert "before\nTimed out after 0.4 s" in done.results[0]
    assert f"sleep {seconds}" in done.results[0]
    assert done.result["result"] == "Done."
