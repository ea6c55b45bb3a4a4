"""Hooks in the life of a turn: handlers as functions, the loop as it is."""

from collections.abc import Callable
from typing import Any

import anyio

from harness import execute
from harness.asks import Answer, Asks
from harness.events import AssistantMessage, HookPermissionResult, Notice, PermissionRequest, Progress, Result, System
from harness.hooks import asking
from harness.hooks.handler import Handler, HookFailed, Ran
from harness.hooks.matching import matcher
from harness.hooks.verdict import read
from harness.permissions.decision import Ask
from tests.fakes import Driven, call, drive, says

Json = dict[str, Any]


def handler(event: str, answer: Callable[[Json], Any], match: str | None = None, **fields: Any) -> Handler:
    async def run(given: Json, _call_id: str | None) -> Ran:
        said = answer(given)
        if hasattr(said, "__await__"):
            said = await said
        return Ran(read(event, said or {}))

    return Handler(event, matcher(match), "test", run, fields.pop("timeout", 5.0), object(), **fields)


def own(event: str, **fields: Any) -> Json:
    return {"hookSpecificOutput": {"hookEventName": event, **fields}}


def result(driven: Driven) -> Result:
    assert driven.tags().count("result") == 1
    last = driven.events[-1]
    assert isinstance(last, Result)
    return last


async def test_updated_input_is_validated_and_decided_anew():
    seen: list[Any] = []

    def decide(called: Any, _effects: Any, _real: Any) -> Any:
        seen.append(dict(called.input))
        return Ask("mode", "")

    hook = handler(
        "PreToolUse", lambda _: own("PreToolUse", permissionDecision="allow", updatedInput={"seconds": 0.01})
    )
    driven = await drive(says("", call("w", "write", seconds=0.02)), says("x"), decide=decide, hooks=[hook])
    assert seen[-1] == {"seconds": 0.01}
    assert driven.tools.log == [("start", "0.01"), ("end", "0.01")]
    bad = handler("PreToolUse", lambda _: own("PreToolUse", permissionDecision="allow", updatedInput={"no": 1}))
    driven = await drive(says("", call("w", "write", seconds=0.02)), says("x"), hooks=[bad])
    assert driven.results[0].is_error
    assert driven.tools.log == []


async def test_reads_with_a_hook_do_not_start_early_and_those_without_do():
    hook = handler("PostToolUse", lambda _: {}, "write")
    free = await drive(says("", call("a", seconds=0), call("b")), says("x"), hooks=[hook])
    hooked = await drive(
        says("", call("a", seconds=0), call("b")), says("x"), hooks=[handler("PostToolUse", lambda _: {}, "read")]
    )
    for driven, early in ((free, True), (hooked, False)):
        kinds = [type(event) for event in driven.events]
        assert (kinds.index(HookPermissionResult) < kinds.index(AssistantMessage)) is early


async def test_all_of_an_event_run_at_once_and_equal_ones_once():
    running, most = 0, 0

    async def slow() -> Json:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await anyio.sleep(0.05)
        running -= 1
        return own("PreToolUse", additionalContext="c")

    same = handler("PreToolUse", lambda _: slow())
    driven = await drive(
        says("", call("w", "write")), says("x"), hooks=[same, same, handler("PreToolUse", lambda _: slow())]
    )
    assert most == 2
    assert driven.results[0].text.count("<hook>\nc\nc\n</hook>") == 1


async def test_a_hook_out_of_time_decides_nothing_unless_it_guards():
    async def never() -> Json:
        await anyio.sleep_forever()
        return {}

    slow = handler("PreToolUse", lambda _: never(), timeout=0.05)
    driven = await drive(says("", call("w", "write")), says("x"), hooks=[slow])
    assert not driven.results[0].is_error
    assert any(isinstance(e, Notice) and e.cause == "hook" and "0.05 s" in e.text for e in driven.events)
    guard = handler("PreToolUse", lambda _: never(), timeout=0.05, guards=True)
    driven = await drive(says("", call("w", "write")), says("x"), hooks=[guard])
    assert driven.tools.log == []
    assert [d.tool_use_id for d in result(driven).permission_denials] == ["w"]


async def test_a_crash_is_told_and_decides_nothing():
    def crash(_: Json) -> Json:
        raise HookFailed("boom")

    driven = await drive(says("", call("w", "write")), says("x"), hooks=[handler("PreToolUse", crash)])
    assert not driven.results[0].is_error
    assert any(isinstance(e, System) and e.data.get("outcome") == "error" for e in driven.events)


async def test_one_whose_matcher_cannot_be_read_only_narrows():
    def deny(_c: Any, _e: Any, _r: Any) -> Ask:
        return Ask("mode", "")

    hook = handler("PreToolUse", lambda _: own("PreToolUse", permissionDecision="allow"), only_narrows=True)
    driven = await drive(says("", call("w", "write")), says("x"), decide=deny, hooks=[hook])
    assert driven.results[0].is_error


async def test_hooks_can_be_interrupted_and_show_that_they_run(monkeypatch):
    monkeypatch.setattr(asking, "BEAT", 0.02)

    async def never() -> Json:
        await anyio.sleep_forever()
        return {}

    def interrupt(event: Any, deps: Any, _state: Any) -> None:
        if isinstance(event, Progress) and "hook" in event.what:
            deps.interrupt.request()

    for event in ("UserPromptSubmit", "PreToolUse", "Stop"):
        driven = await drive(
            says("", call("w", "write")), says("x"), hooks=[handler(event, lambda _: never())], hook=interrupt
        )
        assert result(driven).terminal_reason.startswith("aborted") or event == "Stop"
        assert any(isinstance(e, Progress) and e.what.startswith(f"{event} hook") for e in driven.events)


async def test_a_prompt_can_be_refused_and_added_to():
    driven = await drive(
        says("x"),
        hooks=[handler("UserPromptSubmit", lambda given: {"decision": "block", "reason": f"not {given['prompt']}"})],
    )
    assert driven.provider.asked == []
    assert (result(driven).terminal_reason, result(driven).errors, driven.state.messages) == (
        "hook_stopped",
        ("not go",),
        [],
    )
    driven = await drive(
        says("x"), hooks=[handler("UserPromptSubmit", lambda _: own("UserPromptSubmit", additionalContext="ctx"))]
    )
    assert driven.provider.asked[0][0].text == "go<hook>\nctx\n</hook>"


async def test_after_a_call():
    seen: list[Json] = []

    def post(given: Json) -> Json:
        seen.append(given)
        return {"decision": "block", "reason": "lint"}

    hooks = [handler("PostToolUse", post), handler("PostToolUseFailure", post)]
    driven = await drive(says("", call("a", "write"), call("b", "write", fails="no")), says("x"), hooks=hooks)
    assert [(given["hook_event_name"], given["tool_use_id"]) for given in seen] == [
        ("PostToolUse", "a"),
        ("PostToolUseFailure", "b"),
    ]
    assert (seen[0]["tool_response"], seen[1]["error"]) == ("ok 2", "no")
    assert all("lint" in each.text for each in driven.results)


async def test_continue_false_ends_the_turn():
    stop = {"continue": False, "stopReason": "enough"}
    for event, ran in (("PreToolUse", False), ("PostToolUse", True)):
        driven = await drive(says("", call("w", "write")), says("never"), hooks=[handler(event, lambda _: stop)])
        assert (result(driven).terminal_reason, result(driven).errors) == ("hook_stopped", ("enough",))
        assert bool(driven.tools.log) is ran
        assert len(driven.provider.asked) == 1


async def test_stop_hooks_send_the_model_back_eight_times_at_most():
    seen: list[bool] = []

    def back(given: Json) -> Json:
        seen.append(given["stop_hook_active"])
        return {"decision": "block", "reason": "go on"}

    driven = await drive(*[says(f"{n}") for n in range(9)], hooks=[handler("Stop", back)])
    assert seen == [False] + [True] * 8
    assert result(driven).terminal_reason == "completed"
    assert [m.text for m in driven.state.messages].count("go on") == 8


async def test_a_hook_may_answer_for_the_person_but_not_for_an_ask_rule():
    def answers(_: Json) -> Json:
        return own("PermissionRequest", decision={"behavior": "allow", "updatedInput": {"seconds": 0.01}})

    def asks_by(source: str) -> Callable[..., Ask]:
        return lambda _c, _e, _r: Ask(source, "why")

    hook = handler("PermissionRequest", answers)
    driven = await drive(says("", call("w", "write")), says("x"), decide=asks_by("mode"), hooks=[hook])
    assert driven.tools.log[0] == ("start", "0.01")
    assert [e.source for e in driven.events if isinstance(e, HookPermissionResult)] == ["mode", "hook"]
    for source in ("rule", "critical", "tool"):
        driven = await drive(says("", call("w", "write")), says("x"), decide=asks_by(source), hooks=[hook])
        assert driven.results[0].is_error
    no = handler(
        "PermissionRequest", lambda _: own("PermissionRequest", decision={"behavior": "deny", "message": "no-1"})
    )
    driven = await drive(says("", call("w", "write")), says("x"), decide=asks_by("rule"), hooks=[hook, no])
    assert "no-1" in driven.results[0].text
    asks = Asks()

    def person(event: Any, _deps: Any, _state: Any) -> None:
        if isinstance(event, PermissionRequest):
            raise AssertionError("the hook has answered already")

    await drive(says("", call("w", "write")), says("x"), decide=asks_by("mode"), hooks=[hook], asks=asks, hook=person)


async def test_a_question_that_nobody_answers_is_told_of(monkeypatch):
    monkeypatch.setattr(execute, "UNANSWERED", 0.02)
    asks, seen = Asks(), []

    def hear(given: Json) -> None:
        seen.append((given["notification_type"], given["message"]))
        asks.answer("w", Answer("allow"))

    hooks = [handler("Notification", hear, "permission_prompt")]
    driven = await drive(
        says("", call("w", "write")), says("x"), decide=lambda _c, _e, _r: Ask("mode", "why"), hooks=hooks, asks=asks
    )
    assert seen == [("permission_prompt", "Permission is needed to use write: why")]
    assert not driven.results[0].is_error


async def test_what_leaves_the_sandbox_and_what_a_rule_asks_about_is_no_hooks_to_allow():
    """Not by an input that is put in the place of another one, either; and a no is a no, whatever asked."""

    def asks_by(source: str) -> Callable[..., Ask]:
        return lambda *_: Ask(source, "why")

    allow = handler("PermissionRequest", lambda _: own("PermissionRequest", decision={"behavior": "allow"}))
    for source in ("rule", "sandbox"):
        driven = await drive(says("", call("w", "write")), says("x"), decide=asks_by(source), hooks=[allow])
        assert driven.results[0].is_error
        assert driven.tools.log == []

    def decide(called: Any, _effects: Any, _real: Any) -> Ask:
        return Ask("rule" if called.input else "mode", "why")

    instead = {"behavior": "allow", "updatedInput": {"seconds": 0.01}}
    changed = handler("PermissionRequest", lambda _: own("PermissionRequest", decision=instead))
    driven = await drive(says("", call("w", "write")), says("x"), decide=decide, hooks=[changed])
    assert "a person's to allow" in driven.results[0].text
    assert driven.tools.log == []
    no = {"behavior": "deny", "message": "never"}
    deny = handler("PermissionRequest", lambda _: own("PermissionRequest", decision=no))
    driven = await drive(says("", call("w", "write")), says("x"), decide=lambda *_: Ask("rule", ""), hooks=[deny])
    assert "never" in driven.results[0].text


async def test_the_answer_of_a_repositorys_hook_changes_no_rights():
    update = {"type": "setMode", "mode": "acceptEdits", "destination": "session"}
    answer = own("PermissionRequest", decision={"behavior": "allow", "updatedPermissions": [update]})
    for keeps, applied in ((False, [(update,)]), (True, [()])):
        seen: list[Any] = []
        hook = handler("PermissionRequest", lambda _: answer, keeps_rights=keeps)

        def watch(_event: Any, deps: Any, _state: Any, seen: list[Any] = seen) -> None:
            deps.calls.updates = seen.append

        await drive(
            says("", call("w", "write")), says("x"), decide=lambda *_: Ask("mode", ""), hooks=[hook], hook=watch
        )
        assert seen == applied


def test_matchers_by_any_name_of_a_tool():
    for text in ("KillShell", "Read|KillBash", "^Kill.*$", "TaskStop"):
        assert matcher(text)("TaskStop")
        assert not matcher(text)("TaskOutput")
