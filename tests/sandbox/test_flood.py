"""Unbounded output in bounded memory: measured in a process of its own."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import asyncio, sys
from pathlib import Path
from tests.sandbox.room import Room
done = asyncio.run(Room(*map(Path, sys.argv[1:4])).run(sys.argv[4], timeout=100))
print(done.total_bytes, len(done.output), done.saved.stat().st_size >> 20, done.exit_code, *done.notes)
# not getrusage: its maximum is inherited over fork and exec from a parent that was larger
print(next(int(line.split()[1]) >> 10 for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


def flood(room, command):
    words = [sys.executable, "-c", SCRIPT, str(room.base), str(room.project), str(room.home), command]
    done = subprocess.run(words, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=True)
    result, memory = done.stdout.splitlines()
    return result.split(" ", 4), int(memory)


def test_a_gibibyte_costs_a_few_megabytes(room):
    (total, shown, saved, code), memory = flood(room, "yes | head -c 1G")
    assert (int(total), int(saved), int(code)) == (1 << 30, 64, 0)
    assert int(shown) < 31_000
    assert memory < 150


@pytest.mark.long
def test_five_gibibytes_too(room):
    (total, *_), memory = flood(room, "yes | head -c 5G")
    assert int(total) == 5 << 30
    assert memory < 150


@pytest.mark.long
def test_more_than_five_gibibytes_are_killed_and_said(room):
    result, memory = flood(room, "yes")
    assert "more than 5 GiB" in result[4]
    assert memory < 150
