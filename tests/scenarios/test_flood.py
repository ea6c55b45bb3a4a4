"""A command that prints without end: bounded memory of the whole harness, and nothing left behind."""

from contextlib import suppress
from pathlib import Path

import pytest

from tests.processes import gone
from tests.scenarios.house import House, bash

LIMIT = 150_000  # KiB


def peak(pid: int) -> int:
    """The most memory that a live process has had, in KiB; 0 once it has ended."""
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1])
    return 0


@pytest.mark.parametrize("size", ["1G", pytest.param("5G", marks=pytest.mark.long)])
def test_a_flood_costs_little_memory_and_leaves_no_process(house: House, size: str):
    seconds = "876.54321098765"
    command = f"setsid sleep {seconds} & yes | head -c {size}"
    most = 0
    with house.live({"calls": [bash(command, timeout=600_000)]}, {"text": "Done."}) as run:

        def measured() -> bool:
            nonlocal most
            most = max(most, peak(run.process.pid))
            return run.saw("result")

        run.until(measured, within=500)
        assert run.process.wait(10) == 0
    assert gone(seconds)
    assert 10_000 < most < LIMIT
    (result,) = [message for message in run.server.requests[-1].messages if message["role"] == "tool"]
    assert len(result["content"]) < 32_000
    saved = list(house.config.rglob("bash-*.txt"))
    assert str(saved[0]) in result["content"]
