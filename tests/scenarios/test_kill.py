"""`kill -9` at random moments, again and again: nothing that was done is lost or done twice, no file is half written.

The window is small, so that the session is compacted again and again, and some of the kills are aimed at that. The
script's next step follows from what the conversation holds of its results, or from what Harness itself keeps of its
commands when they are compacted away: a session that lost one would do its step again, and one that doubled one would
be seen here.
"""

import json
import random
import re
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from harness.journal import Past, replay
from harness.messages import Assistant, ToolResult
from harness.scripted.script import steps
from harness.scripted.server import Received, Server, running
from tests.scenarios.house import BYPASS, COMMAND, STREAM, House, Json, bash, call

STEPS = 30  # of two tools each
LINES = 300
WINDOW = 16_000  # tokens: about five steps, and what is left of those before
SUMMARY = "## Goal\nDo all thirty steps, one after the other.\n## Next step\nDo the step after the last one."
AIMED = 0.45  # the share of kills that wait for a compaction
PAUSE, BETWEEN = 0.06, 0.02  # seconds before the first piece of a summary, and between two: about 0.15 in all


def version(number: int) -> str:
    return f"version {number}\n" * LINES


def summaries() -> Iterator[Json]:
    """How the model answers when it is to write one: well, but for once not well enough, and for once not at all."""
    pace = {"first_byte": PAUSE, "between": BETWEEN}
    asked = {"when": {"user": "replaced by your summary"}, "pace": pace}
    yield {**asked, "name": "summary", "text": SUMMARY}
    yield {**asked, "name": "summary, unusable", "text": "All is well."}  # and asked for once more
    yield {**asked, "name": "summary", "text": SUMMARY, "times": 2}
    yield {**asked, "name": "summary, refused", "http": {"status": 403, "error": "no"}}  # so that ours stands in
    yield {**asked, "name": "summary", "text": SUMMARY, "times": "always"}


def script() -> list[Json]:
    """Which step comes next is told by the last result that there is, or by the last command that is remembered."""
    seen = {"when": {"result": "has not been read|must be read|changed since|Read it"}, "times": "always"}
    table: list[Json] = [*summaries(), {**seen, "calls": [call("Read", file_path="whole.txt", limit=LINES)]}]
    for number in range(STEPS, -1, -1):
        step: Json = {"times": "always", "pace": {"between": 0.001, "characters": 400}, "text": f"Step {number + 1}."}
        if number < STEPS:
            shell = bash(f"printf {number + 1} > out{number + 1}.txt; echo done:{number + 1}")
            step["calls"] = [call("Write", file_path="whole.txt", content=version(number + 1)), shell]
        if number:
            table.append({**step, "when": {"any_result": rf"done:{number}\b"}})
            table.append({**step, "when": {"any_user": rf"echo done:{number} \(ok\)"}})
        else:
            table.append(step)
    return table


# ---- the moment of a kill


@dataclass(slots=True)
class Run:
    """A run that goes on. `asked` gives the compaction requests that it made."""

    process: "subprocess.Popen[bytes]"
    printed: Callable[[], int]
    asked: Callable[[], list[Received]]

    def until(self, seen: Callable[[], object]) -> None:
        """Wait for it; until the run's end where it never comes."""
        end = time.monotonic() + 60
        while self.process.poll() is None and not seen():
            assert time.monotonic() < end, "neither did it come, nor did the run end"
            time.sleep(0.002)

    def underway(self) -> bool:
        """Whether it waits for a summary now."""
        return any(request.step is not None and request.sent is None for request in self.asked())


Moment = Callable[[Run], None]  # returns when it has come


def at_random(delay: float) -> Moment:
    def wait(run: Run) -> None:
        run.until(run.printed)
        time.sleep(delay)

    return wait


def in_compaction(delay: float) -> Moment:
    """So long after the request for a summary came; the answer takes longer."""

    def wait(run: Run) -> None:
        run.until(run.underway)
        time.sleep(delay)

    return wait


def after_summary(delay: float) -> Moment:
    """When the answer is out: before, while or after it takes the conversation's place."""

    def wait(run: Run) -> None:
        run.until(lambda: any(request.sent for request in run.asked()))
        time.sleep(delay)

    return wait


def moment(chance: random.Random) -> Moment:
    if chance.random() >= AIMED:
        return at_random(chance.uniform(0, 0.4))
    if chance.random() < 0.7:
        return in_compaction(chance.uniform(0, PAUSE + BETWEEN))
    return after_summary(chance.uniform(0, 0.02))


# ---- a session that is killed


def run(house: House, server: Server, *flags: str, kill: Moment | None) -> tuple[list[str], bool]:
    """One run, killed when its moment has come; what it printed, and whether it was waiting for a summary then."""
    command = [*COMMAND, "-p", *STREAM, *BYPASS, *flags, "--", "Go on."]
    before, underway = len(server.all), False
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
        if kill is not None:
            here = Run(process, lambda: out.seek(0, 2), lambda: list(summary_requests(server.all[before:])))
            kill(here)
            underway = here.underway() and process.poll() is None
            process.kill()
        process.wait(120)
        out.seek(0)
        return out.read().decode(errors="replace").splitlines(), underway


def summary_requests(requests: list[Received]) -> Iterator[Received]:
    return (request for request in requests if (request.step or "").startswith("summary"))


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


def lines_kept(house: House) -> list[str]:
    return [line for file in house.config.rglob("*.jsonl") for line in file.read_text(errors="replace").splitlines()]


def is_unkept(lines: list[str]) -> bool:
    """Whether these lines of a session's file end between the beginning of a compaction and what came of it."""
    marks = [line for line in lines if '"compact_boundary"' in line or '"status":"compacting"' in line]
    return bool(marks) and '"compact_boundary"' not in marks[-1]


@dataclass(slots=True)
class Tally:
    """What a campaign came to. `asking`: kills while a request for a summary was underway; `unkept`: kills between
    the beginning of a compaction and the line that keeps it, those among them."""

    kills: int = 0
    asking: int = 0
    unkept: int = 0
    boundaries: list[int] = field(default_factory=list)  # of each session
    answers: Counter[str] = field(default_factory=Counter)  # of the model, when asked for a summary

    def __add__(self, other: "Tally") -> "Tally":
        kills, asking, unkept = self.kills + other.kills, self.asking + other.asking, self.unkept + other.unkept
        return Tally(kills, asking, unkept, self.boundaries + other.boundaries, self.answers + other.answers)


def killed_session(house: House, chance: random.Random, most: int, tally: Tally) -> None:
    """A session that is killed until it is done, or `most` times in all, and then finished."""
    shown: set[str] = set()
    with running(steps(*script(), context_window=WINDOW)) as server:
        flags: tuple[str, ...] = ()
        while tally.kills < most:
            before = len(lines_kept(house))
            printed, underway = run(house, server, *flags, kill=moment(chance))
            shown |= {line for line in printed if '"tool_result"' in line and '"done:' in line}
            check_whole(house)
            if any('"type":"result"' in line for line in printed):
                break
            tally.kills += 1
            tally.asking += underway
            tally.unkept += is_unkept(lines_kept(house)[before:])
            flags = ("-c",) if any(house.config.rglob("*.jsonl")) else ()
        printed, _ = run(house, server, *flags, kill=None)
        assert '"subtype":"success"' in printed[-1], printed[-3:]
        assert server.failures == []
        tally.answers += Counter(request.step or "" for request in summary_requests(server.all))
    (file,) = house.config.rglob("*.jsonl")
    tally.boundaries.append(check_journal(file, shown))


def check_journal(file: Path, shown: set[str]) -> int:
    """Each call has one result, each step was done once, and what was shown is kept; how many compactions there were."""
    past = past_of(file)
    results = [m.text for m in past.ever if isinstance(m, ToolResult)]
    assert done_in(results) == dict.fromkeys(range(1, STEPS + 1), 1), "a completed result was lost or doubled"
    calls = [call.id for m in past.ever if isinstance(m, Assistant) for call in m.calls]
    assert [m.call_id for m in past.ever if isinstance(m, ToolResult)] == calls
    ids = {m.call_id for m in past.ever if isinstance(m, ToolResult)}
    assert all(any(call_id in line for call_id in ids) for line in shown), "what was shown is not in the file"
    entries = [json.loads(text) for text in file.read_text(errors="replace").splitlines() if text.endswith("}")]
    boundaries = [entry for entry in entries if entry.get("subtype") == "compact_boundary"]
    assert len(boundaries) >= 3, "it was hardly compacted"
    assert len(past.messages) < len(past.ever) / 2
    kept = {int(n) for n in re.findall(r"echo done:(\d+) \(ok\)", "".join(boundaries[-1]["harness"]["fold"]["texts"]))}
    assert kept >= set(range(max(kept) - 11, max(kept) + 1)), "what was done before an earlier compaction is forgotten"
    return len(boundaries)


def tree(house: House) -> dict[str, bytes]:
    return {str(p.relative_to(house.project)): p.read_bytes() for p in house.project.rglob("*") if p.is_file()}


def sessions(base: Path, kills: int, chance: random.Random) -> Tally:
    """Sessions until there were so many kills; each ends as one that nobody killed."""
    tally = Tally()
    expected = {"whole.txt": version(STEPS).encode()}
    expected |= {f"out{n}.txt": str(n).encode() for n in range(1, STEPS + 1)}
    while tally.kills < kills:
        place = base / str(len(tally.boundaries))
        place.mkdir(parents=True)
        house = House.make(place)
        killed_session(house, chance, kills, tally)
        assert tree(house) == expected
    return tally


def campaign(base: Path, kills: int, seed: int) -> Tally:
    """Two halves at a time: most of a killed run is the start of Python, and there are two cores."""
    print(f"seed {seed}")  # noqa: T201  at the beginning: a failure shows it
    halves = [random.Random(seed), random.Random(seed + 1)]
    with ThreadPoolExecutor(2) as pool:
        one, two = pool.map(lambda n: sessions(base / f"half{n}", kills // 2, halves[n]), (0, 1))
    tally = one + two
    print(tally)  # noqa: T201
    return tally


@pytest.mark.timeout(180)
def test_twenty_kills(tmp_path: Path):
    tally = campaign(tmp_path, 20, 1)
    assert tally.asking >= 3, tally
    assert tally.unkept >= 3, tally
    assert tally.answers["summary, unusable"] >= 1, tally


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_two_hundred_kills(tmp_path: Path):
    tally = campaign(tmp_path, 200, random.randrange(1 << 30))
    assert tally.asking >= 30, tally
    assert tally.unkept > tally.asking * 0.8, tally
    assert tally.answers["summary, refused"] >= 1, tally
