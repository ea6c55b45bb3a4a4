"""Standard output that does not wait for its reader, and does not lose what one takes slowly."""

import os
import threading
import time
from pathlib import Path

import pytest

from harness.errors import HarnessError
from harness.headless.outlet import Outlet, Stalled

MUCH = "0123456789" * 200_000


async def test_a_slow_reader_gets_everything_and_writing_does_not_wait_for_it():
    reader, writer = os.pipe()
    got: list[bytes] = []

    def read() -> None:
        while piece := os.read(reader, 50_000):
            got.append(piece)
            time.sleep(0.001)

    outlet = Outlet(writer)
    outlet.write(MUCH)  # returns although nobody reads yet
    assert got == []
    thread = threading.Thread(target=read)
    thread.start()
    outlet.write("end")
    await outlet.drain()
    os.close(writer)
    thread.join()
    os.close(reader)
    assert b"".join(got).decode() == f"{MUCH}end"


async def test_a_reader_that_takes_nothing_is_not_waited_for():
    reader, writer = os.pipe()
    outlet = Outlet(writer, patience=0.05)
    outlet.write(MUCH)
    with pytest.raises(Stalled):
        await outlet.drain()
    os.close(writer)
    os.close(reader)


async def test_a_reader_that_is_gone_is_told():
    reader, writer = os.pipe()
    os.close(reader)
    outlet = Outlet(writer)
    with pytest.raises(BrokenPipeError):
        outlet.write("x")
    with pytest.raises(BrokenPipeError):
        await outlet.drain()
    os.close(writer)


async def test_a_file_a_full_disk_and_no_output_at_all(tmp_path: Path):
    with (tmp_path / "out").open("wb") as file:
        outlet = Outlet(file.fileno())
        outlet.write(f"\udcff{MUCH}")
        await outlet.drain()
    assert (tmp_path / "out").read_text() == f"\\udcff{MUCH}"
    with Path("/dev/full").open("wb") as full, pytest.raises(HarnessError, match="No space"):
        Outlet(full.fileno()).write("x")
    nothing = Outlet(None)
    nothing.write(MUCH)
    await nothing.drain()
