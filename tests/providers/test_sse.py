"""Events out of bytes."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.errors import ProviderError
from harness.providers import sse
from harness.providers.sse import SseReader


def read(*pieces: bytes) -> list[tuple[str, list[str]]]:
    reader = SseReader()
    events = [event for piece in pieces for event in reader.feed(piece)] + reader.close()
    return [(event.name, event.lines) for event in events]


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_line_ends(end: bytes):
    assert read(b"data: a" + end + end + b"data:b" + end + end) == [("", ["a"]), ("", ["b"])]


def test_several_data_lines_are_one_event():
    assert read(b"event: error\ndata: a\ndata: b\n\n") == [("error", ["a", "b"])]


def test_comments_and_unknown_fields_are_nothing():
    assert read(b": ping\n\nid: 5\nretry: 1\ndata: x\n\n") == [("", ["x"])]


def test_the_last_event_needs_no_blank_line():
    assert read(b"data: x") == [("", ["x"])]


def test_a_byte_order_mark_is_skipped():
    assert read(b"\xef\xbb", b"\xbfdata: x\n\n") == [("", ["x"])]


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.sampled_from([b"data: \xe6\x9d\xb1", b"\n", b"\r\n", b"\r", b":", b"event: e"])), st.data())
def test_any_split_gives_the_same(words: list[bytes], data: st.DataObject):
    whole = b"".join(words)
    cut = data.draw(st.integers(0, len(whole)))
    assert read(whole[:cut], whole[cut:]) == read(whole) == read(*(whole[i : i + 1] for i in range(len(whole))))


def test_a_line_without_end_is_refused(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sse, "MAX_LINE", 1000)
    reader = SseReader()
    reader.feed(b"x" * 900)
    with pytest.raises(ProviderError, match="a line of more than"):
        reader.feed(b"x" * 200)
