"""A process flips a directory and a symlink that points outside, while we write through that name."""

import ctypes
import multiprocessing
import os
import sys
from pathlib import Path

import pytest

from harness.files import FileError, Files
from harness.files.beneath import openat2, walk

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="RENAME_EXCHANGE")


def flip(project: str, stop) -> None:
    libc = ctypes.CDLL(None)
    os.chdir(project)
    while not stop.is_set():
        for _ in range(200):
            libc.renameat2(-100, b"d", -100, b"l", 2)  # AT_FDCWD, RENAME_EXCHANGE


def landed_outside(tmp_path: Path, opener, tries: int) -> tuple[int, int, int]:
    """How many of `tries` writes landed outside, were made, were refused."""
    project, outside = tmp_path / "proj", tmp_path / "outside"
    (project / "d").mkdir(parents=True)
    outside.mkdir()
    (project / "l").symlink_to("../outside")
    files = Files((project,), opener)
    stop = multiprocessing.Event()
    attacker = multiprocessing.Process(target=flip, args=(str(project), stop))
    attacker.start()
    made = refused = 0
    try:
        for number in range(tries):
            try:
                files.write(project / "d" / str(number), b"x", expect=None)
                made += 1
            except FileError:
                refused += 1
    finally:
        stop.set()
        attacker.join()
        files.close()
    return len(os.listdir(outside)), made, refused


@pytest.mark.parametrize("opener", [openat2, walk])
def test_no_write_lands_outside(tmp_path, opener):
    outside, made, refused = landed_outside(tmp_path, opener, 3_000)
    assert outside == 0
    assert made > 0, "the race was not run: nothing was written"
    assert refused > 0, "the race was not run: nothing was refused"


@pytest.mark.long
@pytest.mark.parametrize("opener", [openat2, walk])
def test_no_write_lands_outside_in_many(tmp_path, opener):
    outside, made, refused = landed_outside(tmp_path, opener, 20_000)
    assert (outside, made + refused) == (0, 20_000)
