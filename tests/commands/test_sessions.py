"""`harness sessions`, its slash commands, and what a listing finds, as people use them."""

import contextlib
import io
import json
import os
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from harness.cli import main
from harness.events import UserMessage
from harness.journal import Journal, session_file, store
from harness.messages import Text, User
from tests.scenarios.house import STREAM, House


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House.make(tmp_path)


@dataclass
class Said:
    code: int
    out: str
    err: str


def run(house: House, *words: str) -> Said:
    """`harness sessions` in this process: most of a run would be the start of Python."""
    out, err = io.StringIO(), io.StringIO()
    patch = pytest.MonkeyPatch()
    with patch.context() as here, contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        here.chdir(house.project)
        here.setenv("HARNESS_CONFIG_DIR", str(house.config))
        code = main(["sessions", *words])
    return Said(code, out.getvalue(), err.getvalue())


def kept(house: House, number: int, text: str = "", *, place: Path | None = None, title: str = "") -> Path:
    """A session with one prompt."""
    session_id = f"00000000-0000-4000-8000-{number:012}"
    cwd = place or house.project
    journal = Journal(session_file(house.config, cwd, session_id), session_id, cwd, "main", "cli")
    if text:
        journal.write(UserMessage(message=User((Text(text), Text("<facts>"))), source="prompt"))
    if title:
        journal.rename(title)
    journal.close()
    os.utime(journal.path, (number, number))
    return journal.path


def listed(house: House, *words: str) -> list[str]:
    done = run(house, "list", "--json", *words)
    assert done.code == 0, done.err
    return [one["title"] or one["first_prompt"] for one in json.loads(done.out)]


def test_lists_are_by_directory_and_searched(house: House, tmp_path: Path):
    for number, text in ((1, "older"), (3, "newest"), (2, "in between")):
        kept(house, number, text)
    kept(house, 4, "elsewhere", place=tmp_path, title="another place")
    assert listed(house) == ["newest", "in between", "older"]
    assert listed(house, "OLD") == ["older"]
    assert listed(house, "--all")[0] == "another place"
    assert "1970-01-01 00:00  newest" in run(house, "list").out


def test_show_export_rename_and_remove(house: House):
    file = kept(house, 1, "mend ```it```")
    (file.with_suffix("")).mkdir()
    assert "named 'the work'" in run(house, "rename", file.stem, "the work").out
    shown = run(house, "show", "the work").out
    assert shown == "# the work\n\n## You\n\nmend ```it```\n"
    run(house, "export", "the work", "out.json")
    exported = json.loads((house.project / "out.json").read_text())
    assert exported["messages"][0]["content"][0]["text"] == "mend ```it```"
    journal = Journal(file, file.stem, house.project)
    journal.lock()
    busy = run(house, "rm", "the work")
    assert (busy.code, file.exists()) == (1, True)
    journal.close()
    assert run(house, "rm", "the work").code == 0
    assert not file.exists()
    assert not file.with_suffix("").exists()
    assert run(house, "show", "the work").code == 2


def test_slash_commands(house: House):
    kept(house, 1, "an older one")

    def said(*words: str) -> str:
        done = house.run("-p", *words, url="http://127.0.0.1:9/v1", env={"OPENAI_MODEL": "m"})
        assert done.code == 0, done.err
        return done.out

    assert "an older one" in said("/resume older")
    assert "No other session here with 'x'" in said("/resume x")
    said("-c", "/rename better")
    assert "Written: out.md" in said("-r", "better", "/export out.md")
    assert (house.project / "out.md").read_text() == "# better\n\n## You\n\nan older one\n"


def test_a_name_that_several_have_is_refused_with_their_ids(house: House):
    paths = [kept(house, n, "x", title="same") for n in (1, 2)]
    done = run(house, "show", "Same")
    assert done.code == 2
    assert all(path.stem in done.err for path in paths)


def test_what_continue_takes(house: House):
    """At a terminal not what no person held; never a sub-agent's file, nor one without a conversation."""
    kept(house, 1, "a person's")
    printed = house.ask({"text": "x"}, flags=STREAM).result["session_id"]
    file = session_file(house.config, house.project, printed)
    file.with_name("00000000-0000-4000-8000-000000000008.jsonl").write_text('{"type":"harness"}\n')
    side = file.with_name("00000000-0000-4000-8000-000000000009.jsonl")
    side.write_text('{"type":"user","isSidechain":true,"message":{"content":"a sub-agent\'s"}}\n')
    os.utime(side, (3e9, 3e9))
    newest = store.newest(house.config, house.project, by_person=False)
    persons = store.newest(house.config, house.project, by_person=True)
    assert newest is not None
    assert newest.path == file
    assert persons is not None
    assert persons.first_prompt == "a person's"


def test_the_sweep_takes_what_is_old_and_ours_and_nobody_holds(house: House):
    first = session_file(house.config, house.project, house.ask({"text": "x"}, flags=STREAM).result["session_id"])
    foreign, *copies = (kept(house, number, "another program's") for number in (1, 2, 3))
    for copy in copies:
        copy.write_bytes(first.read_bytes())
    old, held, new = (*(copy.stem for copy in copies), first.stem)
    files = {name: session_file(house.config, house.project, name) for name in (old, held, new)}
    for name in (old, held):
        os.utime(files[name], (1, 1))
    files[old].with_suffix("").mkdir()
    journal = Journal(files[held], held, house.project)
    journal.lock()
    assert store.sweep(house.config, 30) == 1
    journal.close()
    assert [files[name].exists() for name in (old, held, new)] == [False, True, True]
    assert not files[old].with_suffix("").exists()
    assert foreign.exists()


def test_a_session_sweeps_once_a_day(house: House):
    first = house.ask({"text": "x"}, flags=STREAM).result["session_id"]
    file = session_file(house.config, house.project, first)
    mark = house.config / "projects" / ".swept"
    os.utime(file, (1, 1))
    mark.touch()
    house.ask({"text": "x"}, flags=STREAM)
    assert file.exists()
    os.utime(mark, (1, 1))
    house.ask({"text": "x"}, flags=STREAM)
    assert not file.exists()
    assert time.time() - mark.stat().st_mtime < 600


def test_worktrees_are_near(house: House, tmp_path: Path):
    house.git("init", "-q")
    house.git("commit", "-q", "--allow-empty", "-m", "x")
    house.git("worktree", "add", "-q", str(tmp_path / "linked"))
    both = {house.project, (tmp_path / "linked").resolve()}
    assert set(store.worktrees(house.project)) == both
    assert set(store.worktrees(tmp_path / "linked")) == both
