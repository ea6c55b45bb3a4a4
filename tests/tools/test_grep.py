import os
import subprocess
import sysconfig

import anyio
import pytest

from harness.errors import ToolError
from harness.tools import grep, ripgrep


@pytest.fixture
def code(desk):
    desk.put("src/a.py", "import os\n\ndef f():\n    return os\n")
    desk.put("src/b.py", "def g():\n    return 2\n")
    desk.put("notes.md", "return to sender\n")
    return desk


async def test_files_in_order(code):
    assert await code.text("Grep", pattern="return") == "notes.md\nsrc/a.py\nsrc/b.py"
    paged = await code.text("Grep", pattern="return", head_limit=1, offset=1)
    assert paged == "src/a.py\n[2-2 of 3 files; go on with offset=2]"


async def test_content_is_grouped_by_file(code):
    said = await code.text("Grep", pattern="return", output_mode="content", **{"-B": 1})
    assert said == (
        "notes.md\n1:return to sender\n\nsrc/a.py\n3-def f():\n4:    return os\n\nsrc/b.py\n1-def g():\n2:    return 2"
    )


async def test_lines_of_one_file_may_be_edited_but_the_file_not_replaced(code):
    change = {"old_string": "    return 2", "new_string": "    return 3"}
    await code.text("Grep", pattern="return", output_mode="content")
    assert "has not been read" in await code.error("Edit", file_path="src/b.py", **change)
    await code.text("Grep", pattern="return", output_mode="content", path="src/b.py")
    assert "Only a part" in await code.error("Write", file_path="src/b.py", content="")
    assert "return 3" in await code.text("Edit", file_path="src/b.py", **change)


async def test_counts(code):
    assert await code.text("Grep", pattern="def|return", output_mode="count") == (
        "notes.md: 1\nsrc/a.py: 2\nsrc/b.py: 2\n[5 matching lines in 3 files]"
    )


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"glob": "*.md"}, "notes.md\n1:return to sender"),
        ({"glob": "src/*.py", "-o": True}, "src/a.py\n4:return\n\nsrc/b.py\n2:return"),
        ({"glob": "!*.py"}, "notes.md\n1:return to sender"),
        ({"glob": "*.{md,txt}, *.rst"}, "notes.md\n1:return to sender"),
        (
            {"type": "py", "head_limit": 1},
            "src/a.py\n4:    return os\n\n[1-1 of 2 lines in 2 files; go on with offset=1]",
        ),
        ({"path": "src/b.py", "-n": False}, "src/b.py\n    return 2"),
        ({"path": "src/b.py", "-C": 1}, "src/b.py\n1-def g():\n2:    return 2"),
        ({"path": "src/b.py", "context": 1, "-n": False}, "src/b.py\ndef g():\n    return 2"),
        ({"pattern": "RETURN TO", "-i": True}, "notes.md\n1:return to sender"),
        ({"pattern": r"\):.*return 2", "multiline": True}, "src/b.py\n1:def g():\n2:    return 2"),
        ({"pattern": "absent"}, "[no matches]"),
        ({"offset": 7}, "[No entries at this offset: 3 lines in 3 files in all]"),
    ],
)
async def test_inputs(code, given, said):
    assert await code.text("Grep", **{"pattern": "return", "output_mode": "content"} | given) == said


async def test_pages_put_together_are_the_whole(code):
    code.put("many", "".join(f"return {n}\n" for n in range(20)))
    given = {"pattern": "return", "output_mode": "content"}
    whole = (await code.data("Grep", **given))["content"]
    pages = [(await code.data("Grep", **given, head_limit=4, offset=n))["content"] for n in range(0, 24, 4)]
    lines = [line for page in pages for line in page.splitlines() if ":" in line]
    assert lines == [line for line in whole.splitlines() if ":" in line]


async def test_a_flood_is_cut_with_totals_and_the_next_call(code):
    code.put("flood", "match\n" * 300_000)
    said = await code.text("Grep", pattern="match", output_mode="content", head_limit=0)
    assert len(said) < grep.PAGE_CHARS + 20_000
    assert "of 300000 lines in 1 file; go on with offset=" in said
    code.put("wide.js", "match" + "x" * 100_000)
    assert len(await code.text("Grep", pattern="match", path="wide.js", output_mode="content")) < 1000


async def test_more_than_memory_should_hold_is_not_read(code):
    code.put("flood", "match\n" * 300_000)
    found = await ripgrep.run(["-n", "match"], code.root, code.context, limit=10_000)
    assert (len(found.out), found.cut) == (10_000, True)


async def test_ignored_hidden_and_git_files(code):
    code.put(".gitignore", "ignored\n")
    code.put("ignored", "return")
    code.put(".git/x", "return")
    code.put(".env", "return")
    code.put("secrets/x", "return")
    code.context.hidden = lambda: (f"{code.root}/secrets/**",)
    for glob in ({}, {"glob": "**"}):
        names = (await code.data("Grep", pattern="return", **glob))["filenames"]
        assert ".env" in names
        assert not {"secrets/x", ".git/x"} & set(names)
    assert "ignored" not in (await code.data("Grep", pattern="return"))["filenames"]


async def test_structured_form(code):
    assert await code.data("Grep", pattern="return", path="src/b.py", output_mode="content", head_limit=5) == {
        "mode": "content",
        "numFiles": 1,
        "filenames": ["src/b.py"],
        "content": "src/b.py\n2:    return 2",
        "numLines": 1,
        "numMatches": 1,
        "appliedLimit": 5,
    }


async def test_bad_input(code):
    error = await code.error("Grep", pattern="f(")
    assert "unclosed group" in error
    assert "escape" in error
    assert "unrecognized file type: cobolt" in await code.error("Grep", pattern="x", type="cobolt")
    assert "unclosed character class" in await code.error("Grep", pattern="x", glob="[")
    assert "none does not exist" in await code.error("Grep", pattern="x", path="none")
    assert "outside the working directories" in await code.error("Grep", pattern="x", path="..")
    os.mkfifo(code.root / "pipe")
    assert "is a named pipe" in await code.error("Grep", pattern="x", path="pipe")


async def test_names_that_are_no_text(code):
    (code.root / os.fsdecode(b"\xff.py")).write_text("return\n")
    assert "\ufffd.py" in await code.text("Grep", pattern="return")
    assert "\ufffd.py" in await code.text("Glob", pattern="*.py")
    assert "\ufffd.py" in await code.error("Read", file_path=".")


async def test_a_pattern_that_looks_like_an_option(code):
    code.put("f", "--help -e\n")
    assert await code.text("Grep", pattern="--help -e") == "f"


async def test_a_search_that_hangs_is_ended(code):
    os.mkfifo(code.root / "pipe")
    found = await ripgrep.run(["x"], code.root / "pipe", code.context, timeout=0.2)
    assert found.timed_out


async def test_an_interrupted_search_leaves_no_process(code):
    os.mkfifo(code.root / "pipe")

    def searching() -> list[str]:
        lines = subprocess.run(
            ["ps", "-ewwo", "stat,args"], capture_output=True, text=True, check=True
        ).stdout.splitlines()
        return [line for line in lines if str(code.root / "pipe") in line and line[0] != "Z"]

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ripgrep.run, ["x"], code.root / "pipe", code.context)
        while not searching():
            await anyio.sleep(0.01)
        tasks.cancel_scope.cancel()
    assert searching() == []


async def test_rg_is_not_taken_from_the_project(code, monkeypatch, tmp_path):
    planted = code.put("bin/rg", "#!/bin/sh\n")
    planted.chmod(0o755)
    monkeypatch.setattr(sysconfig, "get_path", lambda _: str(tmp_path))
    monkeypatch.setenv("PATH", str(planted.parent))
    with pytest.raises(ToolError, match="not installed"):
        ripgrep.find_rg.__wrapped__((code.root,))
    assert ripgrep.find_rg.__wrapped__((tmp_path / "elsewhere",)) == planted
