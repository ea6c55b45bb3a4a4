"""can_use_tool and hook callbacks: the program is asked, and what it says counts."""

import json
from typing import Any

import pytest

from harness.answers import read as answer
from harness.sdk.callbacks import handlers
from harness.sdk.wire import Wire
from tests.scenarios.house import bash, call
from tests.sdk.program import started

ASK = ("--permission-prompt-tool", "stdio")
WRITE = {"calls": [call("Write", file_path="a.txt", content="one")]}


def test_allow_deny_change_and_fail(house):
    said: list[Any] = [
        {"behavior": "deny", "message": "the boss said no"},
        {"behavior": "allow", "updatedInput": {"file_path": "b.txt", "content": "changed"}},
        None,
        {"behavior": "maybe"},
    ]
    asked = []

    def decide(request):
        asked.append(request)
        answer = said.pop(0)
        if answer is None:
            raise RuntimeError("exploded")
        return answer

    with started(house, *[WRITE] * 4, {"text": "done"}, flags=ASK, answer=decide) as program:
        result = program.ask("go")
        assert sorted(path.name for path in house.project.iterdir()) == ["b.txt"]
        assert (house.project / "b.txt").read_text() == "changed"
        results = [m["content"] for m in program.server.requests[-1].messages if m["role"] == "tool"]
        assert "the boss said no" in results[0]
        assert "exploded" in results[2]
        assert len(result["permission_denials"]) == 3
    assert {(each["tool_name"], each["input"]["content"]) for each in asked} == {("Write", "one")}
    assert [each["tool_use_id"] for each in asked] == [
        b["id"] for line in program.of("assistant") for b in line["message"]["content"] if b["type"] == "tool_use"
    ]
    assert asked[0]["permission_suggestions"][0]["rules"][0]["toolName"] == "Edit"


def test_an_interrupting_denial_ends_the_turn(house):
    with started(
        house,
        WRITE,
        {"text": "never"},
        flags=ASK,
        answer=lambda _: {"behavior": "deny", "message": "", "interrupt": True},
    ) as program:
        assert program.ask("go")["terminal_reason"] == "aborted_tools"
        assert len(program.server.requests) == 1


def test_updates_count_for_the_session_all_or_none(house):
    rules = {"type": "addRules", "rules": [{"toolName": "Write"}], "behavior": "allow", "destination": "session"}
    mode = {"type": "setMode", "mode": "acceptEdits", "destination": "session"}
    updates: list[Any] = [[rules, {"type": "nonsense"}], [rules], []]
    asked = []

    def decide(request):
        asked.append(request["tool_name"])
        return {"behavior": "allow", "updatedInput": request["input"], "updatedPermissions": updates.pop(0)}

    with started(house, WRITE, WRITE, WRITE, {"text": "x"}, flags=ASK, answer=decide) as program:
        program.ask("go")
        assert asked == ["Write", "Write"]  # the first update was bad, the second counts for the third call
    updates[:] = [[mode]]
    with started(house, WRITE, WRITE, {"text": "x"}, {"text": "y"}, flags=ASK, answer=decide) as program:
        program.ask("go")
        program.ask("again")
        assert program.of("system", "init")[-1]["permissionMode"] == "acceptEdits"


def test_what_an_answer_denies_shows_in_no_search_from_then_on(house):
    (house.project / "secret.txt").write_text("needle in secret\n")
    (house.project / "open.txt").write_text("needle in the open\n")
    secret = {"toolName": "Read", "ruleContent": "secret.txt"}
    rules = {"type": "addRules", "rules": [secret], "behavior": "deny", "destination": "session"}
    grep = call("Grep", pattern="needle", output_mode="content")

    def decide(request):
        return {"behavior": "allow", "updatedInput": request["input"], "updatedPermissions": [rules]}

    steps = ({"calls": [grep]}, WRITE, {"calls": [grep]}, {"text": "x"})
    with started(house, *steps, flags=ASK, answer=decide) as program:
        program.ask("go")
        first, _, last = [
            block["content"]
            for line in program.of("user")
            for block in line["message"]["content"]
            if isinstance(block, dict) and block.get("type") == "tool_result"
        ]
    assert "in secret" in first
    assert "in the open" in last
    assert "in secret" not in last


def test_a_question_is_taken_back_when_the_turn_is_interrupted(house):
    with started(house, WRITE, flags=ASK) as program:
        program.silent = True
        program.say("go")
        question = program.until(lambda line: line["type"] == "control_request")
        program.control("interrupt")
        cancel = program.until(lambda line: line["type"] == "control_cancel_request")
        assert cancel["request_id"] == question["request_id"]
        program.until(lambda line: line["type"] == "result")


def test_a_program_that_stops_listening_has_said_no(house):
    with started(house, WRITE, {"text": "x"}, flags=ASK) as program:
        program.silent = True
        program.say("go")
        program.until(lambda line: line["type"] == "control_request")
        assert program.close()[0] == 0
        assert not (house.project / "a.txt").exists()
        program.until(lambda line: line["type"] == "result")


def test_only_a_clear_yes_is_one():
    for said in ({}, {"behavior": "Allow"}, {"behavior": None}, {"behavior": ["allow"]}):
        assert answer(said).decision == "deny"


def hook(event: str, *ids: str, **more: Any) -> dict[str, Any]:
    return {event: [{"matcher": None, "hookCallbackIds": list(ids), **more}]}


def own(event: str, **fields: Any) -> dict[str, Any]:
    return {"hookSpecificOutput": {"hookEventName": event, **fields}}


def test_hooks_are_asked_and_heard(house):
    answers = {
        "pre": own("PreToolUse", permissionDecision="deny", permissionDecisionReason="policy-1"),
        "post": own("PostToolUseFailure", additionalContext="never"),
        "ups": own("UserPromptSubmit", additionalContext="ctx-2"),
        "later": {"async": True, **own("PreToolUse", permissionDecision="allow")},
    }
    seen = []

    def reply(request):
        seen.append(request)
        return answers[request["callback_id"]]

    hooks = {**hook("PreToolUse", "pre", "later"), **hook("UserPromptSubmit", "ups"), **hook("PostToolUse", "post")}
    flags = ("--permission-mode", "bypassPermissions")
    with started(house, {"calls": [bash("touch x")]}, {"text": "x"}, hooks=hooks, answer=reply, flags=flags) as program:
        program.ask("go")
        sent = program.server.requests[-1].messages
    assert not (house.project / "x").exists()
    assert "policy-1" in sent[-1]["content"]
    assert "ctx-2" in json.dumps(sent)
    assert sorted(each["callback_id"] for each in seen) == ["later", "pre", "ups"]
    pre = next(each for each in seen if each["callback_id"] == "pre")
    assert pre["tool_use_id"] == pre["input"]["tool_use_id"]
    assert pre["input"]["tool_input"] == {"command": "touch x"}


def test_a_hook_that_fails_carries_on_unless_it_guards(house):
    def fails(_request):
        raise RuntimeError("crashed")

    for more, ran in (({}, True), ({"onFailure": "block"}, False)):
        flags = ("--permission-mode", "bypassPermissions")
        with started(
            house,
            {"calls": [bash("touch x")]},
            {"text": "x"},
            hooks=hook("PreToolUse", "h", **more),
            answer=fails,
            flags=flags,
        ) as program:
            program.ask("go")
            assert (house.project / "x").exists() is ran
            assert "crashed" in json.dumps(program.of("system", "informational"))
        (house.project / "x").unlink(missing_ok=True)


def test_a_slow_hook_is_cancelled(house):
    with started(
        house, {"calls": [bash("true")]}, {"text": "x"}, hooks=hook("PreToolUse", "h", timeout=0.2)
    ) as program:
        program.silent = True
        result = program.ask("go")
        assert result["result"] == "x"
        (question,) = program.asked
        assert program.of("control_cancel_request")[0]["request_id"] == question["request_id"]


@pytest.mark.parametrize(
    "hooks",
    [[], {"PreToolUse": {}}, {"PreToolUse": [{}]}, {"PreToolUse": [{"matcher": "(", "hookCallbackIds": ["a"]}]}],
)
def test_hooks_of_another_form_are_refused(hooks):
    with pytest.raises(ValueError, match="hooks"):
        list(handlers(hooks, Wire(0, 1)))


def test_a_rule_for_local_settings_is_kept_there(house):
    rules = {
        "type": "addRules",
        "rules": [{"toolName": "Bash", "ruleContent": "touch:*"}],
        "behavior": "allow",
        "destination": "localSettings",
    }

    def decide(request):
        return {"behavior": "allow", "updatedInput": request["input"], "updatedPermissions": [rules]}

    with started(
        house, {"calls": [bash("touch x")]}, {"calls": [bash("touch y")]}, {"text": "x"}, flags=ASK, answer=decide
    ) as program:
        program.ask("go")
        assert len(program.asked) == 1
    assert "Bash(touch:*)" in (house.project / ".harness" / "settings.local.json").read_text() + "".join(
        path.read_text() for path in house.project.glob(".claude/settings.local.json")
    )
