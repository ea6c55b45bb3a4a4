"""`harness -p`: what it prints in each of the three formats, and what it sends."""

import json
import shlex
import subprocess

from harness.scripted.script import steps
from harness.scripted.server import running
from tests.scenarios.house import COMMAND, STREAM, House

HELLO = {"text": "Hello, wörld.", "reasoning": "They greet.", "usage": {"prompt_tokens": 100, "completion_tokens": 7}}
RESULT = {
    "type", "subtype", "uuid", "session_id", "is_error", "duration_ms", "duration_api_ms", "num_turns", "result",
    "stop_reason", "total_cost_usd", "usage", "modelUsage", "permission_denials", "terminal_reason",
}  # fmt: skip
MODEL = {
    "inputTokens", "outputTokens", "cacheReadInputTokens", "cacheCreationInputTokens", "webSearchRequests",
    "costUSD", "contextWindow", "maxOutputTokens",
}  # fmt: skip
INIT = {
    "cwd", "tools", "mcp_servers", "model", "permissionMode", "slash_commands", "output_style", "skills", "plugins",
    "apiKeySource", "claude_code_version",
}  # fmt: skip
MESSAGE = {"id", "type", "role", "model", "content", "stop_reason", "stop_sequence", "usage"}


def test_text_is_the_answer_and_nothing_else(house: House):
    done = house.ask(HELLO, flags=())
    assert (done.code, done.out, done.err) == (0, "Hello, wörld.\n", "")


def test_json_is_one_object_with_the_keys_that_scripts_read(house: House):
    result = json.loads(house.ask(HELLO, flags=("--output-format", "json")).out)
    assert result.keys() >= RESULT
    assert (result["result"], result["subtype"], result["is_error"]) == ("Hello, wörld.", "success", False)
    assert (result["num_turns"], result["stop_reason"], result["terminal_reason"]) == (1, "end_turn", "completed")
    assert isinstance(result["total_cost_usd"], float)
    assert result["usage"]["input_tokens"] == 100
    assert result["usage"]["output_tokens"] == 7
    assert result["modelUsage"].keys() == {"scripted"}
    assert result["modelUsage"]["scripted"].keys() >= MODEL
    assert list(house.config.rglob(f"{result['session_id']}.jsonl"))


def test_stream_json_begins_with_init_and_ends_with_the_result(house: House):
    done = house.ask(HELLO)
    first, (said,), last = done.lines[0], done.of("assistant"), done.lines[-1]
    assert (first["type"], first["subtype"], first["cwd"]) == ("system", "init", str(house.project))
    assert first.keys() >= INIT
    assert {"Bash", "Edit", "Glob", "Grep", "Read", "TodoWrite", "Write"} <= set(first["tools"])
    assert last.keys() >= RESULT
    assert len({line["uuid"] for line in done.lines}) == len(done.lines)
    assert {line["session_id"] for line in done.lines} == {last["session_id"]}
    assert (said["parent_tool_use_id"], said["message"].keys()) == (None, MESSAGE)
    assert [block["type"] for block in said["message"]["content"]] == ["thinking", "text"]


def test_partial_messages_add_up_to_the_message(house: House):
    done = house.ask(
        {**HELLO, "pace": {"characters": 3, "between": 0.02}},
        flags=(*STREAM, "--include-partial-messages", "--verbose"),
    )
    events = [line["event"] for line in done.of("stream_event")]
    text = [e["delta"]["text"] for e in events if e.get("delta", {}).get("type") == "text_delta"]
    assert (len(text) > 2, "".join(text)) == (True, "Hello, wörld.")
    assert (events[0]["type"], events[-1]["type"]) == ("message_start", "message_stop")


def test_what_is_sent(house: House):
    house.git("init")
    flags = ("--append-system-prompt", "Be brief.", "--disallowedTools", "Bash", "--model", "some-model")
    (request,) = house.ask({"text": "ok"}, flags=flags, prompt="-what now?", env={"OPENAI_API_KEY": "sk-1"}).asked
    system, user = request.messages
    assert system["content"].endswith("Be brief.")
    assert user["content"].startswith("-what now?")
    assert f"Working directory: {house.project}" in user["content"]
    assert "Git: on main" in user["content"]
    assert "Bash" not in {tool["function"]["name"] for tool in request.body["tools"]}
    assert (request.body["model"], request.body["stream_options"]) == ("some-model", {"include_usage": True})
    assert request.headers["authorization"] == "Bearer sk-1"


def test_no_text_of_a_model_breaks_a_line(house: House):
    """Some readers take these for the end of a line."""
    done = house.ask({"text": "one\u2028two\x85three"})
    assert "\u2028" not in done.out
    assert done.result["result"] == "one\u2028two\x85three"


def test_a_directory_that_is_gone_is_said(house: House):
    words = ["bash", "-c", 'mkdir x && cd x && rmdir ../x && exec "$@"', "-", *COMMAND, "-p", "go"]
    done = subprocess.run(words, cwd=house.project, env=house.env(), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert "current directory cannot be used" in done.stderr


def test_a_reader_that_goes_away_is_no_fault(house: House):
    """As in `harness -p ... | head -c 1`."""
    with running(steps({"text": "long " * 50_000, "pace": {"characters": 10_000}})) as server:
        words = shlex.join([*COMMAND, "-p", *STREAM, "go"])
        done = subprocess.run(
            ["bash", "-c", f"{words} | head -c 1; exit ${{PIPESTATUS[0]}}"],
            cwd=house.project,
            env=house.env(server.url),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
    assert (done.returncode, len(done.stdout), done.stderr) == (0, 1, b"")


def test_a_session_that_cannot_be_written_down_still_has_its_result(house: House):
    (house.config / "projects").write_text("not a directory")
    done = house.ask({"text": "never told"}, flags=("--model", "m", "--output-format", "json"))
    assert (done.code, json.loads(done.out)["subtype"]) == (1, "error_during_execution")
    assert "--no-session-persistence" in done.err
