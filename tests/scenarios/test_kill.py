"""`kill -9` at random moments, again and again: nothing that was done is lost or done twice, no file is half written.

The script's next step follows from the results that the conversation holds, so a session that lost one would do its
step again, and one that doubled one would be seen here.
"""

import random
import subprocess
import time
from collections import Counter
from pathlib import Path

import pytest

from harness.journal import Past, replay
from harness.messages import Assistant, ToolResult
from harness.scripted.script import steps
from harness.scripted.server import Server, running
from tests.scenarios.house import BYPASS, COMMAND, STREAM, House, Json, bash, call

STEPS = 30  # of two tools each
LINES = 300


def version(number: int) -> str:
    return f"version {number}\n" * LINES


def script() -> list[Json]:
    """Which step comes next is told by the last result that there is."""
    seen = {"when": {"result": "has not been read|must be read|changed since|Read it"}, "times": "always"}
    again = {**seen, "calls": [call("Read", file_path="whole.txt", limit=LINES)]}
    table: list[Json] = [again]
    for number in range(STEPS, -1, -1):
        when = {"any_result": rf"done:{number}\b"} if number else {}
        step: Json = {"when": when, "times": "always", "pace": {"between": 0.001}, "text": f"Step {number + 1}."}
        if number < STEPS:
            shell = bash(f"printf {number + 1} > out{number + 1}.txt; echo done:{number + 1}")
            step["calls"] = [call("Write", file_path="whole.txt", content=version(number + 1)), shell]
        table.append(step)
    return table


def run(house: House, server: Server, *flags: str, kill_after: float | None) -> list[str]:
    """One run, killed so many seconds after its first line; what it printed."""
    command = [*COMMAND, "-p", *STREAM, *BYPASS, *flags, "--", "Go on."]
    with (
        (house.base / "printed").open("w+b") as out,
        subprocess.Popen(
            command,
            cwd=house.project,
            env=house.env(server.url),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
        ) as process,
    ):
        if kill_after is not None:
            end = time.monotonic() + 30
            while process.poll() is None and not out.seek(0, 2) and time.monotonic() < end:
                time.sleep(0.002)
            time.sleep(kill_after)
            process.kill()
        process.wait(120)
        out.seek(0)
        return out.read().decode(errors="replace").splitlines()


def past_of(file: Path) -> Past:
    with file.open(encoding="utf-8", errors="replace", newline="\n") as lines:
        return replay(lines)


def done_in(results: list[str]) -> Counter[int]:
    return Counter(n for text in results for n in range(1, STEPS + 1) if text.strip() == f"done:{n}")


def check_whole(house: House) -> None:
    file = house.project / "whole.txt"
    if file.exists():
        text = file.read_text()
        assert text == version(int(text.split()[1])), "half written"


def killed_session(house: House, chance: random.Random, most: int) -> int:
    """A session that is killed until it is done, or `most` times, and then finished; how often it was killed."""
    kills = 0
    shown: set[str] = set()
    with running(steps(*script())) as server:
        flags: tuple[str, ...] = ()
        while kills < most:
            printed = run(house, server, *flags, kill_after=chance.uniform(0, 0.5))
            shown |= {line for line in printed if '"tool_result"' in line and '"done:' in line}
            check_whole(house)
            if any('"type":"result"' in line for line in printed):
                break
            kills += 1
            flags = ("-c",) if any(house.config.rglob("*.jsonl")) else ()
        printed = run(house, server, *flags, kill_after=None)
        assert '"subtype":"success"' in printed[-1], printed[-3:]
        assert server.failures == []
    (file,) = house.config.rglob("*.jsonl")
    past = past_of(file)
    results = [m.text for m in past.ever if isinstance(m, ToolResult)]
    assert done_in(results) == dict.fromkeys(range(1, STEPS + 1), 1), "a completed result was lost or doubled"
    calls = [call.id for m in past.ever if isinstance(m, Assistant) for call in m.calls]
    assert [m.call_id for m in past.ever if isinstance(m, ToolResult)] == calls
    ids = {m.call_id for m in past.ever if isinstance(m, ToolResult)}
    assert all(any(call_id in line for call_id in ids) for line in shown), "what was shown is not in the file"
    return kills


def tree(house: House) -> dict[str, bytes]:
    return {str(p.relative_to(house.project)): p.read_bytes() for p in house.project.rglob("*") if p.is_file()}


def campaign(base: Path, kills: int, seed: int) -> None:
    """Sessions until there were so many kills; each ends as one that nobody killed."""
    chance, had, sessions = random.Random(seed), 0, 0
    expected = {"whole.txt": version(STEPS).encode()}
    expected |= {f"out{n}.txt": str(n).encode() for n in range(1, STEPS + 1)}
    while had < kills:
        sessions += 1
        (base / str(sessions)).mkdir()
        house = House.make(base / str(sessions))
        had += killed_session(house, chance, kills - had)
        assert tree(house) == expected
    print(f"{had} kills in {sessions} sessions of {2 * STEPS} tools, seed {seed}")  # noqa: T201


@pytest.mark.timeout(180)
def test_twenty_kills(tmp_path: Path):
    campaign(tmp_path, 20, 1)


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_two_hundred_kills(tmp_path: Path):
    campaign(tmp_path, 200, random.randrange(1 << 30))
