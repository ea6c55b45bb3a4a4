"""docs/events.md is true: it names every event, its line and whether it is kept, and turns have its order."""

import re
from dataclasses import fields
from pathlib import Path
from typing import Any, get_args

import anyio
import pytest

from harness import events
from harness.catalogue import listing
from harness.errors import ProviderError
from harness.guards.limits import Limits
from harness.lines import StreamLines
from harness.messages import TextDelta, ToolResult
from harness.permissions.decision import Ask, Deny
from harness.providers.port import MessageEnd, Model, Retrying
from harness.turn import Turn
from tests.fakes import Script, call, drive, says

DOC = (Path(__file__).parents[1] / "docs" / "events.md").read_text("utf-8")
ROWS = dict(re.findall(r"^\| `(\w+)` (\|.*)$", DOC, re.MULTILINE))
KINDS = get_args(events.Event)


def cells(kind):
    return [cell.strip() for cell in ROWS[kind.type].strip("|").split("|")]


def test_the_table_lists_exactly_the_events():
    assert list(ROWS) == [kind.type for kind in KINDS]
    assert len(ROWS) == 13 + 2


def test_the_list_that_is_printed_is_the_same():
    assert re.findall(r"^(\w+)  \S", listing(), re.MULTILINE) == list(ROWS)


def test_the_printed_list_has_every_field_with_a_readable_type():
    for kind, block in zip(KINDS, listing().split("\n\n"), strict=True):
        named = [line.strip().split(":")[0] for line in block.splitlines()[1:]]
        assert named == [field.name for field in fields(kind)]
    assert "harness." not in listing()
    assert "typing." not in listing()


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.type)
def test_kept_is_what_the_journal_keeps(kind):
    assert cells(kind)[-1] == ("yes" if issubclass(kind, events.DURABLE) else "no")


SAMPLES: list[events.Event] = [
    events.StreamRequestStart(request_id="r", model="m", endpoint="e", estimated_input_tokens=1),
    events.StreamEvent(delta=TextDelta("a")),
    events.AssistantMessage(message=says("a"), interrupted=True),
    events.UserMessage(message=ToolResult("c", ()), source="tool"),
    events.System(subtype="init"),
    Turn(ended="completed").result(Model("m", "e")),
    events.Progress(what="request", elapsed=1),
    events.Stopped(reason="completed"),
    events.StopReason(message_id="m", reason="end_turn"),
    events.HookPermissionResult(call_id="c", tool="t", decision="deny", source="rule"),
    events.PreventContinuation(cause="c", reason="r"),
    events.ToolProgress(call_id="c", tool="t", text="x", total_bytes=1, elapsed=1),
    events.Notice(level="error", cause="c", text="t"),
    events.PermissionRequest(id="c", call=call("c"), mode="default", reason="r"),
    events.SubagentEvent(
        call_id="c", agent_id="a", event=events.UserMessage(message=ToolResult("c", ()), source="tool")
    ),
]


@pytest.mark.parametrize("event", SAMPLES, ids=lambda event: event.type)
def test_the_line_is_the_one_that_is_printed(event):
    said = cells(type(event))[-2]
    for line in StreamLines("s").of(event):
        assert f"`{line['type']}`" in said
        inner = event.event.type if isinstance(event, events.SubagentEvent) else event.type
        assert line["type"] == inner or f"`{line['subtype']}`" in said


def test_there_is_a_sample_of_each():
    assert [type(event) for event in SAMPLES] == list(KINDS)


def grammar():
    """The rules of the document as one regular expression over tags, each followed by a comma."""
    rules = dict(re.findall(r"^(\w+) = (.*)$", DOC.split("```")[1], re.MULTILINE))
    text = "turn"
    while names := set(re.findall(r"\w+", text)) & set(rules):
        for name in names:
            text = re.sub(rf"\b{name}\b", f"({rules[name]})", text)
    return re.compile(re.sub(r"\w+|\s+", lambda token: "" if token[0].isspace() else f"(?:{token[0]},)", text))


async def retried(_request):
    yield TextDelta("bro")
    yield Retrying(1, 3, 0.0, "broken")
    yield TextDelta("ok")
    yield MessageEnd(says("ok"))


async def endless(_request):
    yield TextDelta("on")
    await anyio.sleep(60)


def interrupts(event, deps, _state):
    if isinstance(event, events.StreamEvent):
        deps.interrupt.request()


def steers(event, _deps, state):
    if isinstance(event, events.StopReason) and not state.inbox and len(state.messages) < 4:
        state.inbox.append(state.messages[0])


def asking(_call, _effects, _real):
    return Ask("mode", "why")


TURNS: dict[str, tuple[tuple[Script, ...], dict[str, Any]]] = {
    "plain": ((says("hi"),), {}),
    "calls": ((says("look", call("a"), call("b", "write")), says("done")), {}),
    "denied": ((says("", call("a")), says("ok")), {"decide": lambda _c, _e, _r: Deny("rule", "no", "Read")}),
    "nobody to ask": ((says("", call("a", "write")), says("ok")), {"decide": asking}),
    "no such tool": ((says("", call("a", "nothing")), says("ok")), {}),
    "never usable": (tuple(says("", call(f"c{n}", "nothing")) for n in range(3)), {}),
    "limit": ((says("", call("a")),), {"limits": Limits(turns=1)}),
    "failure": ((ProviderError("network", "down"),), {}),
    "retry": ((retried,), {}),
    "interrupt": ((endless,), {"hook": interrupts}),
    "steering": ((says("one"), says("two")), {"hook": steers}),
    "heartbeat": ((says("", call("a")), says("ok")), {"heartbeat": 0.001}),
}


@pytest.mark.parametrize("turn", TURNS)
async def test_a_turn_has_the_documented_order(turn):
    scripts, options = TURNS[turn]
    driven = await drive(*scripts, **options)
    tags = "".join(f"{tag}," for tag in ["system", *driven.tags()])
    assert grammar().fullmatch(tags), tags


@pytest.mark.parametrize("turn", TURNS)
async def test_every_call_is_answered_in_order_and_the_end_is_one(turn):
    scripts, options = TURNS[turn]
    driven = await drive(*scripts, **options)
    asked = [c.id for e in driven.events if isinstance(e, events.AssistantMessage) for c in e.message.calls]
    said = [e.message for e in driven.events if isinstance(e, events.UserMessage)]
    answered = [message.call_id for message in said if isinstance(message, ToolResult)]
    assert answered == asked
    assert driven.tags()[-2:] == ["stop", "result"]
    assert driven.tags().count("stop") == driven.tags().count("result") == 1


def test_the_grammar_refuses_what_the_document_forbids():
    good = "system,user,stream_request_start,assistant,stopReason,stop,result,"
    assert grammar().fullmatch(good)
    for bad in (
        good + "result,",
        good.replace("stop,", ""),
        good.replace("assistant,", ""),
        good.removeprefix("system,"),
    ):
        assert not grammar().fullmatch(bad)
