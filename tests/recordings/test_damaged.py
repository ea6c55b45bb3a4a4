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


@st.composite
def damaged(draw: st.DrawFn) -> tuple[str, str]:
    name = draw(st.sampled_from(sorted(LINES)))
    lines = list(LINES[name])
    for number in draw(st.lists(st.integers(0, len(lines) - 1), min_size=1, max_size=3, unique=True)):
        whole = json.loads(lines[number])
        *way, last = draw(st.sampled_from(list(places(whole))))
        part = whole
        for key in way:
            part = part[key]
        part[last] = draw(st.sampled_from(JUNK))
        lines[number] = json.dumps(whole)[: draw(st.sampled_from([None, 40]))]
    return name, "\n".join(lines)


@given(case=damaged(), how=st.sampled_from(["shown", "--json", "--against"]))
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_nothing_in_a_file_makes_a_traceback(
    case: tuple[str, str], how: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    name, text = case
    with TemporaryDirectory() as place:
        monkeypatch.setenv("HOME", place)
        monkeypatch.setenv("HARNESS_CONFIG_DIR", place)
        monkeypatch.chdir(place)
        file = Path(place) / "session.jsonl"
        file.write_text(text)
        more = {"shown": [], "--json": ["--json"], "--against": ["--against", str(HERE / name / "cassette")]}[how]
        try:
            assert main([str(file), *more]) in {0, 1}
        except HarnessError:
            pass  # told in words
        finally:
            monkeypatch.chdir("/")
            capsys.readouterr()
