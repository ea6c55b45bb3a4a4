"""Background jobs over the pipes: told as they happen, between turns too, and to their end."""

import os
import signal

from tests.processes import gone
from tests.scenarios.house import BYPASS, bash
from tests.sdk.program import started

MARK = f"618.{os.getpid()}"  # another in each worker
NEVER = f"sleep {MARK}"
ASKED = ({"calls": [bash("until [ -e go ]; do sleep 0.02; done", run_in_background=True)]}, {"text": "Begun."})


def test_an_end_between_turns_is_told_at_once_and_the_model_hears_of_it_with_the_next(house):
    with started(house, *ASKED, {"text": "I see."}, flags=BYPASS) as program:
        program.ask("begin")
        (task,) = program.of("system", "task_started")
        assert program.of("system", "task_notification") == []
        (house.project / "go").touch()
        program.until(lambda line: line.get("subtype") == "task_notification")
        assert program.lines[-1]["status"] == "completed"
        assert program.lines[-1]["task_id"] == task["task_id"]
        program.ask("and?")
        assert "<task-notification>" in str(program.server.requests[-1].messages[-1])
        assert program.close() == (0, "")


def test_the_program_stops_one(house):
    with started(house, {"calls": [bash(NEVER, run_in_background=True)]}, {"text": "Begun."}, flags=BYPASS) as program:
        program.ask("begin")
        (task,) = program.of("system", "task_started")
        assert program.control("stop_task", task_id=task["task_id"]) == {}
        program.until(lambda line: line.get("subtype") == "task_notification")
        assert [line["patch"] for line in program.of("system", "task_updated")] == [{"status": "killed"}]
        assert gone(MARK)
        assert "no task" in program.control("stop_task", task_id=task["task_id"])["error"]
        assert program.close() == (0, "")


def test_a_signal_ends_what_runs_and_its_end_is_told(house):
    with started(house, {"calls": [bash(NEVER, run_in_background=True)]}, {"text": "Begun."}, flags=BYPASS) as program:
        program.ask("begin")
        program.process.send_signal(signal.SIGTERM)
        program.until(lambda line: line.get("subtype") == "task_notification")
        assert program.lines[-1]["status"] == "stopped"
        assert program.close()[0] == 143
        assert gone(MARK)


def test_a_time_out_moves_to_the_background(house):
    asked = {"calls": [bash("until [ -e go ]; do sleep 0.02; done", timeout=200)]}
    with started(house, asked, {"text": "Moved."}, flags=BYPASS) as program:
        program.ask("begin")
        assert "moved to the background" in str(program.server.requests[-1].messages[-1])
        (house.project / "go").touch()
        program.until(lambda line: line.get("subtype") == "task_notification")
        assert program.close() == (0, "")


def test_a_compacted_conversation_knows_what_still_runs(house):
    summary = {"when": {"user": "answer with the summary only"}, "text": "## Goal\nServe.\n## Next step\nGo on."}
    begin = {"when": {"user": "begin"}, "calls": [bash(NEVER, run_in_background=True)]}
    steps = (summary, begin, {"when": {"last": "tool"}, "text": "Begun."}, {"text": "Yes.", "times": "always"})
    with started(house, *steps, flags=BYPASS) as program:
        program.ask("begin")
        for number in range(3):
            program.ask(f"more {number} " + "words " * 2000)
        (task,) = program.of("system", "task_started")
        program.ask("/compact")
        assert program.of("system", "compact_boundary"), program.lines[-1]
        program.ask("and now?")
        said = str(program.server.requests[-1].messages)
        assert "<background-jobs>" in said
        assert f"{task['task_id']} ({NEVER})" in said.split("<background-jobs>")[1]
        program.process.send_signal(signal.SIGTERM)
        program.close()
