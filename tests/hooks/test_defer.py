"""`permissionDecision: "defer"`: the turn ends with the call, and the session takes it up again when it is resumed."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.mcp.test_prompting import desk
from tests.scenarios.house import STREAM, House, bash, call
from tests.sdk.program import started

ID = "33333333-3333-4333-8333-333333333333"
NEW, AGAIN = ("--session-id", ID), ("--resume", ID)
CALL = {"calls": [{**bash("touch made"), "id": "call_7"}]}
DONE = {"text": "All done."}


@pytest.fixture
def house(tmp_path) -> House:
    """A hook that answers what the file `word` says, with `updatedInput` where `input` is there."""
    house = House.make(tmp_path)
    script = house.base / "hook.py"
    script.write_text(
        "import json, pathlib, sys\n"
        f"base = pathlib.Path({str(house.base)!r})\n"
        "with (base / 'seen').open('a') as seen: seen.write(json.dumps(json.load(sys.stdin)) + '\\n')\n"
        "said = {'hookEventName': 'PreToolUse', 'permissionDecision': (base / 'word').read_text()}\n"
        "if (base / 'input').exists(): said['updatedInput'] = json.loads((base / 'input').read_text())\n"
        "print(json.dumps({'hookSpecificOutput': said}))\n"
    )
    hook = {"type": "command", "command": f"{sys.executable} {script}"}
    house.settings(hooks={"PreToolUse": [{"matcher": "Bash|mcp__.*", "hooks": [hook]}]})
    says(house, "defer")
    return house


def says(house: House, word: str, **given: Any) -> None:
    (house.base / "word").write_text(word)
    if given:
        (house.base / "input").write_text(json.dumps(given))


def seen(house: House) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (house.base / "seen").read_text().splitlines()]


def deferred(house: House, *flags: str, table: dict[str, Any] = CALL) -> Any:
    done = house.ask(table, flags=(*STREAM, *NEW, *flags))
    assert len(done.asked) == 1
    return done


def resumed(house: House, *tables: Any, flags: tuple[str, ...] = (), prompt: tuple[str, ...] = ()) -> Any:
    """Without a prompt, unless one is given."""
    from harness.scripted.script import steps
    from harness.scripted.server import running

    with running(steps(*tables) if tables else steps(DONE)) as server:
        done = house.run("-p", *STREAM, *AGAIN, *flags, *prompt, url=server.url)
    assert server.failures == []
    done.server = server
    return done


def test_the_turn_ends_with_the_call(house):
    done = deferred(house)
    assert done.code == 0
    result = done.result
    assert (result["subtype"], result["is_error"]) == ("success", False)
    assert (result["stop_reason"], result["terminal_reason"]) == ("tool_deferred", "tool_deferred")
    assert result["deferred_tool_use"] == {"id": "call_7", "name": "Bash", "input": {"command": "touch made"}}
    assert result["permission_denials"] == []
    assert done.of("user") == [], "it has no result yet"
    assert not (house.project / "made").exists()
    text = house.ask(CALL, flags=())
    assert (text.code, text.err) == (0, 'Deferred: Bash {"command": "touch made"}\n')


@pytest.mark.parametrize("prompt", [(), ("and then?",)])
def test_the_session_takes_it_up_again_with_the_hooks_answer(house, prompt):
    deferred(house)
    says(house, "allow", command="touch other")
    done = resumed(house, DONE, prompt=prompt)
    assert done.result["result"] == "All done."
    assert sorted(path.name for path in house.project.iterdir()) == ["other"]
    before, again = seen(house)
    assert again["tool_input"] == before["tool_input"] == {"command": "touch made"}
    assert again["tool_use_id"] == before["tool_use_id"] == "call_7"
    (asked,) = done.asked
    roles = [message["role"] for message in asked.messages]
    assert roles == ["system", "user", "assistant", "tool", *["user"] * len(prompt)]
    assert asked.messages[3]["tool_call_id"] == "call_7"
    later = resumed(house, {"text": "Yes."}, prompt=("again",))
    assert later.result["result"] == "Yes."
    assert len(seen(house)) == 2, "what was taken up waits no more"


def test_a_blank_prompt_is_none(house):
    deferred(house)
    says(house, "deny")
    done = resumed(house, DONE, prompt=(" ",))
    assert [message["role"] for message in done.asked[0].messages] == ["system", "user", "assistant", "tool"]


def test_it_may_be_denied_or_deferred_once_more(house):
    deferred(house)
    again = resumed(house, prompt=("a prompt that is not taken yet",))
    assert again.result["terminal_reason"] == "tool_deferred"
    assert again.result["deferred_tool_use"]["id"] == "call_7"
    assert again.asked == []
    assert "not taken" in "\n".join(line["content"] for line in again.of("system", "informational"))
    says(house, "deny")
    done = resumed(house, DONE)
    assert done.result["terminal_reason"] == "completed"
    assert "Permission denied" in done.results[0]
    assert not (house.project / "made").exists()


def test_a_hook_that_says_nothing_leaves_it_to_the_rules(house):
    deferred(house)
    says(house, "")
    house.settings()
    done = resumed(house, DONE)
    assert "nobody can be asked" in done.results[0]


def test_only_the_one_call_of_a_message_can_wait(house):
    """The others are asked about, as is one in a sub-agent: nothing runs that somebody wanted held back."""
    two = {"calls": [bash("touch one"), bash("touch two")]}
    done = house.ask(two, DONE, flags=(*STREAM, "--permission-mode", "bypassPermissions"))
    assert list(house.project.iterdir()) == []
    assert len(done.result["permission_denials"]) == 2
    told = "\n".join(line["content"] for line in done.of("system", "informational"))
    assert "cannot wait (it is not the only call of its message): it is asked about" in told
    tables = (
        {"when": {"user": "SUB-TASK"}, "calls": [bash("touch sub")]},
        {"when": {"tool": "Bash"}, "text": "No."},
        {"calls": [call("Agent", description="look", prompt="SUB-TASK")]},
        DONE,
    )
    assert house.ask(*tables, flags=STREAM).result["terminal_reason"] == "completed"
    assert list(house.project.iterdir()) == []


def test_what_cannot_wait_is_not_auto_modes_to_allow(house):
    """A hook that holds a call back wants a person, or whoever deferred it, to decide."""
    judge = {"when": {"system": "permission check"}, "text": '{"decision": "allow", "reason": "x"}', "times": "always"}
    done = house.ask(
        judge,
        {"calls": [bash('python3 -c \'open("one", "w")\''), bash('python3 -c \'open("two", "w")\'')]},
        DONE,
        flags=(*STREAM, "--permission-mode", "auto"),
    )
    assert list(house.project.iterdir()) == []
    assert len(done.result["permission_denials"]) == 2


def test_a_rule_that_denies_is_not_put_off(house):
    done = house.ask(CALL, DONE, flags=(*STREAM, "--disallowedTools", "Bash(touch *)"))
    assert done.result["terminal_reason"] == "completed"
    assert len(done.result["permission_denials"]) == 1


def test_a_tool_that_is_gone_is_said_before_the_hook_is_asked(house):
    table = {"calls": [{**call("mcp__desk__other"), "id": "call_8"}]}
    deferred(house, *desk(house), table=table)
    done = resumed(house)
    assert (done.code, done.asked) == (1, [])
    assert done.result["is_error"]
    assert done.result["terminal_reason"] == done.result["stop_reason"] == "tool_deferred_unavailable"
    assert done.result["deferred_tool_use"]["name"] == "mcp__desk__other"
    assert len(seen(house)) == 1
    says(house, "deny")
    assert resumed(house, DONE, flags=desk(house)).result["terminal_reason"] == "completed"


def test_without_a_prompt_only_such_a_session_goes_on(house):
    says(house, "allow")
    house.ask(CALL, DONE, flags=(*STREAM, *NEW))
    done = resumed(house)
    assert (done.code, done.out) == (2, "")
    assert "no call of the session waits" in done.err


def test_a_process_that_died_is_not_taken_for_it(house):
    """A server that gives ids again: the call of a later turn, which nobody deferred, is not run."""
    deferred(house)
    says(house, "allow")
    resumed(house, DONE)
    (file,) = Path(house.config, "projects").glob(f"*/{ID}.jsonl")
    entries = [json.loads(line) for line in file.read_text().splitlines()]
    model = next(entry for entry in entries if entry["type"] == "assistant")
    last = [entry for entry in entries if entry.get("uuid")][-1]
    again = {**model, "uuid": "44444444-4444-4444-8444-444444444444", "parentUuid": last["uuid"]}
    file.write_text(file.read_text() + json.dumps(again) + "\n")
    (house.project / "made").unlink()
    done = resumed(house, DONE, prompt=("go on",))
    assert not (house.project / "made").exists()
    assert "Interrupted: Harness ended" in done.results[-1]


def test_one_that_was_taken_up_when_its_process_died_is_not_run_again(house):
    deferred(house, table={"calls": [{**bash("echo x >> ran; sleep 60"), "id": "call_7"}]})
    says(house, "allow")
    ran = house.project / "ran"
    with house.live(DONE, flags=AGAIN) as live:
        live.until(lambda: ran.exists() and ran.read_text())
        live.process.kill()
        live.process.wait()
    done = resumed(house, DONE, prompt=("go on",))
    assert ran.read_text() == "x\n"
    assert "what it had done so far may remain" in done.results[-1]
    assert len(seen(house)) == 2


def test_what_a_rewind_took_back_waits_no_more(house):
    house.ask({"text": "Well?"}, flags=(*STREAM, *NEW))
    assert resumed(house, CALL, prompt=("go",)).result["terminal_reason"] == "tool_deferred"
    assert resumed(house, prompt=("/rewind 2 conversation",)).code == 0
    says(house, "allow")
    done = resumed(house)
    assert (done.code, done.out, done.asked) == (2, "", [])
    assert "no call of the session waits" in done.err


def test_a_program_resumes_it_without_a_word(house):
    deferred(house)
    says(house, "allow")
    with started(house, DONE, flags=("--resume", ID)) as program:
        assert program.close() == (0, "")
        program.until(lambda line: line["type"] == "result")
        assert [line["result"] for line in program.of("result")] == ["All done."]
    assert (house.project / "made").exists()
    with started(house, DONE, flags=("--resume", ID)) as program:
        assert program.close() == (0, "")
        assert program.of("result") == [], "nothing waits any more"


def test_a_program_that_drives_us_may_defer_and_go_on(house):
    with started(house, CALL, {"text": "Done now."}) as program:
        result = program.ask("go")
        assert result["deferred_tool_use"]["id"] == "call_7"
        says(house, "allow")
        assert program.ask("go on")["result"] == "Done now."
    assert (house.project / "made").exists()
