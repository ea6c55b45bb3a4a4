"""A thousand turns and five thousand tool calls in one process: what grows, and what gets slower."""

import gc
import os
import time
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from harness.events import Result
from harness.journal import replay
from harness.messages import Assistant, Text, ToolCall, Usage
from harness.options import SessionOptions
from harness.providers.port import CallReady, MessageEnd, Model, ModelEvent, Request
from harness.session import open_session
from tests.fakes import FakeProvider
from tests.scenarios.house import House

CALLS = 5  # a turn


class Worker(FakeProvider):
    """Asks for five calls, then ends the turn; its window makes us compact again and again."""

    def __init__(self) -> None:
        super().__init__()
        self.model = Model("fake", "http://fake", 64_000, 4000)
        self.number = 0

    def estimate(self, request: Request) -> int:
        return len(request.messages) * 100

    async def stream(self, request: Request) -> AsyncGenerator[ModelEvent, None]:
        self.number += 1
        name = f"m{self.number}"
        if self.number % 2 == 0:
            yield MessageEnd(Assistant(name, (Text("Done."),), usage=Usage(self.estimate(request), 3)))
            return
        given = [{"file_path": f"f{(self.number + n) % 40}.txt"} for n in range(CALLS - 1)]
        calls = [ToolCall(f"{name}-{n}", "Read", "{}", read) for n, read in enumerate(given)]
        todos = [{"content": f"step {self.number}", "status": "in_progress"}]
        calls.append(ToolCall(f"{name}-t", "TodoWrite", "{}", {"todos": todos}))
        for call in calls:
            yield CallReady(call)
        yield MessageEnd(Assistant(name, tuple(calls), "tool_use", Usage(self.estimate(request), 20)))


def resident() -> int:
    """Bytes of this process that are in memory."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.long
@pytest.mark.timeout(1800)
async def test_a_thousand_turns(tmp_path: Path):
    turns = int(os.environ.get("SOAK_TURNS", "1000"))
    house = House.make(tmp_path)
    for n in range(40):
        (house.project / f"f{n}.txt").write_text(f"line of {n}\n" * 20)
    took: list[float] = []
    memory: dict[int, int] = {}
    async with open_session(SessionOptions(cwd=house.project, env=house.env()), Worker()) as session:
        for turn in range(1, turns + 1):
            began = time.process_time()
            async for event in session.prompt("Go on."):
                if isinstance(event, Result):
                    assert event.terminal_reason == "completed", event
            took.append(time.process_time() - began)
            if turn in {100, turns}:
                memory[turn] = resident()
        messages = list(session._state.messages)
        file = session.origin.file
    with file.open(encoding="utf-8", newline="\n") as lines:
        assert replay(lines).messages == messages
    early, late = (sum(some) / len(some) for some in (took[50:150], took[-100:]))  # about as many compactions in each
    growth = memory[turns] / memory[100] - 1
    print(  # noqa: T201
        f"{turns} turns, {turns * CALLS} calls: resident {memory[100] >> 20} MB at turn 100, "
        f"{memory[turns] >> 20} MB at the end ({growth:+.0%}); a turn {early * 1e3:.1f} ms, then {late * 1e3:.1f} ms"
    )
    assert growth < 0.2
    assert late <= 1.5 * early
