"""Sessions with what comes from outside: servers' tools, sub-agents, jobs, hooks, a second process, failures, limits."""

import json
import sys
from pathlib import Path

import pytest

from harness.commands.replay import main
from harness.errors import UsageError
from harness.providers.profile import today
from harness.scripted.script import steps
from harness.scripted.server import running
from tests.scenarios.house import BYPASS, STREAM, House, bash, call

ID = "22222222-2222-4222-8222-222222222222"
SERVER = Path(__file__).parents[1] / "mcp" / "server.py"


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> House:
    house = House.make(tmp_path)
    for name, value in house.env().items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    monkeypatch.chdir(house.project)
    return house


@pytest.mark.parametrize("servers", [False, pytest.param(True, marks=pytest.mark.long)])
def test_what_came_from_outside_is_taken_from_the_session(
    servers: bool, house: House, capsys: pytest.CaptureFixture[str]
):
    config = json.dumps({"mcpServers": {"ext": {"command": sys.executable, "args": [str(SERVER)]}}})
    brought = ("--mcp-config", config) if servers else ()
    served = [call("mcp__ext__touch")] if servers else []
    first = house.base / "sent-back"
    back = f"test -e {first} || {{ touch {first}; echo look at the job >&2; exit 2; }}"
    house.settings(hooks={"Stop": [{"hooks": [{"type": "command", "command": back}]}]})
    record = (*STREAM, *BYPASS, "--record", str(house.base / "kept"))
    sub = {"when": {"user": "SUB-TASK"}}
    house.ask(
        {**sub, "calls": [bash("echo inside")]},
        {"when": {"tool": "Bash", "result": "^inside"}, "text": "A report."},
        {"http": {"status": 503, "error": "busy", "headers": {"Retry-After": "0"}}},
        {"calls": [*served, call("Agent", description="look", prompt="SUB-TASK")]},
        {"calls": [bash("echo built", run_in_background=True)]},
        {"calls": [bash("sleep 0.3")]},
        {"text": "I think that is all."},
        {"text": "The job has ended."},
        flags=(*record, "--session-id", ID, *brought, "--append-system-prompt", "Be kind."),
    )
    house.ask(
        {"calls": [bash("pwd")]},
        {"calls": [bash("never")]},
        flags=(*record, "--resume", ID, "--max-turns", "1", "--append-system-prompt", "Be kind.", *brought),
    )
    sent = (house.base / "kept" / "0008.request.json").read_text()
    assert all(text in sent for text in ("<task-notification>", "look at the job", "A report."))
    assert ("mcp__ext__shout" in sent) == servers
    code = main([ID, "--against", str(house.base / "kept"), "--append-system-prompt", "Be kind."])
    assert code == 0, capsys.readouterr().out
    assert capsys.readouterr().out == "7 requests, all identical\n"
    assert main([ID, "--against", str(house.base / "kept")]) == 1
    assert "-Be kind." in capsys.readouterr().out
    with pytest.raises(UsageError, match="Sub-agents"):
        main([ID, "--against", str(house.base / "kept"), "--run-tools"])


def test_a_session_of_an_agent_is_run_again_as_that_agent(house: House, capsys: pytest.CaptureFixture[str]):
    agents = house.home / ".claude" / "agents"
    agents.mkdir(parents=True)
    (agents / "judge.md").write_text("---\nname: judge\ndescription: d\ntools: Bash\n---\nYou judge.")
    flags = (*STREAM, *BYPASS, "--record", str(house.base / "kept"))
    house.ask({"calls": [bash("pwd")]}, {"text": "Yes."}, flags=(*flags, "--session-id", ID, "--agent", "judge"))
    house.ask({"text": "Still yes."}, flags=(*flags, "--resume", ID))
    assert main([ID, "--against", str(house.base / "kept")]) == 0, capsys.readouterr().out
    assert capsys.readouterr().out == "3 requests, all identical\n"


def test_an_answer_that_a_kind_of_server_was_forced_to(house: House, capsys: pytest.CaptureFixture[str]):
    """What is known of the server decides how; the replay knows it from the recording."""
    schema = ("--json-schema", '{"type": "object", "required": ["n"]}')
    tables = ({"text": "Done."}, {"calls": [call("StructuredOutput", n=1)]})
    with running(steps(*tables)) as server:
        known = {"profile": {"server": "llama.cpp", "context_window": 131072, "probed": today()}}
        learnt = house.home / ".cache/harness/learnt.json"
        learnt.parent.mkdir(parents=True)
        learnt.write_text(json.dumps({f"{server.url} scripted": known}))
        record = ("--record", str(house.base / "kept"), "--session-id", ID)
        done = house.run("-p", *STREAM, *record, *schema, "go", url=server.url)
    assert done.result["structured_output"] == {"n": 1}
    assert [asked.body.get("tool_choice") for asked in server.requests] == [None, "required"]
    code = main([ID, "--against", str(house.base / "kept"), *schema])
    assert code == 0, capsys.readouterr().out


def test_a_session_with_a_call_that_was_deferred_is_refused_in_words(house: House):
    said = json.dumps({"hookSpecificOutput": {"hookEventName": "PreToolUse", "permissionDecision": "defer"}})
    (house.base / "said").write_text(said)
    hook = {"type": "command", "command": f"cat {house.base / 'said'}"}
    house.settings(hooks={"PreToolUse": [{"hooks": [hook]}]})
    house.ask({"calls": [bash("pwd")]}, flags=(*STREAM, "--session-id", ID, "--record", str(house.base / "kept")))
    with pytest.raises(UsageError, match="deferred a call"):
        main([ID, "--against", str(house.base / "kept")])
