"""A session of hundreds of requests in which every fifth answer is damaged, each in another known way.

The endpoint is strict: it refuses what is malformed (pairing, ids, JSON), and no refusal is let pass.
"""

import itertools
import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from harness.events import Result, UserMessage
from harness.messages import ToolResult
from harness.options import SessionOptions
from harness.providers import Options
from harness.providers.chat import ChatProvider
from harness.scripted.script import steps
from harness.scripted.server import Server, running
from harness.session import open_session
from tests.scenarios.damage import DAMAGES
from tests.scenarios.house import House, call

Json = dict[str, Any]


def name_of(number: int) -> str:
    return f"file{number}.txt"


def plan(turns: int, every: int) -> list[tuple[str, Json]]:
    """What the n-th request is answered: the damage's name, '' where nothing is wrong, and the step."""
    names = itertools.cycle(DAMAGES)
    made: list[tuple[str, Json]] = []
    for number in range(turns):
        if number % every == every - 1:
            name = next(names)
            made.append((name, {"http": DAMAGES[name].http(name_of(number))}))
        elif number % 7 == 2:
            made.append(("", {"text": "Done for now."}))  # the end of what the person asked
        elif number % 3 == 1:
            todo = {"content": "Go on", "status": "pending", "activeForm": "Going on"}
            both = [call("TodoWrite", todos=[todo]), call("Read", file_path=name_of(number))]
            made.append(("", {"text": "Two things.", "reasoning": "Both.", "calls": both}))
        else:
            made.append(("", {"calls": [call("Read", file_path=name_of(number))]}))
    return made


async def drive(house: House, script: list[tuple[str, Json]], server: Server) -> list[ToolResult]:
    """Ask until every step was used; the results of all calls, in order."""

    async def at_once(_: float) -> None:
        pass

    options = SessionOptions(cwd=house.project, mode="bypassPermissions", env=house.env())
    provider = ChatProvider(Options(max_retries=3), server.url, "m", sleep=at_once)
    results: list[ToolResult] = []
    async with open_session(options, provider) as session:
        while len(server.requests) < len(script):
            async for event in session.prompt("Go on."):
                if isinstance(event, UserMessage) and isinstance(event.message, ToolResult):
                    results.append(event.message)
                if isinstance(event, Result):
                    assert not event.is_error, event
    return results


async def check(house: House, turns: int, every: int) -> None:
    script = plan(turns, every)
    for number in range(turns):
        (house.project / name_of(number)).write_text(f"secret of {number}\n")
    last = {"text": "All done.", "times": "always"}
    with running(steps(*(step for _, step in script), last)) as server:
        results = await drive(house, script, server)
    assert server.failures == []
    assert all(request.status == 200 or request.step is not None for request in server.requests)
    strict(server.requests[-1].messages)
    shown = Counter(n for result in results for n in range(turns) if result.text.endswith(f"secret of {n}"))
    wrong = [
        (number, name, shown[number])
        for number, (name, _) in enumerate(script)
        if name and bool(shown[number]) != DAMAGES[name].runs
    ]
    assert wrong == []
    for number, (name, step) in enumerate(script):
        if not name:
            assert shown[number] == len([c for c in step.get("calls", ()) if c["name"] == "Read"]), number
    unread = [name for name, _ in script if name and not DAMAGES[name].runs and not DAMAGES[name].again]
    assert sum(result.is_error for result in results) == len(unread)


def strict(messages: list[Json]) -> None:
    """Over the whole conversation: each id once, arguments are the JSON of an object, no stray code points."""
    calls: list[Json] = [call for message in messages for call in message.get("tool_calls") or ()]
    ids = [call["id"] for call in calls]
    assert len(ids) == len(set(ids))
    assert all(re.fullmatch(r"[A-Za-z0-9_.:-]{1,64}", call_id) for call_id in ids)
    assert [m["tool_call_id"] for m in messages if m["role"] == "tool"] == ids
    assert all(isinstance(json.loads(call["function"]["arguments"]), dict) for call in calls)
    json.dumps(messages, allow_nan=False).encode()


async def test_every_known_damage_once(house: House):
    await check(house, 2 * len(DAMAGES), 2)


@pytest.mark.long
async def test_three_hundred_turns(tmp_path: Path):
    await check(House.make(tmp_path), 5 * max(60, len(DAMAGES)), 5)
