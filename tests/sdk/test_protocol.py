"""The subprocess protocol, over pipes: our process, a scripted endpoint, and plain JSON."""

import json
import signal
import subprocess

import pytest

from harness.errors import UsageError
from harness.sdk.argv import parse
from tests.scenarios.house import COMMAND, bash, call
from tests.sdk.program import END, FLAGS, started


def test_two_turns_of_one_conversation(house):
    with started(house, {"text": "first"}, {"text": "second"}) as program:
        info = program.info
        assert {"commands", "agents", "output_style", "available_output_styles", "models", "account"} <= info.keys()
        assert info["hook_on_failure_supported"] is True
        one = program.ask("one", uuid="11111111-1111-4111-8111-111111111111")
        two = program.ask([{"type": "text", "text": "two"}, {"type": "text", "text": "more"}])
        assert [one["result"], two["result"]] == ["first", "second"]
        assert one["session_id"] == two["session_id"] == program.of("system", "init")[0]["session_id"]
        assert one["user_message_uuid"] == "11111111-1111-4111-8111-111111111111"
        assert [message["content"] for message in program.server.requests[1].messages if message["role"] == "user"][
            -1
        ] == "two\n\nmore"
        assert program.close() == (0, "")
        assert {line["type"] for line in program.lines} <= {"system", "assistant", "result", "control_response"}
        assert all(line["uuid"] and line["session_id"] for line in program.lines if line["type"] != "control_response")


def test_input_that_ends_at_once_is_still_answered(house):
    """A one-shot query closes its end right after the prompt; several prompts have a result each."""
    with started(house, {"text": "a"}, {"text": "b"}, initialize=False) as program:
        program.say("one")
        program.say("two")
        code, err = program.close()
        program.until(lambda _: len(program.of("result")) == 2)
        assert ([line["result"] for line in program.of("result")], code, err) == (["a", "b"], 0, "")


def test_a_result_that_is_an_error_ends_with_an_exit_code(house):
    with started(house, {"http": {"status": 400, "error": "no such thing"}}) as program:
        result = program.ask("go")
        assert (result["subtype"], result["is_error"], result["terminal_reason"]) == ("success", True, "api_error")
        assert program.close()[0] == 1


def test_no_session_still_gives_one_result(house):
    with started(house, env={"OPENAI_BASE_URL": "ftp://nowhere"}) as program:
        program.until(lambda line: line["type"] == "result")
        assert [line["is_error"] for line in program.of("result")] == [True]
        assert program.close()[0] == 1


def test_lines_of_any_length_in_and_bounded_out(house):
    long = "x" * 3_000_000
    with started(house, {"text": "got " + "z" * 1_500_000, "pace": {"characters": 500_000}}) as program:
        result = program.ask("go", padding=long)
        assert result["result"].startswith("got zzz")
        assert "more characters were cut" in result["result"]


def test_what_nobody_knows_is_answered_or_passed_over(house):
    with started(house, {"text": "fine"}, flags=("--no-such-flag", "value", "--betas", "x")) as program:
        assert "no control request" in program.control("no_such_thing")["error"]
        assert "already" in program.control("initialize")["error"]
        program.send({"type": "no_such_type"})
        program.send({"type": "control_response", "response": {"subtype": "success", "request_id": "nobody"}})
        program.send(b"this is no JSON\n[1, 2]\n")
        assert program.ask("go")["result"] == "fine"
        _, err = program.close()
        assert err.count("Warning") == 3
        assert "--no-such-flag" in err


@pytest.mark.parametrize(
    "words",
    [
        ["--session-id", "not-a-uuid"],
        ["--permission-mode", "never"],
        ["--thinking", "perhaps"],
        ["--max-thinking-tokens", "many"],
        ["--agents", "{"],
        ["--system-prompt-file", "/no/such/file"],
        ["a prompt"],
    ],
)
def test_values_that_cannot_be_used(words):
    with pytest.raises(UsageError):
        parse([*words, *END]).flags.start.checked()


def test_bad_values_fail_fast(house):
    words = ["--permission-mode", "never"]
    done = subprocess.run(
        [*COMMAND, *FLAGS, *words, *END],
        cwd=house.project,
        env=house.env("http://127.0.0.1:9"),
        capture_output=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    assert (done.returncode, done.stdout) == (1, b"")
    assert b"no such mode" in done.stderr


def test_values_may_begin_with_a_dash_and_rules_hold_spaces():
    asked = parse(
        [
            "--system-prompt",
            "-x",
            "--allowedTools",
            "Bash(git log:*),Read",
            "--model=m",
            "--effort",
            "xhigh",
            "--thinking",
            "disabled",
        ]
    )
    assert (asked.flags.system_prompt, asked.flags.model, asked.flags.effort) == ("-x", "m", "xhigh")
    assert parse(["--thinking", "disabled"]).flags.effort == "none"
    assert parse(["--tools", ""]).flags.tools == ()
    assert parse(["--tools", "default"]).flags.tools is None
    with pytest.raises(UsageError):
        parse(["--max-turns", "x"])


def test_prompts_are_repeated_with_their_uuids_and_none_is_taken_twice(house):
    with started(house, {"text": "a"}, {"text": "b"}, flags=("--replay-user-messages",)) as program:
        program.say("one", uuid="u-1")
        program.say("one", uuid="u-1")
        program.ask("two")
        program.until(lambda _: len(program.of("result")) == 2)
        echoes = [line for line in program.of("user") if line.get("isReplay")]
        assert [line["message"]["content"] for line in echoes] == ["one", "two"]
        assert echoes[0]["uuid"] == "u-1"


def test_an_interrupt_ends_the_turn_and_the_next_one_runs(house):
    with started(
        house,
        {"calls": [bash("sleep 30; touch finished")]},
        {"text": "still here"},
        flags=("--permission-mode", "bypassPermissions"),
    ) as program:
        assert program.control("interrupt") == {}  # idle
        program.say("go")
        program.until(lambda line: line["type"] == "assistant")
        program.say("and then")
        answer = program.control("interrupt")
        assert len(answer["still_queued"]) == 1
        program.until(lambda _: len(program.of("result")) == 2)
        first, second = program.of("result")
        assert first["terminal_reason"] == "aborted_tools"
        assert (second["result"], second["is_error"]) == ("still here", False)
        assert not (house.project / "finished").exists()
        assert program.close()[0] == 0


def test_an_interrupt_right_behind_its_prompt_is_not_lost(house):
    with started(house, {"text": "never"}) as program:
        program.say("go")
        program.control("interrupt")
        program.until(lambda line: line["type"] == "result")
        assert program.of("result")[0]["terminal_reason"].startswith("aborted")


def test_mode_and_model_change_between_turns(house):
    write = {"calls": [call("Write", file_path="a.txt", content="a")]}
    with started(house, write, {"text": "x"}, write, {"text": "y"}, flags=("--model", "first")) as program:
        program.ask("one")
        assert not (house.project / "a.txt").exists()
        assert "no permission mode" in program.control("set_permission_mode", mode="never")["error"]
        assert "cannot enter" in program.control("set_permission_mode", mode="bypassPermissions")["error"]
        program.control("set_permission_mode", mode="acceptEdits")
        program.control("set_model", model="second")
        program.ask("two")
        assert (house.project / "a.txt").exists()
        assert program.of("system", "init")[-1]["permissionMode"] == "acceptEdits"
        program.control("set_model", model=None)
        usage = program.control("get_context_usage")
        assert usage["model"] == "first"
        assert usage["totalTokens"] > 0
        assert sum(each["tokens"] for each in usage["categories"]) == pytest.approx(usage["rawMaxTokens"], abs=10)
        assert [request.body["model"] for request in program.server.requests] == ["first", "first", "second", "second"]


def test_sigterm_ends_everything(house):
    with started(house, {"calls": [bash("sleep 31")]}, flags=("--permission-mode", "bypassPermissions")) as program:
        program.say("go")
        program.until(lambda line: line["type"] == "assistant")
        program.process.send_signal(signal.SIGTERM)
        program.until(lambda line: line["type"] == "result")
        assert program.process.wait(10) == 143


def test_a_log_for_those_who_look_for_a_fault(house):
    log = house.base / "log"
    with started(house, {"text": "x"}, flags=("--debug-file", str(log))) as program:
        program.ask("a secret prompt")
        assert program.close() == (0, "")
    text = log.read_text()
    assert "in  " in text
    assert "result" in text
    assert "secret" not in text


def test_pieces_come_as_the_server_cut_them(house):
    with started(
        house, {"text": "The quick fox", "pace": {"characters": 4}}, flags=("--include-partial-messages",)
    ) as program:
        program.ask("go")
        events = [line["event"] for line in program.of("stream_event")]
        assert [e["delta"]["text"] for e in events if e["type"] == "content_block_delta"] == [
            "The ",
            "quic",
            "k fo",
            "x",
        ]
        assert (
            json.dumps(program.of("assistant")[0]["message"]["content"])
            == '[{"type": "text", "text": "The quick fox"}]'
        )


def test_files_go_back_to_a_message(house):
    (house.project / "f").write_text("a\nb\n")
    uuid = "22222222-2222-4222-8222-222222222222"
    steps = ({"calls": [bash("printf 'a\\nc\\nd\\n' > f; echo new > g")]}, {"text": "done"})
    asked = {"CLAUDE_CODE_ENABLE_SDK_FILE_CHECKPOINTING": "true", "CLAUDE_CODE_ENTRYPOINT": "sdk-py"}
    with started(house, *steps, flags=("--permission-mode", "bypassPermissions"), env=asked) as program:
        program.ask("change it", uuid=uuid)
        assert (house.project / "g").exists()
        dry = program.control("rewind_files", user_message_id=uuid, dry_run=True)
        assert (dry["canRewind"], dry["insertions"], dry["deletions"]) == (True, 1, 3)
        assert (house.project / "g").exists()
        done = program.control("rewind_files", user_message_id=uuid)
        assert sorted(done["filesChanged"]) == [str(house.project / "f"), str(house.project / "g")]
        assert (house.project / "f").read_text() == "a\nb\n"
        assert not (house.project / "g").exists()
        assert program.close()[0] == 0


def test_lines_have_the_names_of_their_entries_and_a_conversation_can_be_cut_there(house):
    prompt = "22222222-2222-4222-8222-222222222222"
    with started(
        house, {"text": "one"}, {"text": "two"}, flags=("--replay-user-messages", "--include-partial-messages")
    ) as program:
        program.ask("first", uuid=prompt)
        program.ask("second")
        session, shown = (
            program.of("result")[0]["session_id"],
            [line["uuid"] for line in program.lines if "uuid" in line],
        )
        answer = program.of("assistant")[0]["uuid"]
        assert len(shown) == len(set(shown))
    (file,) = house.config.glob(f"projects/*/{session}.jsonl")
    entries = [json.loads(line) for line in file.read_text().splitlines()]
    kinds = {entry["uuid"]: entry["type"] for entry in entries if "uuid" in entry}
    assert (kinds[prompt], kinds[answer]) == ("user", "assistant")
    with started(house, {"text": "three"}, flags=(f"--resume={session}", f"--resume-session-at={answer}")) as program:
        program.ask("third")
        said = json.dumps(program.server.requests[0].messages)
        assert "first" in said
        assert "second" not in said


def test_clear_begins_a_new_conversation(house):
    with started(house, {"text": "one"}, {"text": "two"}) as program:
        first = program.ask("remember this")["session_id"]
        assert program.ask("/clear")["session_id"] == first
        (reset,) = program.of("conversation_reset")
        second = program.ask("go on")
        assert reset["session_id"] == first
        assert second["session_id"] == reset["new_conversation_id"] != first
        assert second["result"] == "two"
        assert "remember this" not in json.dumps(program.server.requests[-1].messages)
        assert program.close() == (0, "")


def test_a_mirror_of_the_session_file_comes_before_each_result(house):
    with started(house, {"calls": [bash("true")]}, {"text": "one"}, flags=("--session-mirror",)) as program:
        session = program.ask("go")["session_id"]
        frames = [line for line in program.lines if line["type"] == "transcript_mirror"]
        assert program.lines[-1]["type"] == "result"
        copied = [entry for frame in frames for entry in frame["entries"]]
        assert program.close()[0] == 0
    (file,) = house.config.glob(f"projects/*/{session}.jsonl")
    assert {frame["filePath"] for frame in frames} == {str(file)}
    kept = [json.loads(line) for line in file.read_text().splitlines()]
    assert copied == kept[: len(copied)]
    assert {"user", "assistant"} <= {entry["type"] for entry in copied}
