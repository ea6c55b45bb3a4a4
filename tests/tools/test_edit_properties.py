"""Any file and any unique span in it: what an edit does, the reverse edit undoes, byte for byte."""

from hypothesis import assume, example, given
from hypothesis import strategies as st

from harness.errors import ToolError
from harness.tools.edit import edit
from harness.tools.lookalike import find
from harness.tools.textdiff import structured_patch
from harness.tools.textfile import TextFile, decode, lines_of

# Few kinds of characters, so that spans repeat, look alike and differ in space only.
TEXT = st.text(st.sampled_from("ab \t\n\"'-\u201c\u2019\u2013\u00a0é"), max_size=60)
FILES = st.builds(
    lambda text, newline, mark: mark + text.replace("\n", newline).encode(),
    TEXT,
    st.sampled_from(["\n", "\r\n"]),
    st.sampled_from([b"", b"\xef\xbb\xbf"]),
)


def applied(data: bytes, old: str, new: str) -> bytes:
    file = decode(data)
    return file.encode(edit(file, old, new, all_places=False).text)


def unique_span(data: st.DataObject, content: bytes) -> str:
    """A span as the model sees it, with \\n for every line ending; the whole text is unique if nothing less is."""
    shown = shown_text(content)
    start = data.draw(st.integers(0, len(shown) - 1))
    end = data.draw(st.integers(start + 1, len(shown)))
    while shown.count(shown[start:end]) > 1:
        start, end = max(start - 1, 0), end + 1
    return shown[start:end]


def shown_text(content: bytes) -> str:
    return decode(content).text.replace("\r\n", "\n")


# The new text has a mark of its own, so that the reverse edit finds it once.
NEW = st.builds(lambda a, b: f"{a}N{b}", TEXT, TEXT)


@given(FILES, NEW, st.data())
def test_an_edit_and_its_reverse_restore_the_bytes(content, new, data):
    assume(shown_text(content))
    old = unique_span(data, content)
    changed = applied(content, old, new)
    assert shown_text(changed) == shown_text(content).replace(old, new)
    if "\n" not in old or "\n" in shown_text(changed):  # else the file has forgotten its line ending
        assert applied(changed, new, old) == content


@given(st.builds(lambda a, b: f"{a}\n{b}".replace("\n", "\r\n").encode(), TEXT, TEXT), NEW, st.data())
def test_pure_line_endings_stay_pure(content, new, data):
    result = decode(applied(content, unique_span(data, content), new)).text
    assert result.count("\n") == result.count("\r\n")


@given(TEXT, TEXT, TEXT)
@example("x = “a”\n", 'x = "a"', "y")
def test_nothing_outside_the_span_changes(text, old, new):
    assume(old)
    try:
        after = edit(TextFile(text), old, new, all_places=False).text
    except ToolError:
        return
    (span,) = find(text, old)[1] or find(f"{text}\n", old)[1]
    assert after.startswith(text[: span.start])
    assert after.endswith(text[span.end :])


@given(TEXT, TEXT)
def test_a_patch_rebuilds_the_new_lines(before, after):
    old, new, at = lines_of(before), [], 0
    for hunk in structured_patch(before, after):
        new += old[at : hunk["oldStart"] - 1] + [line[1:] for line in hunk["lines"] if line[0] != "-"]
        assert [line[1:] for line in hunk["lines"] if line[0] != "+"] == old[hunk["oldStart"] - 1 :][: hunk["oldLines"]]
        at = hunk["oldStart"] - 1 + hunk["oldLines"]
    assert new + old[at:] == lines_of(after)


@given(st.binary(max_size=80))
def test_any_bytes_that_decode_are_encoded_again(content):
    file = decode(content)
    assert file.encode(file.text) == content
