"""`import harness`: light, lazy, typed; turns, answers, tools, hooks and callbacks without a process between."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import aclosing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

import harness
from harness.scripted.script import steps
from harness.scripted.server import Server, running
from tests.scenarios.house import House, bash, call
from tests.test_cli import HEAVY


@contextmanager
def served(house: House, *tables: dict[str, Any], **more: Any) -> Iterator[tuple[Server, harness.Options]]:
    with running(steps(*tables)) as server:
        yield server, harness.Options(cwd=house.project, env=house.env(server.url), **more)
    assert server.failures == []


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House.make(tmp_path)


def test_importing_it_loads_nothing_and_names_are_found_when_used():
    code = "import sys, harness; print(*sys.modules); harness.Options; harness.run; dir(harness)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {name.split(".")[0] for name in loaded} & HEAVY
    assert [name for name in loaded if name.startswith("harness")] == ["harness"]


def test_every_name_is_there_and_has_a_docstring():
    for name in harness.__all__:
        value = getattr(harness, name)
        assert value.__doc__ or isinstance(value, str), name
        assert name in dir(harness)
    public = [getattr(harness.Session, name) for name in vars(harness.Session) if not name.startswith("_")]
    assert all(each.__doc__ or isinstance(each, property) for each in public)
    with pytest.raises(AttributeError, match="nonsense"):
        _ = harness.nonsense


def test_a_run_blocks_and_answers(house: House):
    with served(house, {"text": "Hello."}) as (_, options):
        reply = harness.run("hi", options)
    assert (reply.ok, reply.text, reply.value, reply.check()) == (True, "Hello.", None, reply)
    assert reply.result.num_turns == 1


def test_a_failure_is_a_reply_that_can_be_raised(house: House):
    with served(house, {"calls": [call("Read", file_path="a")], "times": "always"}, max_turns=1) as (_, options):
        reply = harness.run("hi", options)
    assert not reply.ok
    with pytest.raises(harness.TurnFailed, match="maximum number of turns") as caught:
        reply.check()
    assert (caught.value.exit_code, caught.value.result) == (1, reply.result)


async def test_a_run_within_a_loop_is_refused_in_words():
    with pytest.raises(harness.UsageError, match="event loop"):
        harness.run("hi")


def test_options_that_cannot_be_used_are_refused(house: House):
    with served(house, {"text": "never", "times": "always"}) as (server, options):
        wrong = harness.Options(cwd=house.project, env=options.env, settings='{"model": ')
        with pytest.raises(harness.UsageError, match="--settings"):
            harness.run("hi", wrong)
        assert server.requests == []


async def test_events_of_a_query_that_is_left_early_leave_nothing_behind(house: House):
    with served(house, {"calls": [bash("touch began; sleep 600")], "times": "always"}, mode="bypassPermissions") as (
        _,
        options,
    ):
        async with aclosing(harness.query("go", options)) as events:
            async for event in events:
                if isinstance(event, harness.AssistantMessage):
                    break
    assert len(asyncio.all_tasks()) == 1


async def test_a_call_of_a_turn_that_was_left_is_not_made_by_the_next(house: House):
    tables = {"calls": [bash("touch made")]}, {"text": "Nothing done."}
    with served(house, *tables, mode="bypassPermissions") as (_, options):
        async with harness.open_session(options) as session:
            async with aclosing(session.events("go")) as events:
                async for event in events:
                    if isinstance(event, harness.AssistantMessage):
                        break
            assert (await session.run("Stop.")).text == "Nothing done."
    assert list(house.project.iterdir()) == []


async def test_two_queries_at_once_and_an_interrupt(house: House):
    slow = {"text": "one two three", "pace": {"first_byte": 30}, "when": {"user": "slow"}}
    with served(house, slow, {"text": "Quick."}) as (_, options):
        async with harness.open_session(options) as session:
            turn = asyncio.create_task(session.run("slow"))
            quick = [event async for event in harness.query("quick", options)]
            session.interrupt()
            reply = await turn
    assert isinstance(quick[-1], harness.Result)
    assert quick[-1].result == "Quick."
    assert reply.result.terminal_reason.startswith("aborted")


class Sum(BaseModel):
    total: int


async def test_an_answer_is_a_model_and_no_answer_is_none(house: House):
    with served(house, {"text": '{"total": 5}'}, {"text": "no", "times": "always"}, answer=Sum) as (_, options):
        async with harness.open_session(options) as session:
            right, wrong = await session.run("2+3"), await session.run("2+2")
    assert right.value == Sum(total=5)
    assert (wrong.ok, wrong.value, wrong.result.subtype) == (False, None, "error_max_structured_output_retries")


def function_tools() -> tuple[Any, ...]:
    @harness.tool(name="shout", description="Say it loud.", unasked=True)
    async def _shout(text: str, times: int = 1) -> dict[str, Any]:
        return {"said": text.upper() * times}

    @harness.tool(unasked=True)
    def total(numbers: list[int]) -> Sum:
        """Add up."""
        return Sum(total=sum(numbers))

    @harness.tool(unasked=True)
    def broken() -> None:
        """Fail."""
        raise KeyError("x")

    @harness.tool
    def asked() -> str:
        """Be asked about."""
        return "ran"

    return _shout, total, broken, asked


def test_functions_as_tools(house: House):
    calls = [call("shout", text="a", times=2), call("total", numbers=[1, 2]), call("broken"), call("asked")]
    with served(house, {"calls": calls}, {"text": "ok"}, tools=function_tools()) as (server, options):
        reply = harness.run("go", options)
    said = [message["content"] for message in server.requests[1].messages if message["role"] == "tool"]
    assert said[:2] == ['{"said": "AA"}', '{"total": 3}']
    assert "KeyError: 'x'" in said[2]
    assert [denial.tool_name for denial in reply.result.permission_denials] == ["asked"]


def test_functions_that_can_be_no_tools_are_refused():
    def unhinted(a):
        return a

    def star(*words: str) -> str:
        return " ".join(words)

    def odd(stream: asyncio.Queue) -> None:  # type: ignore[type-arg]
        del stream

    for function in (unhinted, star, odd):
        with pytest.raises(harness.UsageError, match=function.__name__):
            harness.tool(function)


def test_a_callback_or_a_hook_that_fails_has_not_said_yes(house: House):
    def permission(_question: harness.PermissionRequest) -> bool:
        raise RuntimeError("no idea")

    @harness.hook("PreToolUse", "Bash")
    async def hook(_given: dict[str, Any]) -> None:
        raise RuntimeError("oh")

    with served(house, {"calls": [bash("touch made")]}, {"text": "ok"}, permission=permission, hooks=(hook,)) as (
        server,
        options,
    ):
        reply = harness.run("go", options)
    assert not (house.project / "made").exists()
    assert "no idea" in server.requests[1].messages[-1]["content"]
    assert len(reply.result.permission_denials) == 1
    with pytest.raises(harness.UsageError, match="pattern"):
        harness.hook("PreToolUse", "(")
