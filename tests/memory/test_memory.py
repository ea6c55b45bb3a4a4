"""Which files are in memory, in which order, and what a stranger's project cannot make it read."""

from pathlib import Path

import pytest

from harness.memory import Memory, Wanted, approve, told


@pytest.fixture
def room(tmp_path: Path) -> Path:
    for name in ("home/.claude", "home/.harness", "repo/.git", "repo/sub", "owner"):
        (tmp_path / name).mkdir(parents=True)
    return tmp_path


def wanted(room: Path, at: str = "repo", **more) -> Wanted:
    env = {"HOME": str(room / "home"), **more.pop("env", {})}
    return Wanted(cwd=room / at, env=env, managed=(room / "owner",), **more)


def put(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def texts(memory: Memory) -> list[str]:
    return [file.text for file in memory.files]


def test_the_order_is_owner_person_ancestors_project(room: Path):
    put(room / "owner/CLAUDE.md", "owner")
    put(room / "home/.claude/CLAUDE.md", "person")
    put(room / "home/.claude/rules/r.md", "person's rule")
    put(room / "repo/CLAUDE.md", "project")
    put(room / "repo/CLAUDE.local.md", "local")
    put(room / "repo/sub/CLAUDE.md", "sub")
    put(room / "repo/.claude/rules/x/y.md", "project's rule")
    memory = Memory.load(wanted(room, "repo/sub"))
    assert texts(memory) == ["owner", "person", "person's rule", "project", "local", "sub", "project's rule"]
    assert memory.notices == []


def test_agents_md_only_where_there_is_no_claude_md(room: Path):
    put(room / "repo/AGENTS.md", "agents")
    assert texts(Memory.load(wanted(room))) == ["agents"]
    put(room / "repo/CLAUDE.md", "claude\n@AGENTS.md")
    assert texts(Memory.load(wanted(room))) == ["claude\n@AGENTS.md", "agents"]
    (room / "repo/CLAUDE.md").unlink()
    (room / "repo/CLAUDE.md").symlink_to("AGENTS.md")
    assert texts(Memory.load(wanted(room))) == ["agents"]


def test_imports_four_deep_without_cycles(room: Path):
    put(room / "repo/CLAUDE.md", "0 @a1.md")
    for depth in range(1, 7):
        put(room / f"repo/a{depth}.md", f"{depth} @a{depth + 1}.md @CLAUDE.md")
    assert [text[0] for text in texts(Memory.load(wanted(room)))] == ["0", "1", "2", "3", "4"]


def test_nothing_is_read_for_a_stranger(room: Path):
    secret = put(room / "home/.ssh/id", "secret")
    put(room / "repo/CLAUDE.md", f"@{secret} @../home/.ssh/id @~/.ssh/id")
    (room / "repo/CLAUDE.local.md").symlink_to(secret)
    memory = Memory.load(wanted(room))
    assert "secret" not in told(memory.files)
    assert all(f"/memory allow {secret}" in notice for notice in memory.notices)
    assert len(memory.notices) >= 2


def test_what_the_person_allows_is_read(room: Path):
    other = put(room / "shared/style.md", "style")
    put(room / "repo/CLAUDE.md", "@../shared/style.md")
    want = wanted(room)
    assert "style" not in texts(Memory.load(want))
    approve(want, other)
    assert "style" in texts(Memory.load(want))
    assert Memory.load(want).notices == []


def test_the_persons_own_files_may_import_from_anywhere(room: Path):
    put(room / "shared/style.md", "style")
    put(room / "home/.claude/CLAUDE.md", f"@{room}/shared/style.md")
    assert "style" in texts(Memory.load(wanted(room)))


def test_rules_wait_for_the_files_they_are_about(room: Path):
    put(room / "repo/.claude/rules/ts.md", "---\npaths: src/**/*.{ts,tsx}\n---\nUse strict.")
    put(room / "repo/.claude/rules/all.md", "Always.")
    memory = Memory.load(wanted(room))
    assert texts(memory) == ["Always."]
    assert memory.after_reading(room / "repo/src/a.py") == []
    assert [file.text for file in memory.after_reading(room / "repo/src/x/b.tsx")] == ["Use strict."]
    assert memory.after_reading(room / "repo/src/x/b.tsx") == []


def test_directories_below_count_once_something_in_them_is_read(room: Path):
    put(room / "repo/sub/CLAUDE.md", "sub")
    put(room / "repo/sub/deep/AGENTS.md", "deep")
    memory = Memory.load(wanted(room))
    assert texts(memory) == []
    assert [file.text for file in memory.after_reading(room / "repo/sub/deep/x.py")] == ["sub", "deep"]
    assert memory.after_reading(room / "elsewhere/x.py") == []


def test_sources_choose_and_globs_exclude(room: Path):
    put(room / "home/.claude/CLAUDE.md", "person")
    put(room / "repo/CLAUDE.md", "project")
    put(room / "repo/CLAUDE.local.md", "local")
    assert texts(Memory.load(wanted(room, sources=("project",)))) == ["project"]
    assert texts(Memory.load(wanted(room, sources=()))) == []
    assert texts(Memory.load(wanted(room, excluded=("**/repo/CLAUDE.md",)))) == ["person", "local"]
    assert texts(Memory.load(wanted(room, env={"CLAUDE_CODE_DISABLE_CLAUDE_MDS": "1"}))) == []


def test_sizes_are_told(room: Path):
    put(room / "repo/CLAUDE.md", "x" * 50_000)
    put(room / "repo/CLAUDE.local.md", "y" * (4 << 20 | 1))
    memory = Memory.load(wanted(room))
    assert [len(text) for text in texts(memory)] == [50_000]
    assert "50,000 characters" in memory.notices[0]
    assert "larger than 4 MiB" in memory.notices[1]


def test_a_pipe_or_a_broken_rule_ends_nothing(room: Path):
    import os

    os.mkfifo(room / "repo/CLAUDE.md")
    put(room / "repo/.claude/rules/a.md", "---\n- [\n---\nStill counts.")
    memory = Memory.load(wanted(room))
    assert texts(memory) == ["Still counts."]
    assert "front matter" in memory.notices[0]


def test_the_index_of_auto_memory_is_cut(room: Path):
    memory = Memory.load(wanted(room))
    assert memory.files == []
    from harness.memory.places import auto

    index = auto(room / "repo", {"HOME": str(room / "home")}).path
    put(index, "\n".join(f"line {n}" for n in range(500)))
    (found,) = Memory.load(wanted(room)).files
    assert (found.kind, found.text.count("\n")) == ("Auto", 199)
    assert Memory.load(wanted(room, auto=False)).files == []


def test_a_cut_index_is_told_and_how_to_write_only_where_it_is_switched_on(room: Path):
    from harness.memory.places import auto, notes

    env = {"HOME": str(room / "home")}
    index = auto(room / "repo", env).path
    assert notes(room / "repo", env, None) is None
    assert not index.parent.exists(), "nobody asked for it"
    assert notes(room / "repo", env, True) == index.parent
    (empty,) = Memory.load(wanted(room, auto=True)).files
    assert str(index.parent) in empty.text
    assert empty.text.endswith("(nothing yet)")
    put(index, "\n".join(f"line {n}" for n in range(500)))
    (found,) = (memory := Memory.load(wanted(room))).files
    assert "later sessions" not in found.text
    assert "only its first 200 lines" in memory.notices[0]
    assert "later sessions" in Memory.load(wanted(room, auto=True)).opening()
    assert notes(room / "repo", env, False) is None
    assert notes(room / "repo", {**env, "CLAUDE_CODE_DISABLE_AUTO_MEMORY": "1"}, True) is None
