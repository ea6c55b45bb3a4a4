"""The session file: what is written comes back, whatever was said and however the process or the disk failed."""

import json
import os
import random
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.checkpoints.history import read as history_of
from harness.codec import message_json
from harness.context.ledger import Ledger
from harness.events import AssistantMessage, HookPermissionResult, Notice, Progress, System, UserMessage
from harness.journal import Journal, replay, session_file
from harness.journal.events import kept
from harness.journal.fold import mended, paired
from harness.journal.text import markdown
from harness.messages import Assistant, HistoryMessage, Text, ToolCall, ToolResult, User
from tests.values import histories

CALLS = (ToolCall("a", "Read", "{}", {}), ToolCall("b", "Read", "{}", {}))


def event_of(message: HistoryMessage) -> AssistantMessage | UserMessage:
    if isinstance(message, Assistant):
        return AssistantMessage(message=message)
    return UserMessage(message=message, source="tool" if isinstance(message, ToolResult) else "prompt")


def write(path: Path, *events: Any) -> list[dict[str, Any]]:
    """The entries that these events come to."""
    journal = Journal(path, "s1", Path("/project"), "main")
    for event in events:
        journal.write(event_of(event) if isinstance(event, HistoryMessage) else event)
    journal.close()
    return [json.loads(text) for text in path.read_text("utf-8").split("\n")[:-1]]


def read(path: Path) -> list[HistoryMessage]:
    with path.open(encoding="utf-8", errors="replace") as lines:
        return replay(lines).messages


def said(text: str, message_id: str = "m") -> Assistant:
    return Assistant(message_id, (Text(text),))


@given(histories.filter(bool))
def test_a_history_comes_back(history):
    with TemporaryDirectory() as directory:
        write(Path(directory) / "s.jsonl", *history)
        assert read(Path(directory) / "s.jsonl") == history


@given(histories, st.integers(0, 400))
def test_a_file_cut_anywhere_gives_a_beginning_of_the_history(history, cut):
    with TemporaryDirectory() as directory:
        path = Path(directory) / "s.jsonl"
        write(path, *history, User((Text("last"),)))
        path.write_bytes(path.read_bytes()[: -cut or None])
        found = read(path)
        # The message that was being written may have lost its last blocks.
        assert found[:-1] == history[: max(0, len(found) - 1)]


def test_messages_with_one_id_in_a_row_stay_apart(tmp_path):
    history = [said("one"), said("two"), Assistant("m", ()), said("three")]
    write(tmp_path / "s.jsonl", *history)
    assert read(tmp_path / "s.jsonl") == history


def test_one_entry_per_block_and_results_below_their_calls(tmp_path):
    entries = write(
        tmp_path / "s.jsonl",
        User((Text("go"),)),
        Assistant("m", (Text("look"), *CALLS)),
        ToolResult("b", (Text("2"),)),
        ToolResult("a", (Text("1"),)),
        said("done", "n"),
    )
    uuids = [entry["uuid"] for entry in entries]
    prompt, text, a, b, result_b, result_a, _ = uuids
    assert [entry["parentUuid"] for entry in entries] == [None, prompt, text, a, b, a, result_a]
    assert [entry["message"].get("id") for entry in entries[1:4]] == ["m"] * 3
    assert [len(entry["message"]["content"]) for entry in entries[1:4]] == [1] * 3
    assert result_b != result_a


def test_entries_are_what_session_readers_look_for(tmp_path):
    entries = write(tmp_path / "s.jsonl", User((Text("go"), Text("<environment>"))), said("hi"))
    for entry in entries:
        assert next(iter(entry)) == "type"
        assert (entry["sessionId"], entry["cwd"], entry["gitBranch"]) == ("s1", "/project", "main")
        assert entry["isSidechain"] is False
        assert entry["timestamp"].endswith("Z")
        assert datetime.fromisoformat(entry["timestamp"]).tzinfo
    assert entries[0]["message"]["content"] == "go"


def test_only_durable_events_are_kept_and_have_their_own_type(tmp_path):
    decided = HookPermissionResult(call_id="a", tool="Read", decision="allow", source="mode")
    notice = Notice(level="info", cause="x", text="y")
    entries = write(tmp_path / "s.jsonl", Progress(what="request", elapsed=1.0), decided, notice)
    assert [entry["event"]["type"] for entry in entries] == ["hookPermissionResult", "message"]
    assert {entry["type"] for entry in entries} == {"harness"}
    assert read(tmp_path / "s.jsonl") == []


def test_structured_results_and_interruptions_are_kept(tmp_path):
    answer = ToolResult("a", (Text("1"),), data={"lines": 1})
    stopped = AssistantMessage(message=said("half"), interrupted=True)
    entries = write(tmp_path / "s.jsonl", Assistant("m", CALLS[:1]), answer, stopped)
    assert entries[1]["toolUseResult"] == {"lines": 1}
    assert entries[2]["harness"]["interrupted"] is True


def test_lines_between_the_blocks_of_a_message_do_not_split_it(tmp_path):
    message = Assistant("m", (Text("look"), *CALLS))
    write(tmp_path / "s.jsonl", message)
    lines = (tmp_path / "s.jsonl").read_text().splitlines()
    title = '{"type":"custom-title","customTitle":"t","sessionId":"s1"}'
    assert replay([lines[0], title, lines[1], "", lines[2]]).messages == [message]


@pytest.mark.parametrize(
    "line",
    [
        "",
        "nonsense",
        '{"type":"user","message":{"role":"user","con',
        "[" * 100_000,
        "null",
        '"text"',
        '{"type":"user"}',
        '{"type":"user","message":"text"}',
        '{"type":"user","message":{"content":[{"type":"text"},7]},"harness":{"added":["x"]}}',
        '{"type":"user","message":{"content":[{"type":"tool_result"}]}}',
        '{"type":"assistant","isSidechain":true,"message":{"content":"a sub-agent\'s"}}',
        '{"type":"file-history-snapshot","message":{"content":"x"}}',
    ],
    ids=range(12),
)
def test_what_is_no_message_of_this_conversation_is_passed_over(line):
    assert replay([line]).messages == []


def test_foreign_entries_without_our_key_are_read():
    blocks = ({"type": "text", "text": "a"}, {"type": "tool_use", "id": "c", "name": "Read", "input": {}})
    lines = [json.dumps({"type": "assistant", "message": {"id": "m", "content": [block]}}) for block in blocks]
    lines.insert(0, '{"type":"user","message":{"content":"hi"},"harness":"not ours"}')
    assert replay(lines).messages == [User((Text("hi"),)), Assistant("m", (Text("a"), ToolCall("c", "Read", "{}", {})))]


def test_a_line_after_a_torn_one_is_not_lost(tmp_path):
    path = tmp_path / "s.jsonl"
    write(path, said("one"))
    with path.open("a") as file:
        file.write('{"type":"user","mess')
    journal = Journal(path, "s1", tmp_path)
    journal.write(event_of(said("two")))
    journal.close()
    assert read(path) == [said("one"), said("two")]


_FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from harness.events import UserMessage
from harness.journal import Journal
from harness.messages import Text, User
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
journal = Journal(Path(sys.argv[1]), "s", Path("/"))
say = lambda text: journal.write(UserMessage(message=User((Text(text),)), source="prompt"))
say("one")
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))
try:
    say("x" * 2000)
except OSError:
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    say("two")
"""


def test_a_disk_that_was_full_for_a_while_costs_one_line(tmp_path):
    path = tmp_path / "s.jsonl"
    subprocess.run([sys.executable, "-c", _FULL_DISK, str(path)], check=True)
    assert read(path) == [User((Text("one"),)), User((Text("two"),))]


@pytest.mark.parametrize("mask", [0o022, 0o000])
def test_files_and_all_their_directories_are_for_their_owner(tmp_path, mask):
    path = session_file(tmp_path / "state" / "deep", tmp_path, "s1")
    before = os.umask(mask)
    try:
        write(path, said("one"))
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o600
    made = [d for d in path.parents if tmp_path in d.parents]
    assert [d.stat().st_mode & 0o777 for d in made] == [0o700] * 4


def test_the_file_is_where_session_readers_look(tmp_path):
    (tmp_path / "a b.c").mkdir()
    (tmp_path / "link").symlink_to("a b.c")
    key = str(tmp_path).replace("/", "-").replace("_", "-") + "-a-b-c"
    assert session_file(Path("/home"), tmp_path / "link", "s1") == Path(f"/home/projects/{key}/s1.jsonl")


def test_nothing_is_made_before_the_first_line(tmp_path):
    write_nothing = Journal(tmp_path / "d" / "s.jsonl", "s1", tmp_path)
    write_nothing.write(Progress(what="request", elapsed=1.0))
    write_nothing.close()
    assert list(tmp_path.iterdir()) == []


def test_a_system_event_is_kept_with_its_data(tmp_path):
    entry = write(tmp_path / "s.jsonl", System(subtype="init", data={"cwd": "/p"}))[0]
    assert entry["event"] == {"type": "system", "subtype": "init", "data": {"cwd": "/p"}}


ODD: tuple[Any, ...] = (
    None,
    -1,
    1e308,
    True,
    "",
    "x",
    [],
    {},
    [[]],
    [None],
    {"a": 1},
    [{"type": "tool_use", "id": 5}],
    "\x1b[31m",
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, below in inner for place in places(below, (*path, key)))]


def test_a_file_with_anything_anywhere_is_read_without_a_traceback():
    """Somebody else's file, or one that was made to do harm: it gives some history, and what shows it shows it."""
    chance = random.Random(20)
    folder = Path(__file__).parent / "recordings"
    for name in ("plain", "compacted", "disturbed"):
        lines = (folder / name / "session.jsonl").read_text("utf-8").splitlines(keepends=True)
        for _ in range(150):
            spoilt = list(lines)
            for _ in range(chance.choice((1, 1, 3))):
                at = chance.randrange(len(spoilt))
                entry = json.loads(spoilt[at])
                *above, last = chance.choice([place for place in places(entry) if place])
                inner = entry
                for key in above:
                    inner = inner[key]
                inner[last] = chance.choice(ODD)
                spoilt[at] = json.dumps(entry) + "\n"
            past = replay(spoilt)
            history = paired(past)
            mended(past, history)
            Ledger.of(past.ever)
            assert all(message_json(message) for message in history)
            assert all(isinstance(text, str) for message in history for text in markdown(message))
            assert list(kept(spoilt))
            history_of(spoilt)
