"""Sub-agents in whole sessions: their own context and tools, the session's rules, and one place that asks."""

import json
from typing import Any

import pytest

from tests.scenarios.house import House, bash, call
from tests.sdk.program import started

STREAM = ("--output-format", "stream-json")
MAIN, SUB = "MAIN-TASK", "SUB-TASK"


@pytest.fixture
def house(tmp_path) -> House:
    return House.make(tmp_path)


def agent(prompt: str = SUB, **more: Any) -> dict[str, Any]:
    return call("Agent", description="look", prompt=prompt, **more)


def agents(**fields: Any) -> str:
    return json.dumps({"helper": {"description": "Helps", "prompt": "You are HELPER-1.", **fields}})


def step(who: str, **answer: Any) -> dict[str, Any]:
    return {"when": {"user": who}, **answer}


def test_an_agent_works_by_itself_and_its_result_comes_back(house):
    (house.project / "CLAUDE.md").write_text("RULE-5\n")
    (house.project / "a.txt").write_text("hidden treasure\n")
    done = house.ask(
        step(MAIN, calls=[agent(subagent_type="helper")]),
        step(
            SUB,
            text="thinking aloud",
            calls=[call("Read", file_path="a.txt"), call("Write", file_path="b", content="x")],
        ),
        step(SUB, text="found it"),
        step(MAIN, text="all done"),
        flags=(*STREAM, "--agents", agents(tools=["Read", "Grep"])),
        prompt=MAIN,
    )
    first, asked, again, last = done.asked
    assert "HELPER-1" in asked.messages[0]["content"]
    assert "RULE-5" in json.dumps(asked.messages)
    assert {tool["function"]["name"] for tool in asked.body["tools"]} == {"Read", "Grep"}
    assert "Task" in done.of("system", "init")[0]["tools"]
    assert {"helper", "general-purpose", "Explore", "Plan"} <= set(done.of("system", "init")[0]["agents"])
    described = next(t["function"]["description"] for t in first.body["tools"] if t["function"]["name"] == "Agent")
    assert "- helper: Helps" in described
    assert "hidden treasure" in json.dumps(again.messages)
    assert "no tool named 'Write'" in json.dumps(again.messages)
    assert last.messages[-1]["content"] == "found it"
    assert MAIN not in json.dumps(asked.messages)
    inner = [line for line in done.lines if line.get("parent_tool_use_id")]
    assert [line["type"] for line in inner] == ["assistant", "user", "user"]
    assert "thinking aloud" not in json.dumps(inner), "what it says stays inside"
    (begun,), (ended,) = done.of("system", "task_started"), done.of("system", "task_notification")
    assert (begun["task_id"], begun["tool_use_id"]) == (ended["task_id"], inner[0]["parent_tool_use_id"])
    assert ended["status"] == "completed"
    result = next(line for line in done.of("user") if not line["parent_tool_use_id"])["tool_use_result"]
    assert (result["status"], result["totalToolUseCount"]) == ("completed", 2)
    assert done.result["modelUsage"]["scripted"]["outputTokens"] > done.result["usage"]["output_tokens"]
    (file,) = house.config.glob("projects/*/*/subagents/agent-*.jsonl")
    entries = [json.loads(line) for line in file.read_text().splitlines()]
    assert all(entry["isSidechain"] and entry["agentId"] for entry in entries if "isSidechain" in entry)
    assert json.loads(file.with_suffix(".meta.json").read_text()) == {"toolUseId": begun["tool_use_id"]}


def test_agents_run_beside_each_other(house):
    done = house.ask(
        step(MAIN, calls=[agent("ONE"), agent("TWO")]),
        step("ONE", calls=[bash("sleep 0.7")]),
        step("TWO", calls=[bash("sleep 0.7")]),
        step("ONE", text="1"),
        step("TWO", text="2"),
        step(MAIN, text="done"),
        flags=(*STREAM, "--permission-mode", "bypassPermissions"),
        prompt=MAIN,
    )
    kinds = [line["subtype"] for line in done.lines if line.get("subtype", "").startswith("task_")]
    assert kinds == ["task_started", "task_started", "task_notification", "task_notification"]
    assert done.results == ["1", "2"]


def test_what_cannot_be_started_is_answered(house):
    calls = [agent(subagent_type="nobody"), agent(model=5), call("Agent", description="x")]
    done = house.ask(step(MAIN, calls=calls), step(MAIN, text="done"), flags=STREAM, prompt=MAIN)
    for said, found in zip(("There is no agent 'nobody'", "model", "`prompt` is required"), done.results, strict=True):
        assert said in found


def test_one_that_fails_says_so_and_its_turns_are_limited(house):
    done = house.ask(
        step(MAIN, calls=[agent(subagent_type="helper")]),
        step(SUB, calls=[bash("true")]),
        step(MAIN, text="done"),
        flags=(*STREAM, "--agents", agents(maxTurns=1)),
        prompt=MAIN,
    )
    assert "did not finish: Reached the maximum number of turns (1)" in done.results[0]
    assert done.of("system", "task_notification")[0]["status"] == "failed"


def test_the_sessions_rules_and_mode_hold_for_agents(house):
    calls = [call("Write", file_path="a", content="x"), bash("touch b")]
    tables = (
        step(MAIN, calls=[agent(subagent_type="helper")]),
        step(SUB, calls=calls),
        step(SUB, text="x"),
        step(MAIN, text="y"),
    )
    for mode, agent_mode, made in (
        ("default", "acceptEdits", {"a", "b"}),
        ("default", "bypassPermissions", set()),
        ("plan", "acceptEdits", set()),
    ):
        flags = (*STREAM, "--permission-mode", mode, "--agents", agents(permissionMode=agent_mode))
        house.ask(*tables, flags=flags, prompt=MAIN)
        found = {path.name for path in house.project.iterdir()}
        assert found == made, (mode, agent_mode)
        for path in house.project.iterdir():
            path.unlink()


def test_an_agent_that_is_denied_by_name_is_not_started(house):
    done = house.ask(
        step(MAIN, calls=[agent(subagent_type="Explore"), agent(subagent_type="Plan")]),
        step(SUB, text="plan"),
        step(MAIN, text="done"),
        flags=(*STREAM, "--disallowedTools", "Agent(Explore)"),
        prompt=MAIN,
    )
    assert "Permission denied" in done.results[0]
    assert done.results[1] == "plan"


def test_questions_of_agents_go_to_the_same_person(house):
    asked = []

    def decide(request):
        asked.append(request)
        return (
            {"behavior": "allow", "updatedInput": request["input"]}
            if len(asked) == 1
            else {"behavior": "deny", "message": "no"}
        )

    write = {"calls": [call("Write", file_path="a", content="x")]}
    tables = [
        step(MAIN, calls=[agent("ONE"), agent("TWO")]),
        step("ONE", **write),
        step("TWO", **write),
        step("ONE", text="1"),
        step("TWO", text="2"),
        step(MAIN, text="done"),
    ]
    with started(house, *tables, flags=("--permission-prompt-tool", "stdio"), answer=decide) as program:
        program.ask(MAIN)
        assert len({each["agent_id"] for each in asked}) == 2
        assert (house.project / "a").exists()


def test_an_interrupted_agent_comes_to_an_end_that_is_told(house):
    tables = [step(MAIN, calls=[agent()]), step(SUB, calls=[bash("sleep 30")])]
    with started(house, *tables, flags=("--permission-mode", "bypassPermissions")) as program:
        program.say(MAIN)
        program.until(lambda line: line.get("parent_tool_use_id"))
        program.control("interrupt")
        program.until(lambda line: line["type"] == "result")
        assert program.of("system", "task_notification")[0]["status"] == "stopped"
        assert program.lines[-1]["type"] == "result"


def test_hooks_hear_of_agents(house):
    seen = []

    def reply(request):
        seen.append(request["input"])
        if request["input"]["hook_event_name"] == "SubagentStart":
            return {"hookSpecificOutput": {"hookEventName": "SubagentStart", "additionalContext": "ctx-8"}}
        return {}

    names = ("SubagentStart", "SubagentStop", "PreToolUse", "Stop", "UserPromptSubmit")
    hooks = {name: [{"matcher": None, "hookCallbackIds": [name]}] for name in names}
    tables = [
        step(MAIN, calls=[agent(subagent_type="Explore")]),
        step(SUB, calls=[call("Glob", pattern="*")]),
        step(SUB, text="x"),
        step(MAIN, text="y"),
    ]
    with started(house, *tables, hooks=hooks, answer=reply) as program:
        program.ask(MAIN)
        assert "ctx-8" in json.dumps(program.server.requests[1].messages)
    heard = [(each["hook_event_name"], each.get("tool_name"), each.get("agent_type")) for each in seen]
    assert heard == [
        ("UserPromptSubmit", None, None),
        ("PreToolUse", "Agent", None),
        ("SubagentStart", None, "Explore"),
        ("PreToolUse", "Glob", "Explore"),
        ("SubagentStop", None, "Explore"),
        ("Stop", None, None),
    ]


def test_a_program_stops_an_agent_and_the_turn_goes_on(house):
    tables = [step(MAIN, calls=[agent()]), step(SUB, calls=[bash("sleep 30")]), step(MAIN, text="went on")]
    with started(house, *tables, flags=("--permission-mode", "bypassPermissions")) as program:
        program.say(MAIN)
        program.until(lambda line: line.get("parent_tool_use_id"))
        (begun,) = program.of("system", "task_started")
        assert "no task" in program.control("stop_task", task_id="nobody")["error"]
        assert program.control("stop_task", task_id=begun["task_id"]) == {}
        program.until(lambda line: line["type"] == "result")
        assert program.of("result")[0]["result"] == "went on"
        assert program.of("system", "task_updated")[0]["patch"] == {"status": "killed"}
        assert program.of("system", "task_notification")[0]["status"] == "stopped"


def test_a_model_that_cannot_be_had_is_answered(house):
    house.settings(modelAliases={"haiku": "no-such-model"})
    done = house.ask(
        step(MAIN, calls=[agent(model="haiku")]),
        step(MAIN, text="done"),
        flags=(*STREAM, "--model", "m"),
        prompt=MAIN,
        models=["m"],
    )
    assert "did not finish" in done.results[0]


def test_an_agents_own_mode_widens_only_where_the_person_wrote_it_and_settings_let_it(house):
    """As with settings: a repository's mode may tighten. A mode that is forbidden is so for agents, too."""
    text = "---\nname: helper\ndescription: Helps\npermissionMode: {}\n---\nYou are HELPER-1."
    theirs = house.project / ".claude/agents/helper.md"
    theirs.parent.mkdir(parents=True)
    tables = (
        step(MAIN, calls=[agent(subagent_type="helper")]),
        step(SUB, calls=[call("Write", file_path="a", content="x")]),
        step(SUB, text="x"),
        step(MAIN, text="y"),
    )
    for mode in ("acceptEdits", "auto"):
        theirs.write_text(text.format(mode))
        house.ask(*tables, flags=(*STREAM, "--trust-project"), prompt=MAIN)
        assert not (house.project / "a").exists()
    theirs.unlink()
    house.settings(disableAutoMode="disable")
    house.ask(*tables, flags=(*STREAM, "--agents", agents(permissionMode="auto")), prompt=MAIN)
    assert not (house.project / "a").exists()
