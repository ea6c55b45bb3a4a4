import os


async def test_by_name_at_any_depth_and_by_path(desk):
    for name in ("a.py", "src/b.py", "src/deep/c.py", "src/d.txt"):
        desk.put(name)
    assert set((await desk.text("Glob", pattern="*.py")).split()) == {"a.py", "src/b.py", "src/deep/c.py"}
    assert await desk.text("Glob", pattern="src/*.py") == "src/b.py"
    assert await desk.text("Glob", pattern="deep/*.py", path="src") == "src/deep/c.py"
    assert await desk.text("Glob", pattern="./a.*") == "a.py"
    assert await desk.text("Glob", pattern=f"{desk.root}/src/**/c.py") == "src/deep/c.py"


async def test_the_newest_first_and_at_most_a_hundred(desk):
    for n in range(150):
        os.utime(desk.put(f"f{n}"), (n, n))
    lines = (await desk.text("Glob", pattern="f*")).splitlines()
    assert lines[0] == "f149"
    assert lines[99:] == ["f50", "[the newest 100 of 150 files; narrow the pattern or the path to see others]"]
    data = await desk.data("Glob", pattern="f*")
    assert (data["numFiles"], len(data["filenames"]), data["truncated"]) == (100, 100, True)


async def test_ignored_and_dot_files_are_found_but_never_git(desk, monkeypatch):
    desk.put(".git/config")
    desk.put(".gitignore", "ignored\n")
    desk.put("ignored")
    assert set((await desk.text("Glob", pattern="*")).split()) == {".gitignore", "ignored"}
    monkeypatch.setenv("CLAUDE_CODE_GLOB_NO_IGNORE", "false")
    assert "no file matches" in await desk.text("Glob", pattern="nothing")


async def test_hidden_files_do_not_show_up(desk):
    desk.put("secrets/key.pem")
    desk.put("sub/.env")
    desk.put("a.pem")
    desk.context.hidden = lambda: (f"{desk.root}/secrets/**", ".env")
    assert await desk.text("Glob", pattern="**/*.pem") == "a.pem"
    assert "no file matches" in await desk.text("Glob", pattern="sub/.env")


async def test_names_that_look_like_globs(desk):
    desk.put("[x]/{a}/f.py")
    assert await desk.text("Glob", pattern="*.py", path="[x]/{a}") == "[x]/{a}/f.py"
    assert await desk.text("Glob", pattern="{a}/*.py", path="[x]") == "[no file matches {a}/*.py in [x]]"


async def test_links_are_not_followed(desk, tmp_path):
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/f.py").touch()
    (desk.root / "link").symlink_to(tmp_path / "outside")
    assert "no file matches" in await desk.text("Glob", pattern="**/*.py")
    assert "outside the working directories" in await desk.error("Glob", pattern="*.py", path="link")


async def test_bad_input(desk):
    desk.put("f")
    assert "unclosed character class" in await desk.error("Glob", pattern="[")
    assert "f is not a directory" in await desk.error("Glob", pattern="*", path="f")
    assert "none does not exist" in await desk.error("Glob", pattern="*", path="none")
    assert "outside the working directories" in await desk.error("Glob", pattern="../**/*.py")


async def test_dependencies_only_when_named(desk):
    for name in ("a.py", ".venv/lib/site-packages/b.py", "web/node_modules/c/d.py", "src/__pycache__/e.py"):
        desk.put(name)
    assert await desk.text("Glob", pattern="**/*.py") == "a.py"
    assert await desk.text("Glob", pattern=".venv/**/*.py") == ".venv/lib/site-packages/b.py"
    assert await desk.text("Glob", pattern="*.py", path="web/node_modules") == "web/node_modules/c/d.py"
    assert await desk.text("Glob", pattern="**/node_modules/**/*.py") == "web/node_modules/c/d.py"
