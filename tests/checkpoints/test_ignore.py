"""What is ignored is read from files that commands can write."""

import os
from pathlib import Path

from harness.checkpoints.ignore import rules_at, tracked


def test_pipes_and_devices_in_the_place_of_gits_files_hold_nobody_up(tmp_path: Path):
    (tmp_path / ".git/info").mkdir(parents=True)
    for name in (".git/info/exclude", ".git/index"):
        os.mkfifo(tmp_path / name)
    rules = rules_at(tmp_path).below(str(tmp_path), b"*.log\n")
    assert rules.ignores(str(tmp_path / "a.log"), directory=False)
    (tmp_path / ".git/index").unlink()
    (tmp_path / ".git/index").symlink_to("/dev/zero")
    assert list(tracked(tmp_path)) == []
