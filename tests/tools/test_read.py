import os

import pytest

from harness.messages import Image
from harness.tools.read import IMAGE_BYTES, WHOLE_BYTES


async def test_lines_are_numbered_and_can_be_copied(desk):
    desk.put("a.py", "def f():\n\treturn 1\n")
    assert await desk.text("Read", file_path="a.py") == "     1\tdef f():\n     2\t\treturn 1"


async def test_structured_form(desk):
    path = desk.put("a.txt", "1\n2\n3\n")
    assert await desk.data("Read", file_path=str(path), offset=2, limit=1) == {
        "type": "text",
        "file": {"filePath": str(path), "content": "2", "numLines": 1, "startLine": 2, "totalLines": 3},
    }


async def test_a_page_names_the_next_call(desk):
    desk.put("a.txt", "".join(f"{n}\n" for n in range(1, 513)))
    said = await desk.text("Read", file_path="a.txt", limit=244)
    assert said.endswith("   244\t244\n[PARTIAL view: lines 1-244 of 512. 268 more lines: Read offset=245]")


async def test_a_page_ends_at_the_line_limit_and_at_the_size_limit(desk, monkeypatch):
    desk.put("lines.txt", "x\n" * 2500)
    desk.put("wide.txt", ("y" * 99 + "\n") * 1000)
    assert "[PARTIAL view: lines 1-2000 of 2500. 500 more lines: Read offset=2001]" in await desk.text(
        "Read", file_path="lines.txt"
    )
    assert "lines 1-500 of 1000" in await desk.text("Read", file_path="wide.txt")
    monkeypatch.setenv("CLAUDE_CODE_FILE_READ_MAX_OUTPUT_TOKENS", "250")
    assert "lines 1-10 of 1000" in await desk.text("Read", file_path="wide.txt")


async def test_long_lines_are_cut_and_it_is_said(desk):
    desk.put("min.js", "a" * 5000 + "\nb\n")
    said = await desk.text("Read", file_path="min.js")
    assert "a… [3000 more characters]\n     2\tb\n[1 long line cut at 2000 characters]" in said


async def test_empty_and_past_the_end_are_notices(desk):
    desk.put("empty")
    desk.put("a.txt", "1\n2\n")
    assert await desk.text("Read", file_path="empty") == "[empty is empty]"
    assert await desk.text("Read", file_path="a.txt", offset=9) == "[a.txt has 2 lines; offset=9 is past its end]"


async def test_pages_add_up_to_the_whole(desk):
    path = desk.put("a.txt", "1\n2\n3\n")
    await desk.run("Read", file_path="a.txt", limit=2)
    assert not desk.context.seen[path].whole
    await desk.run("Read", file_path="a.txt", offset=3)
    assert desk.context.seen[path].whole
    await desk.run("Read", file_path="a.txt", limit=1)
    assert desk.context.seen[path].whole


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("é\n".encode("latin-1"), "     1\té\n[not UTF-8: shown as Latin-1; edits keep its bytes]"),
        ("\ufeffé\n".encode("utf-16-le"), "     1\té\n[encoded as UTF-16-LE; edits keep it]"),
        ("\ufeffé\n".encode("utf-8"), "     1\té"),
        (b"one\r\ntwo\r\n", "     1\tone\n     2\ttwo"),
        ("form\x0cfeed\u2028line\n".encode(), "     1\tform\x0cfeed\u2028line"),
    ],
)
async def test_encodings_and_line_ends(desk, content, said):
    desk.put("f", content)
    assert await desk.text("Read", file_path="f") == said


@pytest.mark.parametrize(
    ("content", "kind", "command"),
    [
        (b"\x7fELF\x02\0\0", "an ELF program", "file f"),
        (b"%PDF-1.7 ...", "a PDF document", "pdftotext f -"),
        (b"a\0b", "binary data", "xxd f | head"),
        (b"SQLite format 3\0...", "an SQLite database", "sqlite3 f .schema"),
    ],
)
async def test_binary_files_are_named_and_a_way_is_shown(desk, content, kind, command):
    desk.put("f", content)
    error = await desk.error("Read", file_path="f")
    assert kind in error
    assert command in error


async def test_images_come_as_images(desk):
    desk.put("p.png", b"\x89PNG\r\n\x1a\n123")
    output = await desk.run("Read", file_path="p.png")
    assert output.parts[1] == Image("image/png", "iVBORw0KGgoxMjM=")
    desk.put("big.gif", b"GIF89a" + bytes(IMAGE_BYTES))
    assert "image of more than 5 MB" in await desk.error("Read", file_path="big.gif")


async def test_a_huge_file_costs_a_page(desk):
    path = desk.root / "huge.log"
    with path.open("wb") as file:
        for start in range(0, 600_000, 1000):
            file.write(b"".join(b"%063d\n" % n for n in range(start, start + 1000)))
    said = await desk.text("Read", file_path="huge.log", offset=500_001, limit=2)
    assert said.splitlines()[0] == f"500001\t{500_000:063d}"
    assert "[PARTIAL view: lines 500001-500002 of more, in a file of 37 MB. More lines: Read offset=500003]" in said
    assert "     1\t" in await desk.text("Read", file_path="huge.log")
    assert "has 600000 lines" in await desk.text("Read", file_path="huge.log", offset=700_000)


async def test_one_huge_line(desk):
    desk.put("one", b"x" * (WHOLE_BYTES + 10) + b"\nlast\n")
    said = await desk.text("Read", file_path="one")
    assert len(said) < 20_000
    assert said.splitlines()[1] == "     2\tlast"


async def test_a_missing_file_names_the_nearest(desk):
    desk.put("src/pkg/config.py")
    assert "Did you mean src/pkg/config.py?" in await desk.error("Read", file_path="config.py")
    assert "Did you mean src/pkg/config.py?" in await desk.error("Read", file_path="src/pkg/confg.py")
    assert "Find it with Glob" in await desk.error("Read", file_path="zzz")


async def test_hidden_files_are_not_named(desk):
    desk.put("secrets/token.txt")
    desk.context.hidden = lambda: (f"{desk.root}/secrets/**",)
    assert "secrets" not in await desk.error("Read", file_path="token.txt")
    assert "token.txt" not in await desk.error("Read", file_path="secrets")


async def test_a_directory_is_listed(desk):
    desk.put("src/a.py")
    (desk.root / "src/sub").mkdir()
    assert await desk.error("Read", file_path="src") == (
        "src is a directory\nIt holds: a.py, sub/.\nUse Glob to find files below it."
    )


async def test_what_is_no_file_and_what_is_outside(desk, tmp_path):
    os.mkfifo(desk.root / "pipe")
    outside = tmp_path / "outside"
    outside.write_text("out\n")
    assert "is a named pipe" in await desk.error("Read", file_path="pipe")
    assert "outside the working directories" in await desk.error("Read", file_path="../outside")
    desk.context.decided[outside] = outside
    assert await desk.text("Read", file_path="../outside") == "     1\tout"


async def test_a_link_that_turned_after_the_decision(desk, tmp_path):
    good, secret, link = desk.put("good", "good\n"), tmp_path / "secret", desk.root / "link"
    secret.write_text("secret\n")
    link.symlink_to(good)
    desk.context.decided[link] = good
    assert "good" in await desk.text("Read", file_path="link")
    link.unlink()
    link.symlink_to(secret)
    assert "the path changed" in await desk.error("Read", file_path="link")
