"""Going on with a session: through the real CLI, with what it must bring back and what it must not."""

import json
import shutil
from pathlib import Path
from uuid import uuid4

import pytest

from harness.journal import Journal, Past, replay
from harness.messages import Assistant, Text, ToolResult
from tests.scenarios.house import BYPASS, STREAM, Done, House, Json, bash, call

ALLOW = (*STREAM, "--allowedTools", "Bash")
TODO = {"content": "Mend it", "status": "pending"}


def file_of(house: House, session_id: str) -> Path:
    (file,) = house.config.rglob(f"{session_id}.jsonl")
    return file


def past(file: Path, until: str | None = None) -> Past:
    with file.open(encoding="utf-8", newline="\n") as lines:
        return replay(lines, until)


def entries(file: Path) -> list[Json]:
    return [json.loads(text) for text in file.read_text().splitlines()]


def session_id(done: Done) -> str:
    assert done.code == 0, done.err
    return str(done.result["session_id"])


def first(house: House, *flags: str) -> str:
    """A session that made a list, changed its directory and read a file."""
    (house.project / "sub").mkdir(exist_ok=True)
    (house.project / "a.txt").write_text("one\n")
    calls = [call("TodoWrite", todos=[TODO]), call("Read", file_path="a.txt"), bash("cd sub")]
    return session_id(house.acts(*calls, prompt="first", flags=("--permission-mode", "acceptEdits", *flags)))


def go_on(house: House, *flags: str, call_: Json | None = None, prompt: str = "second") -> Done:
    steps = [{"calls": [call_]}] if call_ else []
    return house.ask(*steps, {"text": "Done."}, flags=(*ALLOW, *flags), prompt=prompt)


def test_continue_brings_back_messages_mode_directory_todos_and_files_seen(house: House):
    before = first(house)
    edit = call("Edit", file_path="../a.txt", old_string="one", new_string="two")
    done = go_on(house, "-c", call_=edit)
    assert session_id(done) == before
    said = [message["role"] for message in done.asked[0].messages]
    assert said == ["system", "user", "assistant", "tool", "tool", "tool", "assistant", "user"]
    assert done.of("system", "init")[0]["permissionMode"] == "acceptEdits"
    assert (house.project / "a.txt").read_text() == "two\n"  # seen before, so not to be read again; below `sub`
    kept = past(file_of(house, before))
    assert kept.state["todos"] == [TODO]
    assert kept.state["cwd"] == str(house.project / "sub")


def test_rights_are_not_brought_back(house: House):
    before = session_id(house.acts(bash("true"), flags=BYPASS))
    done = go_on(house, f"--resume={before}")
    assert done.of("system", "init")[0]["permissionMode"] == "default"


def test_a_file_changed_meanwhile_must_be_read_again(house: House):
    before = first(house)
    (house.project / "a.txt").write_text("one and more\n")
    done = go_on(house, "-r", before, call_=call("Write", file_path=str(house.project / "a.txt"), content="x"))
    assert "changed" in done.results[-1]
    assert (house.project / "a.txt").read_text() == "one and more\n"


def test_a_fork_is_a_copy_and_leaves_its_source_alone(house: House):
    before = first(house, "--name", "the work")
    source = file_of(house, before)
    content = source.read_bytes()
    new = str(uuid4())
    done = go_on(house, "--resume", "The Work", "--fork-session", "--session-id", new)
    assert session_id(done) == new
    assert source.read_bytes() == content
    copy = file_of(house, new)
    assert past(copy).messages[: len(past(source).messages)] == past(source).messages
    assert past(copy).title == "the work (fork)"
    assert {line["sessionId"] for line in entries(copy) if "sessionId" in line} == {new}


def test_a_call_that_was_cut_off_is_told_and_not_run_again(house: House):
    with house.live({"calls": [bash("touch made; sleep 30"), bash("touch never")]}) as run:
        run.until((house.project / "made").exists)
        run.process.kill()
        run.process.wait()
    (file,) = house.config.rglob("*.jsonl")
    assert (house.project / ".mcp.json").exists(), "the sandbox was killed with what it had put into the project"
    (house.project / "made").unlink()
    done = go_on(house, "-c")
    assert list(house.project.iterdir()) == [], "it is swept, though no command was run"
    ran, not_begun = done.results
    assert "what it had done so far may remain" in ran
    assert "It has done nothing" in not_begun
    assert not (house.project / "made").exists()
    assert len([m for m in past(file).messages if isinstance(m, ToolResult)]) == 2  # written, for every reader


def test_only_through_a_message(house: House):
    before = first(house)
    go_on(house, "-r", before)
    file = file_of(house, before)
    prompts = [e for e in entries(file) if e["type"] == "user" and isinstance(e["message"]["content"], str)]
    answer = [e for e in entries(file) if e["type"] == "assistant"][-2]
    assert answer["uuid"] == prompts[1]["parentUuid"]
    cut = ("-r", before, "--resume-session-at", answer["uuid"])
    refused = house.run("-p", *cut, "--resume-drops-turn=", "third", url="http://127.0.0.1:9/v1")
    assert refused.code == 2
    assert "Resume rejected by --resume-drops-turn" in refused.err
    done = go_on(house, *cut, f"--resume-drops-turn={prompts[1]['uuid']}", prompt="third")
    asked = [m["content"] for m in done.asked[0].messages if m["role"] == "user"][1:]
    assert [text.partition("\n")[0] for text in asked] == ["third"]
    said = [m.parts[0] for m in past(file).messages if not isinstance(m, Assistant | ToolResult)][1:]
    assert said == [Text("third")]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("-r", str(uuid4())), "No conversation found with the id"),
        (("-r", "no such name"), "No conversation found named"),
        (("-r=",), "id or the name"),
        (("-c", "-r", "x"), "two sessions"),
        (("--session-id", "x"), "no UUID"),
        (("--fork-session",), "--continue or --resume"),
        (("-c", "--session-id", str(uuid4())), "keeps its id"),
    ],
)
def test_what_cannot_be_gone_on_with(house: House, words: tuple[str, ...], told: str):
    done = house.run("-p", *words, "--", "go", url="http://127.0.0.1:9/v1", env={"OPENAI_MODEL": "m"})
    assert done.code == 2
    assert told in done.err


def test_nothing_to_continue_is_a_new_conversation(house: House):
    done = go_on(house, "-c")
    assert session_id(done)
    assert "no conversation" in done.of("system", "informational")[0]["content"]


def test_one_process_at_a_time(house: House):
    before = first(house)
    other = Journal(file_of(house, before), before, house.project)
    other.lock()
    done = house.run("-p", "-c", "go", url="http://127.0.0.1:9/v1", env={"OPENAI_MODEL": "m"})
    assert done.code == 1
    assert f"The session {before} is in use by process" in done.err
    other.close()


def test_from_another_directory_and_without_our_own_lines(house: House, tmp_path: Path):
    """As another writer leaves it: no line of our type, no key of ours."""
    before = first(house)
    file = file_of(house, before)
    shared = [{k: v for k, v in e.items() if k != "harness"} for e in entries(file) if e["type"] != "harness"]
    place = file.parent.parent / "-elsewhere"
    place.mkdir()
    shutil.rmtree(file.parent)
    (place / file.name).write_text("".join(json.dumps(e) + "\n" for e in shared))
    done = go_on(house, "-r", before)
    assert session_id(done) == before
    assert [m["role"] for m in done.asked[0].messages][1:7] == ["user", "assistant", *["tool"] * 3, "assistant"]
    assert past(place / file.name).messages[-1].text == "Done."


def test_without_persistence_nothing_is_left(house: House, tmp_path: Path):
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    long = bash("seq 20000")
    done = house.acts(long, flags=(*BYPASS, "--no-session-persistence"), env={"TMPDIR": str(temporary)})
    assert "bytes not shown" in done.results[0]
    assert str(temporary) in done.results[0]
    assert list(temporary.iterdir()) == []
    assert not (house.config / "projects").exists()


def test_an_sdk_reads_and_copies_our_sessions(house: House, monkeypatch: pytest.MonkeyPatch):
    """Where the SDK is installed (it is no dependency of ours); our own checks of the layout are in test_journal."""
    sdk = pytest.importorskip("claude_agent_sdk")
    before = first(house, "--name", "the work")
    monkeypatch.setenv("CLAUDE_CONFIG_DIR", str(house.config))
    where = {"directory": str(house.project)}
    (info,) = sdk.list_sessions(**where)
    assert (info.session_id, info.custom_title, info.first_prompt) == (before, "the work", "first")
    shown = sdk.get_session_messages(before, **where)
    assert shown[0].type == "user"
    assert shown[-1].message["content"] == [{"type": "text", "text": "Done."}]
    copy = sdk.fork_session(before, **where).session_id
    assert past(file_of(house, copy)).messages == past(file_of(house, before)).messages
    done = go_on(house, "-r", copy)
    assert session_id(done) == copy
    assert past(file_of(house, copy)).state["todos"] == [TODO]


def test_a_state_of_a_form_that_nobody_writes_is_gone_on_without(house: House):
    known = first(house)
    file = file_of(house, known)
    seen = {"a": [], "b": ["zz", True, 1], "c": ["00", 1, True], "d": None}
    for state in (
        {"todos": 5, "seen": [], "cwd": 7, "mode": []},
        {"seen": seen, "cwd": "\0", "todos": [1], "model": {}},
    ):
        with file.open("a") as out:
            out.write(json.dumps({"type": "harness", "sessionId": known, "state": state}) + "\n")
        done = go_on(house, "--resume", known)
        assert (done.code, done.err, done.result["result"]) == (0, "", "Done.")
