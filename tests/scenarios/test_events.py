"""Every event of docs/events.md, in one run of the command and in one session of Python."""

from contextlib import aclosing

from harness.asks import Answer
from harness.events import PermissionRequest
from harness.guards.limits import Limits
from harness.options import SessionOptions
from harness.scripted.script import steps
from harness.scripted.server import running
from harness.session import open_session
from tests.scenarios.house import STREAM, House, Json, bash, call

THIRTEEN = {
    "stream_request_start", "stream_event", "assistant", "user", "system", "result", "progress", "stop", "stopReason",
    "hookPermissionResult", "preventContinuation", "tool_progress", "message",
}  # fmt: skip
SCRIPT: tuple[Json, ...] = (
    {"text": "This is lost.", "http": {"close_after": 150}},
    {"text": "I try.", "calls": [bash("echo hello; sleep 0.3; echo end"), call("Write", file_path="a", content="b")]},
    {"calls": [call("Glob", pattern="*")]},
)


def slow(seconds: float) -> list[Json]:
    """The script, with a second answer that takes longer to begin than a sign of life."""
    return [SCRIPT[0], {**SCRIPT[1], "pace": {"first_byte": seconds}}, SCRIPT[2]]


def test_a_run_shows_them_all_as_lines(house: House):
    flags = (*STREAM, "--include-partial-messages", "--max-turns", "2", "--model", "sonnet", "--allowedTools", "Bash")
    done = house.ask(*slow(5.2), flags=flags)
    assert done.code == 1
    kinds = {line["type"] for line in done.lines}
    assert kinds == THIRTEEN - {"message"}
    subtypes = {line["subtype"] for line in done.of("system")}
    assert subtypes == {
        "init",
        "informational",
        "api_retry",
        "permission_denied",
        "checkpoint",
    }  # `message` is informational
    assert [line["type"] for line in done.lines[-3:]] == ["preventContinuation", "stop", "result"]
    assert all(next(iter(line)) == "type" for line in done.lines)


async def test_a_session_shows_exactly_the_thirteen(house: House):
    with running(steps(*slow(0.5))) as server:
        options = SessionOptions(
            cwd=house.project,
            env=house.env(server.url),
            model="sonnet",
            allow=("Bash",),
            limits=Limits(turns=2),
            heartbeat=0.2,
        )
        async with open_session(options) as session, aclosing(session.prompt("go")) as events:
            seen = [event async for event in events]
    assert {event.type for event in seen} == THIRTEEN
    assert [event.type for event in seen[-2:]] == ["stop", "result"]
    assert sum(event.type == "stopReason" for event in seen) == sum(event.type == "assistant" for event in seen) == 2


async def test_the_fourteenth_asks_and_waits(house: House):
    asked = []
    write = {"calls": [call("Write", file_path="a", content="b")]}
    with running(steps(write, {"text": "Done."})) as server:
        options = SessionOptions(cwd=house.project, env=house.env(server.url), interactive=True)
        async with open_session(options) as session, aclosing(session.prompt("go")) as events:
            async for event in events:
                if isinstance(event, PermissionRequest):
                    asked.append((event.call.name, (house.project / "a").exists()))
                    assert session.answer(event.id, Answer("allow"))
    assert asked == [("Write", False)]
    assert (house.project / "a").read_text() == "b"


async def test_steering_reaches_the_next_request_and_turns_go_on_from_each_other(house: House):
    with running(steps({"calls": [call("Glob", pattern="*")]}, {"text": "One."}, {"text": "Two."})) as server:
        options = SessionOptions(cwd=house.project, env=house.env(server.url))
        async with open_session(options) as session:
            async with aclosing(session.prompt("first")) as events:
                async for event in events:
                    if event.type == "hookPermissionResult":
                        session.steer("also this")
            async with aclosing(session.prompt("second")) as events:
                last = [event async for event in events][-1]
    assert "also this" in str(server.requests[1].messages[-1])
    assert server.requests[2].messages[: len(server.requests[1].messages)] == server.requests[1].messages
    assert getattr(last, "result", "") == "Two."
    assert server.failures == []
