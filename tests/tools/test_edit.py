import os
import stat

import pytest

from harness.files import digest
from harness.tools.tool import FileSeen


async def put_and_read(desk, content, name="f.py"):
    path = desk.put(name, content)
    await desk.run("Read", file_path=name)
    return path


async def test_success_is_a_line_and_the_region(desk):
    path = await put_and_read(desk, "".join(f"line {n}\n" for n in range(1, 40)))
    said = await desk.text("Edit", file_path="f.py", old_string="line 20\n", new_string="new\n")
    assert said.splitlines() == [
        "Edited f.py:",
        *(f"    {n}\tline {n}" for n in (17, 18, 19)),
        "    20\tnew",
        *(f"    {n}\tline {n}" for n in (21, 22, 23)),
    ]
    assert path.read_text().splitlines()[19] == "new"


async def test_a_long_region_is_capped(desk):
    await put_and_read(desk, "a\n")
    said = await desk.text("Edit", file_path="f.py", old_string="a", new_string="b\n" * 500)
    assert len(said.splitlines()) < 40
    assert "lines]" in said


async def test_structured_form(desk):
    path = await put_and_read(desk, "a\nb\nc\n")
    assert await desk.data("Edit", file_path="f.py", old_string="b", new_string="x\ny") == {
        "filePath": str(path),
        "oldString": "b",
        "newString": "x\ny",
        "originalFile": "a\nb\nc\n",
        "structuredPatch": [
            {"oldStart": 1, "oldLines": 3, "newStart": 1, "newLines": 4, "lines": [" a", "-b", "+x", "+y", " c"]}
        ],
        "userModified": False,
        "replaceAll": False,
    }


async def test_it_must_be_read_first(desk):
    desk.put("f.py", "a\n")
    assert "has not been read\nRead" in await desk.error("Edit", file_path="f.py", old_string="a", new_string="b")


async def test_two_edits_after_one_read(desk):
    path = await put_and_read(desk, "a\nb\n")
    await desk.run("Edit", file_path="f.py", old_string="a", new_string="1")
    await desk.run("Edit", file_path="f.py", old_string="b", new_string="2")
    assert path.read_text() == "1\n2\n"


async def test_an_ambiguous_text_names_its_lines(desk):
    path = await put_and_read(desk, "x = 1\ny = 2\nx = 1\n")
    error = await desk.error("Edit", file_path="f.py", old_string="x = 1", new_string="x = 3")
    assert "f.py 2 times, at lines 1, 3" in error
    said = await desk.text("Edit", file_path="f.py", old_string="x = 1", new_string="x = 3", replace_all=True)
    assert "in 2 places" in said
    assert path.read_text() == "x = 3\ny = 2\nx = 3\n"


async def test_a_miss_shows_the_nearest_and_the_second_try_is_refused(desk):
    await put_and_read(desk, "def total(items):\n    return sum(items)\n")
    given = {"file_path": "f.py", "old_string": "    return sum(item)\n", "new_string": "    return 0\n"}
    error = await desk.error("Edit", **given)
    assert 'file       "    return sum(items)"\n  old_string "    return sum(item)"' in error
    again = await desk.error("Edit", **given)
    assert again.startswith("This very edit has failed before")
    assert "     2\t    return sum(items)" in again


async def test_after_a_change_the_same_edit_is_tried_again(desk):
    path = await put_and_read(desk, "one\n")
    given = {"file_path": "f.py", "old_string": "two", "new_string": "three"}
    await desk.error("Edit", **given)
    path.write_text("two\n")
    await desk.run("Read", file_path="f.py")
    await desk.run("Edit", **given)
    assert path.read_text() == "three\n"


async def test_hints_for_a_miss(desk):
    await put_and_read(desk, "alpha\nbeta\n")
    numbers = await desk.error("Edit", file_path="f.py", old_string="     1\talpha", new_string="x")
    assert "Leave out the line numbers" in numbers
    done = await desk.error("Edit", file_path="f.py", old_string="gamma", new_string="beta")
    assert "new_string is there already, at line 2" in done
    invisible = await desk.error("Edit", file_path="f.py", old_string="alpha\u200b", new_string="x")
    assert "\\u200b" in invisible


@pytest.mark.parametrize(
    ("before", "old", "new", "after"),
    [
        # Look-alikes: what the new text shares with the old stays as the file has it.
        ("a “b”\nc \u2013 d\n", 'a "b"\nc - d', 'a "b"\nnew', "a “b”\nnew\n"),
        ("x\u00a0= 1  \ny\n", "x = 1\ny", "x = 2\ny", "x = 2\ny\n"),
        # Indentation: new lines go where the file's are.
        ("class A:\n    def f(self):\n        return 1\n", "def f(self):\n    return 1",
         "def f(self):\n    x\n    return x",
         "class A:\n    def f(self):\n        x\n        return x\n"),
        ("if a:\n\tif b:\n\t\tc()\n", "if a:\n    if b:\n        c()\n",
         "if a:\n    if b:\n        d()\n    \n        e()\n",
         "if a:\n\tif b:\n\t\td()\n\n\t\te()\n"),
        ("  - a\n  - b\n", "- a\n- b\n", "- a\n- x\n- b\n", "  - a\n  - x\n  - b\n"),
        ("f(a,  b)\n", "f(a, b)", "f(a, c)", "f(a, c)\n"),
        # A last line without a newline, given with one.
        ("a\nend", "end\n", "fin\n", "a\nfin"),
    ],
)  # fmt: skip
async def test_near_matches_change_the_matched_lines_only(desk, before, old, new, after):
    other = "keep “this” \u2013 as\u00a0is  \n\n"
    path = await put_and_read(desk, other + before)
    said = await desk.text("Edit", file_path="f.py", old_string=old, new_string=new)
    assert path.read_text() == other + after
    assert ("old_string differed from the file" in said) == (not before.endswith("end"))


@pytest.mark.parametrize(
    ("before", "old"),
    [
        ("max = 1\n", "x  = 1"),  # within a word
        ("a\n  b\n    c\n", "a\nb\nc"),  # no one indentation for new lines
        ("f( a )\n", "f(a)"),
        ("x  = 1\nx   = 1\n", "x = 1"),  # two near matches
    ],
)
async def test_near_matches_that_are_not_plain_change_nothing(desk, before, old):
    path = await put_and_read(desk, before)
    await desk.error("Edit", file_path="f.py", old_string=old, new_string="new")
    assert path.read_text() == before


@pytest.mark.parametrize(
    ("before", "old", "new", "after"),
    [
        (b"a\r\nb\r\nc\r\n", "a\nb", "x\ny", b"x\r\ny\r\nc\r\n"),
        (b"a\r\nb\r\n", "a", "x\ny", b"x\r\ny\r\nb\r\n"),
        (b"a\nb\r\nc\n", "b", "x\ny", b"a\nx\r\ny\r\nc\n"),
        (b"a\nb\r\nc\nd\n", "a\nb\nc", "a\nb\nx", b"a\nb\r\nx\nd\n"),
        (b"\xef\xbb\xbfa\n", "a", "\u00e9", b"\xef\xbb\xbf\xc3\xa9\n"),
        ("\ufeffa\n".encode("utf-16-le"), "a", "b", "\ufeffb\n".encode("utf-16-le")),
        (b"caf\xe9 1\n", "1", "2", b"caf\xe9 2\n"),
        (b"no newline", "no", "a", b"a newline"),
        (b"a\r\nb\r\n", "\nb", "\nx\ny", b"a\r\nx\r\ny\r\n"),
    ],
)
async def test_bytes_around_the_change_survive(desk, before, old, new, after):
    path = await put_and_read(desk, before)
    path.chmod(0o755)
    await desk.run("Edit", file_path="f.py", old_string=old, new_string=new)
    assert (path.read_bytes(), stat.S_IMODE(path.stat().st_mode)) == (after, 0o755)


async def test_what_the_encoding_cannot_hold(desk):
    path = await put_and_read(desk, b"caf\xe9 1\n")
    error = await desk.error("Edit", file_path="f.py", old_string="1", new_string="→")
    assert "Latin-1, which has no '→'" in error
    assert path.read_bytes() == b"caf\xe9 1\n"


async def test_a_file_changed_since(desk):
    path = await put_and_read(desk, "a\nb\n")
    path.write_text("a\nb\nc\n")
    said = await desk.text("Edit", file_path="f.py", old_string="b", new_string="x")
    assert "had changed since it was read" in said
    assert path.read_text() == "a\nx\nc\n"
    path.write_text("a\n  y\n")
    assert "Read it again" in await desk.error("Edit", file_path="f.py", old_string=" a", new_string="z")


async def test_an_empty_old_string_makes_a_file(desk):
    assert (
        await desk.text("Edit", file_path="new/f.py", old_string="", new_string="a\n") == "Created new/f.py (2 bytes)."
    )
    error = await desk.error("Edit", file_path="new/f.py", old_string="", new_string="b\n")
    assert "exists and is not empty" in error
    await desk.run("Edit", file_path="new/f.py", old_string="a", new_string="c")
    assert (desk.root / "new/f.py").read_text() == "c\n"


async def test_bad_files(desk, tmp_path):
    desk.put("bin", b"a\0b")
    (desk.root / "dir").mkdir()
    os.mkfifo(desk.root / "pipe")
    (tmp_path / "out").write_text("x")
    for name, said in [
        ("bin", "is binary data"),
        ("dir", "is a directory"),
        ("pipe", "is a named pipe"),
        ("none", "does not exist"),
        ("../out", "outside the working directories"),
    ]:
        assert said in await desk.error("Edit", file_path=name, old_string="a", new_string="b")
    assert "are the same" in await desk.error("Edit", file_path="bin", old_string="a", new_string="a")


async def test_a_link_swapped_in_redirects_nothing(desk, tmp_path):
    (tmp_path / "outside").mkdir()
    victim = tmp_path / "outside/f.py"
    victim.write_text("a\n")
    path = await put_and_read(desk, "a\n", "d/f.py")
    desk.context.decided[path] = path
    (desk.root / "d").rename(desk.root / "away")
    (desk.root / "d").symlink_to(tmp_path / "outside")
    desk.context.seen[victim] = FileSeen(digest(b"a\n"), whole=True)
    error = await desk.error("Edit", file_path="d/f.py", old_string="a", new_string="b")
    assert "the path changed" in error
    assert victim.read_text() == "a\n"
