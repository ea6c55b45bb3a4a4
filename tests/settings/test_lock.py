"""The lock of what is trusted: held briefly, and waited for not for ever."""

import fcntl
from pathlib import Path

import pytest

from harness.errors import HarnessError
from harness.settings.trust import locked


def test_a_lock_that_another_keeps_is_said_and_a_free_one_is_taken(tmp_path: Path):
    with (tmp_path / "lock").open("a") as theirs, (tmp_path / "lock").open("a") as ours:
        fcntl.flock(theirs, fcntl.LOCK_EX)
        with pytest.raises(HarnessError, match=r"lock has been locked by another process for 0\.05 s"):
            locked(ours, within=0.05)
        fcntl.flock(theirs, fcntl.LOCK_UN)
        locked(ours)
        with pytest.raises(BlockingIOError):
            fcntl.flock(theirs, fcntl.LOCK_EX | fcntl.LOCK_NB)
