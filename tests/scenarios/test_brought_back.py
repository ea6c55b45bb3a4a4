"""What else comes back with a session: the agent that it was held as, and the goal, in spite of compactions."""

import json
from pathlib import Path
from uuid import uuid4

import pytest

from harness.errors import UsageError
from harness.journal import Past, replay
from harness.options import SessionOptions
from harness.scripted.script import steps
from harness.scripted.server import running
from harness.session import open_session
from harness.start import Start
from tests.scenarios.house import BYPASS, STREAM, Done, House, Json, bash, call
from tests.sdk.program import started

OK = {"text": "Fine."}
ALL = {"text": "Fine.", "times": "always"}
SUMMARY = "## Goal\nWhat the user named first.\n## Next step\nAnswer the next question."


def judge(house: House, **fields: str) -> Path:
    """The person's own agent, as a file."""
    file = house.home / ".claude" / "agents" / "judge.md"
    file.parent.mkdir(parents=True, exist_ok=True)
    given = {"name": "judge", "description": "d", "tools": "Read, Grep", **fields}
    file.write_text("---\n" + "".join(f"{key}: {value}\n" for key, value in given.items()) + "---\nYou judge.")
    return file


def told(done: Done) -> tuple[str, set[str]]:
    """The beginning of the system prompt, and the tools that were offered."""
    asked = done.asked[0]
    return asked.messages[0]["content"][:10], {tool["function"]["name"] for tool in asked.body["tools"]}


def file_of(house: House, session_id: str) -> Path:
    (file,) = house.config.rglob(f"{session_id}.jsonl")
    return file


def state_of(house: House, session_id: str) -> Past:
    with file_of(house, session_id).open(encoding="utf-8", newline="\n") as lines:
        return replay(lines)


def begun(house: House, *flags: str) -> str:
    done = house.ask(OK, flags=(*STREAM, "--agent", "judge", *flags))
    assert told(done) == ("You judge.", {"Read", "Grep"})
    return str(done.result["session_id"])


AS_JUDGE = ("You judge.", {"Read", "Grep"})


def test_a_session_goes_on_as_its_agent(house: House):
    judge(house)
    first = begun(house)
    assert state_of(house, first).state["agent"] == "judge"
    copy = str(uuid4())
    answers = [e for e in map(json.loads, file_of(house, first).read_text().splitlines()) if e["type"] == "assistant"]
    for flags in (
        ("-c",),
        ("--resume", first),
        ("--resume", first, "--fork-session", "--session-id", copy),
        ("--resume", copy),
        ("--resume", first, "--resume-session-at", answers[0]["uuid"]),
        ("--resume", first, "--no-session-persistence"),
    ):
        done = house.ask(OK, flags=(*STREAM, *flags))
        assert told(done) == AS_JUDGE, flags
        (notice,) = done.of("system", "informational")
        assert "as the agent judge" in notice["content"]
    fresh = house.ask(OK)
    assert told(fresh)[0] != "You judge."
    assert "agent" not in state_of(house, str(fresh.result["session_id"])).state


def test_a_new_conversation_in_the_place_of_one_is_held_as_the_same_agent(house: House):
    file = judge(house)
    first = begun(house)
    (house.config / "agents").mkdir()
    file.rename(house.config / "agents" / file.name)  # where such a program has agents
    with started(house, OK, OK, flags=("--resume", first)) as program:
        for prompt in ("go", "/clear", "again"):
            program.ask(prompt)
        tools = [{tool["function"]["name"] for tool in asked.body["tools"]} for asked in program.server.requests]
    assert tools == [AS_JUDGE[1]] * 2


def test_another_agent_or_none_takes_its_place_for_good(house: House):
    judge(house)
    first = begun(house)
    other = house.ask(OK, flags=(*STREAM, "-c", "--agent", "Explore"))
    assert "Bash" in told(other)[1]
    assert "Write" not in told(other)[1]
    assert state_of(house, first).state["agent"] == "Explore"
    assert told(house.ask(OK, flags=(*STREAM, "-c")))[0] == told(other)[0]
    for flags in (("--agent=",), ()):
        none = house.ask(OK, flags=(*STREAM, "-c", *flags))
        assert "Write" in told(none)[1], flags
        assert not none.of("system", "informational")


def test_an_agent_that_is_gone_is_told_and_nothing_is_begun(house: House):
    file = judge(house)
    first = begun(house)
    file.unlink()
    before = {path: path.read_bytes() for path in house.config.rglob("*.jsonl")}
    for flags in ((), ("--fork-session",)):
        done = house.run("-p", "--resume", first, *flags, "go", url="http://127.0.0.1:9/v1")
        assert (done.code, done.out) == (2, "")
        assert "held as the agent judge, and there is no such agent here any more" in done.err
        assert "--agent=" in done.err
        assert "general-purpose" in done.err
    assert {path: path.read_bytes() for path in house.config.rglob("*.jsonl")} == before
    assert "Write" in told(house.ask(OK, flags=(*STREAM, "--resume", first, "--agent=")))[1]


async def test_a_program_that_was_refused_may_try_again(house: House):
    """The session's file is not held any longer: the same process can go on with it."""
    file = judge(house)
    begun(house)
    file.unlink()
    with running(steps(ALL)) as server:
        options = SessionOptions(cwd=house.project, env=house.env(server.url), start=Start(newest=True))
        with pytest.raises(UsageError, match="held as the agent judge"):
            async with open_session(options):
                pass
        judge(house)
        async with open_session(options) as session:
            events = [event async for event in session.prompt("go")]
    assert "as the agent judge" in str(events)


def test_the_agents_model_gives_way_to_the_conversations_but_not_at_another_endpoint(house: House):
    judge(house, model="small")
    flags = ("-p", *STREAM)
    with running(steps(ALL)) as server, running(steps(ALL)) as elsewhere:
        house.run(*flags, "--agent", "judge", "go", url=server.url)
        judge(house, model="big")  # defined anew meanwhile
        house.run(*flags, "-c", "go", url=server.url)
        house.run(*flags, "-c", "--model", "mine", "go", url=server.url)
        house.run(*flags, "-c", "go", url=elsewhere.url)
    assert [asked.body["model"] for asked in server.requests] == ["small", "small", "mine"]
    assert [asked.body["model"] for asked in elsewhere.requests] == ["big"]


@pytest.mark.parametrize(
    ("asked", "resumed", "mode"),
    [
        ((), (), "plan"),  # the agent says so, not the old session
        (("--permission-mode", "acceptEdits"), (), "acceptEdits"),
        (BYPASS, (), "plan"),
        ((), ("--permission-mode", "acceptEdits"), "acceptEdits"),
    ],
)
def test_the_mode_is_the_last_one_else_the_agents(
    house: House, asked: tuple[str, ...], resumed: tuple[str, ...], mode: str
):
    judge(house, permissionMode="plan")
    house.ask(OK, flags=(*STREAM, "--agent", "judge", *asked))
    done = house.ask(OK, flags=(*STREAM, "-c", *resumed))
    assert done.of("system", "init")[0]["permissionMode"] == mode


def test_a_repositorys_agent_brings_its_mode_only_while_it_is_trusted(house: House):
    file = judge(house, permissionMode="acceptEdits")
    place = house.project / ".claude" / "agents" / "judge.md"
    place.parent.mkdir(parents=True)
    file.rename(place)
    (place.parent.parent / "settings.json").write_text("{}")  # without settings there is nothing to trust
    first = begun(house, "--trust-project", "--permission-mode", "plan")
    for flags, mode in (((), "default"), (("--trust-project",), "acceptEdits")):
        done = house.ask(OK, flags=(*STREAM, "--resume", first, "--fork-session", *flags))
        assert told(done) == AS_JUDGE
        assert done.of("system", "init")[0]["permissionMode"] == mode


def test_an_agent_of_a_form_that_nobody_writes_is_none(house: House):
    first = str(house.ask(OK).result["session_id"])
    for agent in (7, ["judge"], None, ""):
        with file_of(house, first).open("a") as out:
            out.write(json.dumps({"type": "harness", "sessionId": first, "state": {"agent": agent}}) + "\n")
        assert "Write" in told(house.ask(OK, flags=(*STREAM, "-c")))[1]


def test_the_goal_comes_back_with_rules_and_todos_and_outlives_the_next_compaction(house: House):
    """Each run is a process of its own; the goal is what the user said first, and Harness keeps it by itself."""
    summary = {"when": {"user": "replaced by your summary"}, "text": SUMMARY, "times": "always"}
    todo = {"content": "Port the lexer", "status": "in_progress", "activeForm": "Porting"}
    flags = (*STREAM, *BYPASS)
    goal = "Port the parser to Rust. Never touch vault.txt."
    house.ask({"calls": [call("TodoWrite", todos=[todo])]}, OK, prompt=goal, flags=flags)
    runs: list[Done] = []
    for run in range(4):
        long: list[Json] = [{"calls": [bash(f"seq -f 'line %g of {run}-{n}' 500")]} for n in range(5)]
        resumed = (*flags, "-c")
        runs.append(house.ask(summary, *long, OK, prompt=f"Go on, {run}.", flags=resumed, context_window=20_000))
    compacted = [done for done in runs if done.of("system", "compact_boundary")]
    assert len(compacted) >= 2, "the second finds the goal in no message any more"
    (kept,) = (m["content"] for m in runs[-1].asked[-1].messages if "<compacted>" in (m["content"] or ""))
    assert f'What the user asked, in order:\n1. "{goal}"\n2. "Go on, 0."' in kept
    assert "keep to:\n- Never touch vault.txt." in kept
    assert "- [>] Port the lexer" in kept
