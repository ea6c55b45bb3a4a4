"""`replay` is the one fold: whatever happened in whatever order, the file gives back what the session remembers."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.context.fold import boundary, folded, moved
from harness.events import AssistantMessage, Event, HookPermissionResult, Notice, System, UserMessage
from harness.journal import Busy, Journal, Past, replay
from harness.journal.fold import CUT_OFF, NOT_BEGUN, mended, paired
from harness.messages import Assistant, HistoryMessage, Text, ToolCall, ToolResult, User, splice, spliced
from tests.values import assistants, results, users

Json = dict[str, Any]
todos = st.lists(st.fixed_dictionaries({"content": st.text(max_size=5), "status": st.just("pending")}), max_size=2)
states = st.fixed_dictionaries(
    {},
    optional={
        "mode": st.sampled_from(["default", "plan", "acceptEdits"]),
        "model": st.sampled_from(["a", "b"]),
        "cwd": st.sampled_from(["/p", "/p/sub"]),
        "todos": todos,
        "seen": st.dictionaries(st.sampled_from(["/p/a", "/p/b"]), st.just(["00", True, 3]), max_size=2),
    },
)
noise = st.sampled_from(
    ['{"type":"tag","tag":"x","sessionId":"s"}', "not JSON", "", '{"type":"file-history-snapshot"}', "[1]", "\0\0\0"]
)
operations = st.one_of(
    st.tuples(st.just("say"), users | assistants | results, states),
    st.tuples(st.just("note"), states),
    st.tuples(st.just("compact"), st.data(), st.sampled_from(["auto", "manual", "micro"])),
    st.tuples(st.just("splice"), st.data()),
    st.tuples(st.just("back"), st.integers(0, 10)),
    st.tuples(st.just("foreign"), noise),
    st.tuples(st.just("tell"), st.just(Notice(level="info", cause="c", text="t"))),
    st.tuples(st.just("rename"), st.text(min_size=1, max_size=5)),
    st.tuples(st.just("open again")),
)


def event_of(message: HistoryMessage) -> Event:
    if isinstance(message, Assistant):
        return AssistantMessage(message=message)
    return UserMessage(message=message, source="tool" if isinstance(message, ToolResult) else "prompt")


def merged(state: Json, changed: Json) -> Json:
    return {**state, **{k: {**state.get(k, {}), **v} if k == "seen" else v for k, v in changed.items()}}


@dataclass
class Live:
    """A session's memory, kept plainly beside the file."""

    path: Path
    messages: list[HistoryMessage] = field(default_factory=list)
    state: Json = field(default_factory=dict)
    title: str = ""
    moments: list[tuple[str, list[HistoryMessage], Json]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.journal = Journal(self.path, "s", Path("/p"))
        self.journal.lock()

    def say(self, message: HistoryMessage, changed: Json) -> None:
        self.journal.write(event_of(message), changed)
        self.messages = [*self.messages, message]
        self.state = merged(self.state, changed)
        self.remember()

    def remember(self) -> None:
        self.moments.append((self.journal.entries.parent or "", self.messages, self.state))

    def note(self, changed: Json) -> None:
        if self.messages:  # what has changed since a message belongs to it
            self.journal.note(changed)
            self.state = merged(self.state, changed)
            if self.moments:
                uuid, messages, _ = self.moments[-1]
                self.moments[-1] = uuid, messages, self.state

    def changed_history(self, draw: Any) -> list[HistoryMessage]:
        kept = draw(st.lists(st.sampled_from(self.messages), max_size=4, unique_by=id)) if self.messages else []
        new = draw(st.lists(users | results | assistants, max_size=2))
        return draw(st.permutations([*kept, *new]))  # type: ignore[no-any-return]

    def compact(self, data: Any, trigger: str) -> None:
        """As `context` does it: a summary and the last messages, or other texts for some results."""
        if trigger == "micro":
            places = [i for i, message in enumerate(self.messages) if isinstance(message, ToolResult)]
            chosen = data.draw(st.lists(st.sampled_from(places), unique=True)) if places else []
            fold = moved(dict.fromkeys(chosen, "moved"))
        else:
            fold = boundary(["a summary", "and facts"], data.draw(st.integers(0, len(self.messages))))
        self.journal.write(System(subtype="compact_boundary", data={"trigger": trigger}, fold=fold))
        self.messages = folded(self.messages, fold)
        if self.messages:
            self.remember()

    def splice(self, data: Any) -> None:
        after = self.changed_history(data.draw)
        self.journal.write(System(subtype="status", fold=mended(Past(messages=self.messages), after)))
        self.messages = after
        self.moments = []  # what such a line changed is no entry that one could go back behind

    def back(self, which: int) -> None:
        if self.moments:
            self.moments = self.moments[: which % len(self.moments) + 1]
            uuid, self.messages, self.state = self.moments[-1]
            self.journal.back_to(uuid)

    def foreign(self, text: str) -> None:
        with self.path.open("a") as file:
            file.write(text + "\n")

    def tell(self, event: Event) -> None:
        self.journal.write(event)

    def rename(self, title: str) -> None:
        self.journal.rename(title)
        self.title = title

    def open_again(self) -> None:
        self.journal.close()
        past = read(self.path)
        self.journal = Journal(self.path, "s", Path("/p"))
        self.journal.lock()
        self.journal.follow(past)


def read(path: Path, until: str | None = None) -> Past:
    with path.open(encoding="utf-8", errors="replace", newline="\n") as lines:
        return replay(lines, until)


@settings(max_examples=100, deadline=None)
@given(st.lists(operations, max_size=14))
def test_the_file_gives_back_what_the_session_remembers(done):
    with TemporaryDirectory() as directory:
        live = Live(Path(directory) / "s.jsonl")
        for name, *given_ in done:
            act: Callable[..., None] = getattr(live, name.replace(" ", "_"))
            act(*given_)
        live.journal.close()
        past = read(live.path)
        assert (past.messages, dict(past.state), past.title) == (live.messages, live.state, live.title)


@given(st.lists(users | assistants | results, max_size=6), st.data())
def test_a_splice_makes_what_it_was_made_for(before, data):
    kept = data.draw(st.lists(st.sampled_from(before), unique_by=id)) if before else []
    after = data.draw(st.permutations([*kept, *data.draw(st.lists(users, max_size=2))]))
    made = spliced(before, splice(before, after))
    assert all(a is b for a, b in zip(made, after, strict=True))


@given(st.lists(users | assistants | results, max_size=8))
def test_paired_histories_have_one_result_behind_each_call(history):
    made = paired(Past(messages=history))
    expected: list[str] = []
    for message in made:
        if isinstance(message, ToolResult):
            assert expected.pop(0) == message.call_id
        else:
            assert not expected
            expected = [call.id for call in message.calls] if isinstance(message, Assistant) else []
    assert not expected
    assert [m for m in made if not isinstance(m, ToolResult)] == [m for m in history if not isinstance(m, ToolResult)]


CALLS = (ToolCall("a", "Read", "{}", {}), ToolCall("b", "Bash", "{}", {}), ToolCall("c", "Bash", "{}", {}))


def test_a_call_that_ran_and_one_that_did_not_are_told_apart(tmp_path):
    live = Live(tmp_path / "s.jsonl")
    live.say(Assistant("m", CALLS), {})
    live.say(ToolResult("a", (Text("1"),)), {})
    live.tell(HookPermissionResult(call_id="b", tool="Bash", decision="allow", source="mode"))
    live.journal.close()
    assert [m.text for m in paired(read(live.path))[1:] if isinstance(m, ToolResult)] == ["1", CUT_OFF, NOT_BEGUN]


def test_a_second_writer_is_refused_and_told_who_is_first(tmp_path):
    import os

    live = Live(tmp_path / "s.jsonl")
    with pytest.raises(Busy, match=f"in use by process {os.getpid()}"):
        Journal(live.path, "s", tmp_path).lock()
    live.journal.close()
    Journal(live.path, "s", tmp_path).lock()


def entry(kind: str, uuid: str, parent: str | None, content: Any, **more: Any) -> str:
    message: Json = {"role": kind, "content": content}
    return json.dumps({"type": kind, "uuid": uuid, "parentUuid": parent, "message": {**message, **more}})


def test_another_writers_branch_and_compaction_are_followed():
    text = [{"type": "text", "text": "x"}]
    lines = [
        entry("user", "1", None, "one"),
        entry("assistant", "2", "1", text, id="m1"),
        entry("user", "3", "2", "two"),
        entry("assistant", "4", "3", text, id="m2"),
        entry("user", "5", "2", "two, otherwise"),
    ]
    assert [m.text for m in replay(lines).messages] == ["one", "x", "two, otherwise"]
    lines.append('{"type":"system","subtype":"compact_boundary","uuid":"6","parentUuid":null}')
    lines.append(entry("user", "7", "6", "what there was"))
    assert [m.text for m in replay(lines).messages] == ["what there was"]
    assert [m.text for m in replay(lines, "4").messages] == ["one", "x", "two", "x"]


def test_results_of_one_message_are_no_branches():
    use = [{"type": "tool_use", "id": n, "name": "Read", "input": {}} for n in "ab"]
    lines = [entry("user", "1", None, "go")]
    lines += [entry("assistant", n, p, [b], id="m") for n, p, b in zip("23", "12", use, strict=True)]
    for n, p, c in (("4", "2", "a"), ("5", "3", "b")):
        lines.append(entry("user", n, p, [{"type": "tool_result", "tool_use_id": c, "content": c}]))
    lines.append(entry("user", "6", "4", "and on"))
    assert [m.text for m in replay(lines).messages if not isinstance(m, Assistant)] == ["go", "a", "b", "and on"]


def test_a_cut_within_a_message_keeps_its_beginning():
    lines = [entry("assistant", n, None, [{"type": "text", "text": n}], id="m") for n in "12"]
    assert replay(lines, "1").messages == [Assistant("m", (Text("1"),))]
    lines.append(entry("user", "3", "1", "back"))
    assert replay(lines).messages == [Assistant("m", (Text("1"),)), User((Text("back"),))]
