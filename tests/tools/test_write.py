import os
import stat


async def test_a_new_file(desk):
    output = await desk.run("Write", file_path="a/b.txt", content="one\ntwo\n")
    assert output.parts[0].text == "Created a/b.txt (2 lines, 8 bytes)."
    assert output.data == {
        "type": "create",
        "filePath": str(desk.root / "a/b.txt"),
        "content": "one\ntwo\n",
        "structuredPatch": [],
        "originalFile": None,
    }
    assert (desk.root / "a/b.txt").read_text() == "one\ntwo\n"


async def test_an_existing_file_must_have_been_read_to_its_end(desk):
    path = desk.put("f", "1\n2\n")
    assert "has not been read\nRead it first" in await desk.error("Write", file_path="f", content="x")
    await desk.run("Read", file_path="f", limit=1)
    assert "Only a part of f has been read" in await desk.error("Write", file_path="f", content="x")
    await desk.run("Read", file_path="f")
    assert await desk.text("Write", file_path="f", content="x") == "Wrote f (1 line, 1 bytes)."
    assert path.read_text() == "x"


async def test_what_was_written_may_be_written_again(desk):
    await desk.run("Write", file_path="f", content="1")
    await desk.run("Write", file_path="f", content="2")
    await desk.run("Edit", file_path="f", old_string="2", new_string="3")
    await desk.run("Write", file_path="f", content="4")
    assert (desk.root / "f").read_text() == "4"


async def test_a_file_changed_since_is_not_overwritten(desk):
    path = desk.put("f", "mine\n")
    await desk.run("Read", file_path="f")
    path.write_text("theirs\n")
    assert "has changed since it was read" in await desk.error("Write", file_path="f", content="x")
    assert path.read_text() == "theirs\n"


async def test_what_the_sandbox_holds_in_the_place_of_a_missing_file_is_no_directory(desk):
    (desk.root / ".mcp.json").mkdir()
    assert ".mcp.json does not exist\nThe sandbox keeps" in await desk.error(
        "Write", file_path=".mcp.json", content="{}"
    )
    assert ".mcp.json does not exist" in await desk.error("Read", file_path=".mcp.json")


async def test_an_empty_file_needs_no_reading(desk):
    desk.put("__init__.py")
    await desk.run("Write", file_path="__init__.py", content="x = 1\n")
    assert (desk.root / "__init__.py").read_text() == "x = 1\n"


async def test_line_endings_mark_and_mode_survive(desk):
    path = desk.put("f", b"\xef\xbb\xbfa\r\nb\r\n")
    path.chmod(0o750)
    await desk.run("Read", file_path="f")
    await desk.run("Write", file_path="f", content="c\nd\n")
    assert (path.read_bytes(), stat.S_IMODE(path.stat().st_mode)) == (b"\xef\xbb\xbfc\r\nd\r\n", 0o750)


async def test_bad_targets(desk, tmp_path):
    desk.put("bin", b"\0")
    (desk.root / "dir").mkdir()
    os.mkfifo(desk.root / "pipe")
    (desk.root / "out").symlink_to(tmp_path)
    for name, said in [
        ("bin", "is binary data"),
        ("dir", "is a directory"),
        ("pipe", "is a named pipe"),
        ("bin/x", "one of its parents is not a directory"),
        ("../x", "outside the working directories"),
        ("out/x", "outside the working directories"),
    ]:
        assert said in await desk.error("Write", file_path=name, content="x")
    assert os.listdir(tmp_path) == ["project"]


async def test_a_file_with_other_links_is_left_alone(desk):
    path = desk.put("f", "a")
    os.link(path, desk.root / "other")
    await desk.run("Read", file_path="f")
    assert "2 hard links" in await desk.error("Write", file_path="f", content="x")
    assert path.read_text() == "a"
