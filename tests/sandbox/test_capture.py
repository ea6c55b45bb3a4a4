import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from harness.sandbox import capture
from harness.sandbox.capture import Capture


def fed(file: Path, *chunks: bytes) -> Capture:
    made = Capture(file)
    for chunk in chunks:
        made.feed(chunk)
    return made


def test_what_fits_is_given_whole_and_no_file_is_made(tmp_path):
    made = fed(tmp_path / "r" / "f", b"a\n", b"b \xc3", b"\xa9")
    assert made.text(100) == ("a\nb é", None)
    assert list(tmp_path.iterdir()) == []


def test_what_does_not_fit_shows_head_and_tail_and_is_saved_whole(tmp_path):
    data = b"".join(b"line %d\n" % number for number in range(5000))
    text, file = fed(tmp_path / "r" / "f", data).text(1000)
    assert text.startswith("line 0\nline 1\n")
    assert text.endswith("line 4999\n")
    assert len(text) < 1100
    assert file is not None
    assert file.read_bytes() == data


def test_the_number_of_missing_bytes_is_true(tmp_path):
    text, _ = fed(tmp_path / "f", b"x" * 3000).text(1000)
    assert "[... 2,000 bytes not shown ...]" in text


def test_the_file_has_a_cap(tmp_path, monkeypatch):
    monkeypatch.setattr(capture, "SAVED_CAP", 300_000)
    _, file = fed(tmp_path / "f", *[b"x" * 100_000] * 9).text(1000)
    assert file is not None
    assert file.read_bytes() == b"x" * 300_000 + capture.FULL_MARK


@given(st.lists(st.binary(min_size=1, max_size=60_000), max_size=12), st.integers(100, 40_000))
def test_saved_bytes_and_shown_ends_are_those_that_came(chunks, limit):
    with tempfile.TemporaryDirectory() as directory:
        text, file = fed(Path(directory) / "f", *chunks).text(limit)
        data = b"".join(chunks)
        if file is None:
            assert text == data.decode(errors="replace")
        else:
            assert file.read_bytes() == data
            assert len(text) <= limit + 60
            assert data.decode(errors="replace").startswith(text.split("\n[... ")[0][: limit // 2 - 4])
