"""Makes the recordings anew: python -m tests.recordings.make

Whole sessions against the scripted endpoint, each as its session file and the requests and answers of `--record`.
`test_recordings` runs them again: run this where prompts, tools' specs or what compaction writes changed on purpose,
look at what `git diff --stat` says, and commit it with the change. It needs bubblewrap.
"""

import platform
import re
import shutil
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import anyio
import pytest

from harness import prompt, slash
from harness.asks import Answer
from harness.commands.replay import main as replay
from harness.events import Event, PermissionRequest, StreamEvent, ToolProgress
from harness.options import SessionOptions
from harness.scripted.script import steps
from harness.scripted.server import serve
from harness.session import Session, open_session
from tests.scenarios.house import House, Json, bash, call

HERE = Path(__file__).parent
PLACE = Path("/tmp/harness-recording")  # the same each time: it stands in what the model is sent
# What is another each time, and what stands for it: no longer and no shorter, since that would be another estimate.
SAME: list[tuple[bytes, bytes]] = [
    (rb'"time": "[^"]+"', b'"time": "2026-01-01T00:00:00+0000"'),
    (rb'"timestamp":"[^"]+"', b'"timestamp":"2026-01-01T00:00:00.000Z"'),
    (rb"127\.0\.0\.1:\d+", b"127.0.0.1:8000"),
    (rb'"created":\d+', b'"created":0'),
    (rb'"duration(_api)?_ms":\d+', rb'"duration\1_ms":0'),
    (rb"Date: \d{4}-\d\d-\d\d", b"Date: 2026-01-01"),
]
NAMES = re.compile(
    rb"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|(?<=msg_)[0-9a-f]{32}|moved-[0-9a-f]{8}"
)
Act = Callable[[Event, Session], None]
SUMMARY = """\
## Goal
Count the lines of all logs that the user names.
## Constraints
The notes file is only added to.
## Next step
Answer the next question about the logs.
"""


async def say(session: Session, text: str, act: Act = lambda _event, _session: None) -> None:
    async for event in slash.turn(text, session):
        act(event, session)


async def plain(session: Session) -> None:
    """Reads, an edit, commands; a broken call, a todo list, a deferred tool that is looked for."""
    await say(session, "The test fails. Fix it; do not touch test_sums.py.")
    await say(session, "Now write it down in notes.md, and keep a list of what you do.")
    await say(session, "Which tool fetches pages?")


PLAIN: list[Json] = [
    {"text": "I look at both.", "calls": [call("Read", file_path="sums.py"), call("Read", file_path="test_sums.py")]},
    {"calls": [{"name": "Edit", "arguments": '{"file_path": "sums.py", "old_string": '}]},
    {
        "reasoning": "A sum adds.",
        "calls": [call("Edit", file_path="sums.py", old_string="a - b", new_string="a + b")],
    },
    {"calls": [bash("python3 test_sums.py; echo ended with $?")]},
    {"text": "It passes now."},
    {
        "calls": [
            call("TodoWrite", todos=[{"content": "Write notes.md", "status": "in_progress"}]),
            call("Write", file_path="notes.md", content="# Notes\n\nA sum adds.\n"),
            bash("ls; cat notes.md; cat nowhere"),
        ]
    },
    {"calls": [call("TodoWrite", todos=[{"content": "Write notes.md", "status": "completed"}])]},
    {"text": "Written."},
    {"calls": [call("ToolSearch", query="fetch a web page")]},
    {"text": "WebFetch does."},
]


async def compacted(session: Session) -> None:
    """Stale results moved out, a compaction on the way, one that is asked for, and work after them."""
    await say(session, "Count the lines of first.log and second.log. The notes file must only be added to.")
    await say(session, "Add the counts to notes.md, then look at third.log.")
    await say(session, "And fourth.log?")
    await say(session, "/compact the counts of the logs")
    await say(session, "What was the first count?")


def _log(name: str) -> Json:
    return {"calls": [bash(f"seq -f '%g {name} line' 180; echo done")]}


COMPACTED: list[Json] = [
    {"when": {"user": "replaced by your summary"}, "text": SUMMARY, "times": "always"},
    {"calls": [call("Read", file_path="notes.md")]},
    _log("first"),
    _log("second"),
    {"text": "180 each, and a last line."},
    {"calls": [call("Edit", file_path="notes.md", old_string="Counts:", new_string="Counts:\n- first 181")]},
    _log("third"),
    {"text": "181 as well."},
    _log("fourth"),
    _log("fourth again"),
    _log("fifth"),
    _log("sixth"),
    _log("seventh"),
    {"text": "The same."},
    {"text": "181."},
]


async def disturbed(session: Session) -> None:
    """A refusal with its reason, words in the middle, an interrupt of an answer and of a command, a last refusal."""

    def refuses(event: Event, session: Session) -> None:
        if isinstance(event, PermissionRequest):
            session.answer(event.id, Answer("deny", reason="not there, use docs/"))
            session.steer("And keep it short.")

    def allows(event: Event, session: Session) -> None:
        if isinstance(event, PermissionRequest):
            session.answer(event.id, Answer("allow"))

    def interrupts(event: Event, session: Session) -> None:
        allows(event, session)
        if isinstance(event, StreamEvent | ToolProgress):
            session.interrupt()

    def leaves(event: Event, session: Session) -> None:
        if isinstance(event, PermissionRequest):
            session.answer(event.id, Answer("deny", stop=True))

    await say(session, "Write a plan.", refuses)
    await say(session, "Then put it into docs/.", allows)
    await say(session, "Tell me a long story.", interrupts)
    await say(session, "Wait for the build.", interrupts)
    await say(session, "Remove the plan.", leaves)
    await say(session, "Never mind. All well?")


DISTURBED: list[Json] = [
    {"calls": [call("Write", file_path="plan.md", content="1. Think.\n"), call("Read", file_path="notes.md")]},
    {"text": "Shall I put it into docs/?"},
    {"calls": [call("Write", file_path="docs/plan.md", content="1. Think.\n")]},
    {"text": "Done."},
    {"text": "Once upon a time there was a test that never ended. " * 4, "pace": {"between": 0.1, "characters": 20}},
    {"text": "I wait.", "calls": [bash("echo building; sleep 60"), bash("echo never")], "pace": {"characters": 400}},
    {"calls": [call("Write", file_path="docs/plan.md", content="")]},
    {"text": "All well."},
]

MADE: dict[str, tuple[Callable[[Session], Coroutine[Any, Any, None]], list[Json], int]] = {
    "plain": (plain, PLAIN, 131_072),
    "compacted": (compacted, COMPACTED, 9_000),
    "disturbed": (disturbed, DISTURBED, 131_072),
}


def prepare(house: House) -> None:
    """The project as the sessions find it."""
    (house.project / "CLAUDE.md").write_text("Standing rule: answer in one sentence.\n")
    (house.project / "sums.py").write_text("def total(a, b):\n    return a - b\n")
    (house.project / "test_sums.py").write_text("from sums import total\n\nassert total(2, 2) == 4\n")
    (house.project / "notes.md").write_text("Counts:\n")


async def record(name: str, house: House) -> None:
    """Hold the session; its file and its recording are left below `house.base`."""
    held, script, window = MADE[name]
    prepare(house)
    async with serve(steps(*script, context_window=window)) as server:
        options = SessionOptions(
            cwd=house.project,
            interactive=name == "disturbed",
            mode=None if name == "disturbed" else "acceptEdits",
            base_url=server.url,
            model="scripted",
            record=house.base / "cassette",
            env=house.env(),
        )
        async with open_session(options) as session:
            await held(session)
            file = session.origin.file
    assert server.failures == [], server.failures
    shutil.copy(file, house.base / "session.jsonl")


def keep(name: str, house: House) -> Path:
    """Into the repository, without what is another each time: so that the diff shows what changed."""
    target, names = HERE / name, dict[bytes, bytes]()
    shutil.rmtree(target, ignore_errors=True)
    (target / "cassette").mkdir(parents=True)
    for file in (house.base / "session.jsonl", *sorted((house.base / "cassette").iterdir())):
        data = file.read_bytes()
        for pattern, same in SAME:
            data = re.sub(pattern, same, data)
        data = NAMES.sub(lambda found: names.setdefault(found[0], _named(found[0], len(names))), data)
        (target / file.relative_to(house.base)).write_bytes(data)
    return target


def _named(name: bytes, number: int) -> bytes:
    """A name of the same form: its last hexadecimal digits are a number, all others 0."""
    digits = b"%x" % (number + 1)
    head = name[: name.find(b"-") + 1] if name.startswith(b"moved-") else b""
    rest = re.sub(rb"[0-9a-f]", b"0", name[len(head) :])
    return head + rest[: -len(digits)] + digits


def main() -> int:
    with pytest.MonkeyPatch.context() as here:
        here.setattr(platform, "release", lambda: "6.0.0")
        here.setattr(prompt, "PROGRAMS", ("git", "python3"))
        here.delenv("VIRTUAL_ENV", raising=False)
        for name in sys.argv[1:] or MADE:
            shutil.rmtree(PLACE, ignore_errors=True)
            PLACE.mkdir(mode=0o700)
            house = House.make(PLACE)
            try:
                anyio.run(record, name, house)
                target = keep(name, house)
                for key, value in house.env().items():
                    here.setenv(key, value)
                here.chdir(house.project)
                print(name, end=": ", flush=True)  # noqa: T201
                if code := replay([str(target / "session.jsonl"), "--against", str(target / "cassette")]):
                    return code
            finally:
                shutil.rmtree(PLACE)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
