"""Background jobs through the whole program: what the model is told, and that nothing outlives a session."""

import json
import os
import signal
import socket
import sys

import pytest

from tests.processes import gone, processes
from tests.scenarios.house import BYPASS, STREAM, House, bash, call

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="bubblewrap is for Linux")

MARK = f"616.{os.getpid()}"  # another in each worker
NEVER = f"sleep {MARK}"


def test_the_end_is_told_with_the_next_request_and_as_events(house: House):
    done = house.ask(
        {"calls": [bash("echo hi; touch over; exit 3", run_in_background=True, description="greet")]},
        {"calls": [bash("until [ -e over ]; do sleep 0.02; done; sleep 0.2")]},
        {"text": "Done."},
        flags=(*STREAM, *BYPASS),
    )
    messages = done.asked[-1].messages
    assert [message["role"] for message in messages[-3:]] == ["assistant", "tool", "user"]
    told = messages[-1]["content"]
    assert told.startswith("<task-notification>\nBackground job b")
    assert "exit status 3" in told
    assert "\nhi\n" in told
    assert "Output: " not in told, "all of it is there"
    (started,), (updated,), (ended,) = (
        done.of("system", f"task_{kind}") for kind in ("started", "updated", "notification")
    )
    uses = [block for line in done.of("assistant") for block in line["message"]["content"] if "id" in block]
    assert started["tool_use_id"] == uses[0]["id"]
    assert (started["description"], started["task_type"]) == ("greet", "local_bash")
    assert updated["patch"] == {"status": "failed"}
    assert ended["status"] == "failed"
    assert ended["task_id"] == started["task_id"]
    assert all(line["session_id"] and line["uuid"] for line in (started, updated, ended))
    assert "result" in done.lines[-1]["type"]


def test_its_file_is_read_by_tools_and_by_commands(house: House):
    done = house.ask(
        {"calls": [bash("echo needle; touch over", run_in_background=True)]},
        {
            "when": {"result": r"Output: (?P<file>\S+)"},
            "calls": [bash("until [ -e over ]; do sleep 0.02; done; sleep 0.1; cat {{file}}")],
        },
        {"when": {"any_result": r"Output: (?P<file>\S+)"}, "calls": [call("Read", file_path="{{file}}")]},
        {"when": {"any_result": r"Output: (?P<file>\S+)"}, "calls": [call("Grep", pattern="needle", path="{{file}}")]},
        {"text": "Done."},
        flags=(*STREAM, "--allowedTools", "Bash"),  # in default mode: the file is free to read
    )
    _, cat, read, grep = done.results
    assert "needle" in cat
    assert "needle" in read
    assert "bash-" in grep
    assert done.result["permission_denials"] == []


@pytest.mark.parametrize("level", ["none", "degraded"])
def test_where_no_namespace_dies_with_us_a_leash_ends_it(house: House, level: str):
    steps = ({"calls": [bash(f"setsid {NEVER} & {NEVER}", run_in_background=True)]}, {"text": "Done."})
    flags = ("--no-sandbox",) if level == "none" else ("--sandbox", level)
    with house.live(*steps, flags=(*flags, "--allowedTools", "Bash")) as run:
        run.until(lambda: run.saw("result") and len(processes(MARK)) >= 2)
        run.ended(signal.SIGKILL)
        assert gone(MARK)


@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_nothing_outlives_the_session(house: House, sent: signal.Signals):
    steps = ({"calls": [bash(f"setsid {NEVER} & {NEVER}", run_in_background=True)]}, {"text": "Done."})
    with house.live(*steps) as run:
        run.until(lambda: run.saw("result") and not gone(MARK, 0))
        done = run.ended(sent)
        assert gone(MARK)
    assert done.code == {signal.SIGKILL: -9, signal.SIGTERM: 143, signal.SIGINT: 0}[sent]


@pytest.mark.long
def test_what_never_ends_is_killed_after_the_result(house: House):
    done = house.acts(bash(NEVER, run_in_background=True))
    assert done.code == 0
    assert done.seconds > 5
    assert f"Stopped, as it was still running in the background: {NEVER}" in done.err
    assert gone(MARK)


def test_without_a_person_time_is_over_when_it_is_over(house: House):
    done = house.acts(bash("cat <(sleep 617.25)", timeout=200))
    assert "was killed" in done.results[0]


def test_it_can_be_switched_off(house: House):
    done = house.acts(
        bash("true", run_in_background=True),
        call("TaskOutput", task_id="x"),
        env={"CLAUDE_CODE_DISABLE_BACKGROUND_TASKS": "1"},
    )
    assert "switched off" in done.results[0]
    assert "switched off" in done.results[1]


def test_a_rule_may_forbid_it(house: House):
    house.settings(permissions={"deny": ["Bash(run_in_background:true)"]})
    done = house.acts(bash("true", run_in_background=True), bash("echo fine"))
    assert "Permission denied" in done.results[0]
    assert done.results[1] == "fine"


def test_stop_hooks_hear_of_what_still_runs(house: House):
    house.settings(hooks={"Stop": [{"hooks": [{"type": "command", "command": f"cat > {house.base}/heard"}]}]})
    with house.live({"calls": [bash(NEVER, run_in_background=True)]}, {"text": "Done."}) as run:
        run.until(lambda: run.saw("result"))
        run.ended(signal.SIGTERM)
    (task,) = json.loads((house.base / "heard").read_text())["background_tasks"]
    assert (task["command"], task["status"]) == (NEVER, "running")


def test_a_server_in_the_background_is_reached_by_the_next_command(house: House):
    (house.project / "index.html").write_text("it is here")
    serve = bash(f"{sys.executable} -m http.server 8431 --bind 127.0.0.1", run_in_background=True)
    read = "import urllib.request as r; print(r.urlopen('http://localhost:8431/').read())"
    ask = f'for i in $(seq 50); do {sys.executable} -c "{read}" 2>/dev/null && break; sleep 0.1; done'
    done = house.acts(serve, bash(ask), flags=BYPASS)
    assert "it is here" in done.results[1]
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", 8431), timeout=5)
