"""The loop against a fake provider and fake tools: order, overlap, interrupts, limits."""

from collections.abc import AsyncGenerator, Callable

import anyio
import pytest

from harness.asks import Answer, Asks
from harness.errors import ProviderError, Retry
from harness.events import (
    AssistantMessage,
    Event,
    HookPermissionResult,
    PermissionRequest,
    PreventContinuation,
    Result,
    StreamEvent,
    UserMessage,
)
from harness.guards.limits import Limits
from harness.loop import Deps
from harness.messages import Assistant, Text, TextDelta, ToolCall, ToolResult, User
from harness.permissions.decision import Allow, Ask, Deny
from harness.providers.port import CallReady, MessageEnd, ModelEvent, Request, Retrying
from harness.request import AHEAD
from tests.fakes import Driven, call, drive, says


def result(driven: Driven) -> Result:
    assert driven.tags().count("result") == 1
    assert driven.tags().count("stop") == 1
    last = driven.events[-1]
    assert isinstance(last, Result)
    return last


async def test_text_only():
    driven = await drive(says("ok"))
    assert (result(driven).result, result(driven).subtype, result(driven).exit_code) == ("ok", "success", 0)
    assert driven.tags() == [
        "user",
        "stream_request_start",
        "stream_event",
        "stream_event",
        "assistant",
        "stopReason",
        "stop",
        "result",
    ]


async def test_reads_overlap_effects_run_alone():
    calls = (
        call("a", seconds=0.05),
        call("b", seconds=0.06),
        call("w", "write", seconds=0.02),
        call("c", seconds=0.03),
    )
    driven = await drive(says("", *calls), says("done"))
    assert [r.call_id for r in driven.results] == ["a", "b", "w", "c"]
    at = driven.tools.log.index
    assert at(("start", "0.06")) < at(("end", "0.05"))
    assert at(("start", "0.02")) > max(at(("end", "0.05")), at(("end", "0.06")))
    assert at(("start", "0.03")) > at(("end", "0.02"))


async def test_reads_start_before_the_message_is_whole_and_are_told_after_it():
    driven = await drive(says("", call("a", seconds=0), call("b"), call("c")), says("done"))
    kinds = [type(e).__name__ for e in driven.events]
    assert kinds.index("HookPermissionResult") < kinds.index("AssistantMessage")
    first = next(i for i, e in enumerate(driven.events) if isinstance(e, UserMessage) and e.source == "tool")
    assert first > kinds.index("AssistantMessage")


async def test_effects_wait_for_the_whole_message():
    driven = await drive(says("", call("w", "write", seconds=0), call("a")), says("done"))
    kinds = [type(e).__name__ for e in driven.events]
    assert kinds.index("HookPermissionResult") > kinds.index("AssistantMessage")


async def test_reads_that_would_ask_do_not_start_early():
    driven = await drive(says("", call("a"), call("b")), says("x"), decide=lambda _c, _e, _r: Ask("mode", "outside"))
    kinds = [type(e).__name__ for e in driven.events]
    assert kinds.index("HookPermissionResult") > kinds.index("AssistantMessage")
    assert len(result(driven).permission_denials) == 2


async def test_interrupt_while_streaming_keeps_what_was_said():
    def hook(event, deps, _state):
        if isinstance(event, StreamEvent):
            deps.interrupt.request()

    async def speaks(_request: Request) -> AsyncGenerator[ModelEvent, None]:
        yield TextDelta("h")
        await anyio.sleep(60)
        yield MessageEnd(says("hello"))

    driven = await drive(speaks, hook=hook)
    assert result(driven).terminal_reason == "aborted_streaming"
    assert result(driven).exit_code == 130
    partial = [e for e in driven.events if isinstance(e, AssistantMessage)]
    assert partial[0].interrupted
    assert partial[0].message.text == "h"


async def test_interrupt_during_tools_answers_every_call_and_leaves_nothing_running():
    def hook(event, deps, _state):
        if isinstance(event, HookPermissionResult):
            deps.interrupt.request()

    driven = await drive(says("", call("a", "write", seconds=50), call("b", "write", seconds=51)), hook=hook)
    assert [(r.call_id, r.is_error) for r in driven.results] == [("a", True), ("b", True)]
    assert ("start", "51") not in driven.tools.log
    assert result(driven).terminal_reason == "aborted_tools"


async def test_interrupt_between_requests_is_not_lost():
    def hook(event, deps, _state):
        if isinstance(event, UserMessage) and event.source == "tool":
            deps.interrupt.request()

    driven = await drive(says("", call("a")), says("never asked for"), hook=hook)
    assert len(driven.provider.asked) == 1
    assert result(driven).is_error


async def test_broken_stream_drops_what_ran_ahead_and_counts_calls_once():
    async def broken(_request: Request) -> AsyncGenerator[ModelEvent, None]:
        yield TextDelta("lost")
        yield CallReady(call("a", seconds=30.0))
        await anyio.sleep(0.02)
        yield Retrying(1, 3, 0.0, "connection closed")
        yield TextDelta("kept")
        whole = says("kept", call("a", seconds=0.01))
        yield CallReady(whole.calls[0])
        yield MessageEnd(whole)

    driven = await drive(broken, says("done"))
    assert [r.call_id for r in driven.results] == ["a"]
    assert ("cancelled", "30.0") in driven.tools.log
    assert "system" in driven.tags()


async def test_a_call_that_never_came_alone_is_run_from_the_whole_message():
    async def whole_only(_request: Request) -> AsyncGenerator[ModelEvent, None]:
        await anyio.sleep(0)
        yield MessageEnd(says("", call("a")))

    driven = await drive(whole_only, says("done"))
    assert [r.is_error for r in driven.results] == [False]


async def test_steering_is_taken_before_the_next_request():
    def hook(event, _deps, state):
        if isinstance(event, AssistantMessage) and event.message.text == "one":
            state.inbox.append(User((Text("also"),)))

    driven = await drive(says("one"), says("two"), hook=hook)
    assert driven.provider.asked[1][-1] == User((Text("also"),))
    assert result(driven).result == "two"


async def test_max_turns():
    driven = await drive(says("", call("a")), says("", call("b")), limits=Limits(turns=2))
    assert (result(driven).subtype, result(driven).num_turns) == ("error_max_turns", 2)
    assert any(isinstance(e, PreventContinuation) and e.cause == "max_turns" for e in driven.events)
    assert [r.call_id for r in driven.results] == ["a", "b"]


@pytest.mark.parametrize(("kind", "exit_code"), [("overloaded", 75), ("auth", 1)])
async def test_a_failed_request_is_a_result_with_is_error(kind, exit_code):
    driven = await drive(ProviderError(kind, "no", "do this", status=500, retry=Retry()))
    assert (result(driven).subtype, result(driven).is_error) == ("success", True)
    assert (result(driven).exit_code, result(driven).api_error_status) == (exit_code, 500)
    assert result(driven).result == "API Error: no\ndo this"


@pytest.mark.parametrize(
    "bad",
    [
        ToolCall("a", "read", "{}", None, "not JSON: line 1"),
        call("a", "nosuchtool"),
        call("a", seconds="soon"),
    ],
)
async def test_unusable_calls_are_answered_and_three_messages_of_them_end_the_turn(bad):
    driven = await drive(*(says("", bad) for _ in range(4)))
    assert result(driven).terminal_reason == "malformed_tool_use_exhausted"
    assert [r.is_error for r in driven.results] == [True] * 3


async def test_a_usable_call_between_unusable_ones_starts_the_count_again():
    bad = says("", call("a", "nosuchtool"))
    driven = await drive(bad, bad, says("", call("a")), bad, bad, says("done"))
    assert result(driven).terminal_reason == "completed"


async def test_a_tools_failure_is_a_result_the_model_sees():
    driven = await drive(says("", call("a", fails="no such file")), says("done"))
    assert driven.results[0].is_error
    assert driven.results[0].text == "no such file"


async def test_a_denied_call_is_listed_and_told_to_the_model():
    driven = await drive(
        says("", call("a", seconds=1)), says("x"), decide=lambda _c, _e, _r: Deny("rule", "because", "R")
    )
    denial = result(driven).permission_denials[0]
    assert (denial.tool_name, denial.tool_use_id, denial.tool_input) == ("read", "a", {"seconds": 1})
    assert "because (rule: R)" in driven.results[0].text


@pytest.mark.parametrize(
    ("answer", "ran", "requests"),
    [(Answer("allow"), True, 2), (Answer("deny", "not now"), False, 2), (Answer("deny", stop=True), False, 1)],
)
async def test_asking_the_person(answer, ran, requests):
    asks = Asks()

    def hook(event, _deps, _state):
        if isinstance(event, PermissionRequest):
            assert asks.answer(event.id, answer)

    driven = await drive(
        says("", call("a", "write")), says("done"), decide=lambda _c, _e, _r: Ask("mode", "edit"), asks=asks, hook=hook
    )
    assert bool(driven.tools.log) == ran
    assert len(driven.provider.asked) == requests
    assert len(driven.results) == 1


async def test_a_heartbeat_comes_while_the_model_is_silent():
    async def slow(_request: Request) -> AsyncGenerator[ModelEvent, None]:
        await anyio.sleep(0.08)
        yield MessageEnd(says("late"))

    driven = await drive(slow, heartbeat=0.02)
    assert driven.tags().count("progress") >= 2


async def test_a_bug_in_a_tool_is_raised():
    def broken(_call, _effects, _real):
        raise ZeroDivisionError

    with pytest.raises(ExceptionGroup) as raised:
        await drive(says("", call("a")), decide=broken)
    assert raised.group_contains(ZeroDivisionError)


async def test_an_answer_without_an_end_is_an_error_and_no_hang():
    async def endless(_request: Request) -> AsyncGenerator[ModelEvent, None]:
        yield TextDelta("and then")

    driven = await drive(endless)
    assert "without a whole message" in result(driven).result


async def test_a_thousand_rounds():
    driven = await drive(*(says("", call("a", seconds=0)) for _ in range(300)), says("done"))
    assert len(driven.results) == 300
    assert all(isinstance(m, ToolResult) for m in driven.state.messages[2::2])


async def test_allow_is_decided_anew_when_the_call_starts():
    seen: list[int] = []

    def decide(_call, _effects, _real):
        seen.append(1)
        return Allow("mode", "") if len(seen) == 1 else Deny("rule", "changed meanwhile")

    driven = await drive(says("", call("a")), says("done"), decide=decide)
    assert driven.results[0].is_error


async def test_a_call_that_the_whole_message_takes_back_is_not_run():
    async def filtered(_request: Request) -> AsyncGenerator[ModelEvent, None]:
        yield CallReady(call("r", seconds=30.0))
        yield CallReady(call("w", "write", seconds=0))
        await anyio.sleep(0.02)
        yield MessageEnd(says("no"))

    driven = await drive(filtered)
    assert driven.tools.log == [("start", "30.0"), ("cancelled", "30.0")]
    assert result(driven).terminal_reason == "completed"


async def test_rules_see_the_tool_and_the_fields_by_their_own_names_however_the_model_spelt_them():
    seen: list[ToolCall] = []

    def decide(call, _effects, _real):
        seen.append(call)
        return Deny("rule", "no")

    driven = await drive(says("", call("a", "WRITE", seconds="1")), says("x"), decide=decide)
    assert {(each.name, str(each.input)) for each in seen} == {("write", "{'seconds': 1.0}")}
    assert result(driven).permission_denials[0].tool_name == "write"


async def test_one_refusal_ends_the_turn_without_a_second_question():
    asks, asked = Asks(), []

    def hook(event, _deps, _state):
        if isinstance(event, PermissionRequest):
            asked.append(event.id)
            asks.answer(event.id, Answer("deny", stop=True))

    reads = says("", call("a"), call("b"))
    driven = await drive(reads, decide=lambda _c, _e, _r: Ask("mode", "outside"), asks=asks, hook=hook)
    assert asked == ["a"]
    assert [r.call_id for r in driven.results] == ["a", "b"]


async def test_the_shell_is_made_ready_while_the_model_thinks_and_given_up_before_a_write():
    def thinking(message: Assistant) -> Callable[[Request], AsyncGenerator[ModelEvent, None]]:
        async def slow(_request: Request) -> AsyncGenerator[ModelEvent, None]:
            await anyio.sleep(2 * AHEAD)
            yield MessageEnd(message)

        return slow

    told: list[str] = []

    def listen(event: Event, deps: Deps, _: object) -> None:
        if event.type == "stop":
            told.extend(deps.calls.context.shell.told)  # type: ignore[attr-defined]

    writing = says("", call("w", "write"))
    await drive(says("", call("r")), thinking(says("", call("s"))), thinking(writing), says("done"), hook=listen)
    assert told == ["prepare /project", "prepare /project", "discard"], "and not for an answer that comes at once"
