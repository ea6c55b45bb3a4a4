"""A session file that somebody has damaged is shown as far as it can be, or refused in words: never a traceback."""

import json
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.commands.replay import main
from harness.errors import HarnessError
from tests.recordings.make import HERE, MADE

LINES = {name: (HERE / name / "session.jsonl").read_text().splitlines() for name in MADE}
JUNK: list[Any] = [None, 1, -1.5, "x", [], {}, [1], {"a": 1}, True, "\ud800", "\x1b[2J"]


def places(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Of everything within a value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in inner:
        yield (*place, key)
        yield from places(item, (*place, key))


Damage = tuple[int, tuple[Any, ...], Any, bool]  # line, place, what stands there instead, whether the rest is cut off


@st.composite
def damaged(draw: st.DrawFn) -> tuple[str, list[Damage]]:
    name = draw(st.sampled_from(sorted(LINES)))
    made = []
    for number in draw(st.lists(st.integers(0, len(LINES[name]) - 1), min_size=1, max_size=3, unique=True)):
        place = draw(st.sampled_from(list(places(json.loads(LINES[name][number])))))
        made.append((number, place, draw(st.sampled_from(JUNK)), draw(st.integers(0, 9)) == 0))
    return name, made


def text_of(name: str, damage: list[Damage]) -> str:
    lines = list(LINES[name])
    for number, (*way, last), instead, cut in damage:
        whole = part = json.loads(lines[number])
        for key in way:
            part = part[key]
        part[last] = instead
        lines[number] = json.dumps(whole)[: 40 if cut else None]
    return "\n".join(lines)


@given(case=damaged(), how=st.sampled_from(["shown", "--json", "--against"]))
@settings(max_examples=40, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_nothing_in_a_file_makes_a_traceback(
    case: tuple[str, list[Damage]], how: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    name, damage = case
    with TemporaryDirectory() as place:
        monkeypatch.setenv("HOME", place)
        monkeypatch.setenv("HARNESS_CONFIG_DIR", place)
        monkeypatch.chdir(place)
        file = Path(place) / "session.jsonl"
        file.write_text(text_of(name, damage))
        more = {"shown": [], "--json": ["--json"], "--against": ["--against", str(HERE / name / "cassette")]}[how]
        try:
            assert main([str(file), *more]) in {0, 1}
        except HarnessError:
            pass  # told in words
        finally:
            monkeypatch.chdir("/")
            capsys.readouterr()
