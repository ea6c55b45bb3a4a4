"""No line that is allowed because it only reads changes a file or starts a program that is not on the list."""

import random
from random import Random

import pytest

from harness.effects import Runs
from harness.permissions import Allow, Roots, Rules
from harness.permissions.bash.readonly import PROGRAMS
from harness.permissions.bash.wrappers import STRIPPED
from harness.permissions.decide import decide
from tests.permissions import grammar
from tests.permissions.at import call
from tests.permissions.watched import HOME, PROJECT, Watched, furnish, watch
from tests.sandbox.room import Room

LISTED = PROGRAMS | STRIPPED.keys()
ROOTS = Roots(project=PROJECT, cwd=PROJECT, home=HOME, real=lambda path: path)


def allowed(line: str) -> bool:
    got = decide(call("Bash", command=line), [Runs(line, PROJECT)], Rules(), "default", ROOTS)
    assert getattr(got, "source", "") != "error", line
    return isinstance(got, Allow)


async def violations(room: Room, lines: list[str]) -> list[Watched]:
    found = await watch(room, furnish(room, LISTED), lines)
    return [each for each in found if each.changed or not each.started <= LISTED]


@pytest.fixture
def room(tmp_path, monkeypatch) -> Room:
    monkeypatch.setenv("HARNESS_CONFIG_DIR", str(tmp_path / "state"))
    return Room.make(tmp_path)


def generated(rng: Random, count: int) -> list[str]:
    return list(dict.fromkeys(grammar.line(rng) for _ in range(count)))


async def test_what_is_allowed_as_reading_only_reads(room):
    lines = [line for line in generated(Random(4), 200) if allowed(line)]
    assert len(lines) > 30
    assert await violations(room, lines) == []


async def test_the_watch_sees_what_is_done(room):
    """Or the other tests could not fail."""
    lines = [
        "touch made",
        "ls",
        "sort -o data.csv data.csv",
        "chmod +x data.csv",
        "git tag made",
        "cat data.csv | tee /dev/null",
        "git log --format=%G? signed",
    ]
    found = await watch(room, furnish(room, LISTED), lines)
    assert [bool(each.changed) for each in found] == [True, False, True, True, True, False, True]
    assert [sorted(each.started - LISTED) for each in found] == [["touch"], [], [], ["chmod"], [], ["tee"], ["gpg"]]


@pytest.mark.long
async def test_what_is_allowed_as_reading_only_reads_in_long(room):
    seed = random.randrange(1 << 30)
    lines = generated(Random(seed), 40_000)
    chosen = [line for line in lines if allowed(line)][:8_000]
    found = await violations(room, chosen)
    print(f"seed {seed}: {len(lines)} generated, {len(chosen)} allowed and run, {len(found)} violations")  # noqa: T201
    assert len(chosen) >= 5_000
    assert found == []
