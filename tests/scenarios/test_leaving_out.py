"""`--bare`, `--safe-mode`, `--disable-slash-commands`, `--verbose`, `--debug`: what a run goes without, and what it tells."""

import json
from pathlib import Path

from harness.scripted.script import steps
from harness.scripted.server import running
from tests.scenarios.house import House, bash

OK = {"text": "Fine."}


def furnished(house: House) -> None:
    """The person's own memory, a command, an agent, and a hook that leaves a mark."""
    (house.home / ".claude" / "commands").mkdir(parents=True)
    (house.home / ".claude" / "agents").mkdir()
    (house.home / ".claude" / "CLAUDE.md").write_text("Always say please.")
    (house.home / ".claude" / "commands" / "greet.md").write_text("Say hello.")
    (house.home / ".claude" / "agents" / "a.md").write_text("---\nname: helper\ndescription: d\n---\nHelp.")
    hook = {"type": "command", "command": f"touch {house.base / 'hooked'}"}
    house.settings(hooks={"UserPromptSubmit": [{"hooks": [hook]}]})


def test_bare_and_safe_mode_go_without_what_files_bring(house: House):
    furnished(house)
    usual = house.ask(OK)
    assert "Always say please." in json.dumps(usual.asked[0].messages)
    assert (house.base / "hooked").exists()
    assert usual.lines[0]["slash_commands"] == ["greet"]
    (house.base / "hooked").unlink()
    for flag, tools in (("--bare", {"Bash", "Edit", "Read"}), ("--safe-mode", None)):
        done = house.ask(OK, flags=("--output-format", "stream-json", flag))
        assert "please" not in json.dumps(done.asked[0].messages)
        assert not (house.base / "hooked").exists()
        init = done.lines[0]
        assert (init["slash_commands"], "helper" in init["agents"], init["skills"]) == ([], False, [])
        offered = {tool["function"]["name"] for tool in done.asked[0].body["tools"]}
        assert offered == tools if tools else offered >= {"Bash", "Glob", "Write"}


def test_bare_tells_its_commands(house: House):
    done = house.acts(bash("echo simple=$CLAUDE_CODE_SIMPLE"), flags=("--bare", "--allowedTools", "Bash"))
    assert done.results == ["simple=1"]


def test_without_commands_a_prompt_is_what_it_says(house: House):
    furnished(house)
    done = house.ask(OK, flags=("--disable-slash-commands",), prompt="/greet now")
    assert "/greet now" in done.asked[0].messages[-1]["content"]


def test_verbose_and_debug_tell_on_stderr_and_stdout_stays_the_answer(house: House, tmp_path: Path):
    log = tmp_path / "log"
    flags = ("--verbose", "--debug=request,permission", "--debug-file", str(log), "--allowedTools", "Bash")
    done = house.ask({"calls": [bash("echo hi")]}, OK, flags=flags)
    assert (done.code, done.out) == (0, "Fine.\n")
    assert "● Bash(echo hi)" in done.err
    kinds = {line.split()[1] for line in log.read_text().splitlines()}
    assert kinds == {"request", "permission"}
    wrong = house.run("-p", "go", "--debug=everything")
    assert (wrong.code, wrong.out, "request" in wrong.err) == (2, "", True)


def test_a_session_may_be_an_agent(house: House):
    furnished(house)
    agent = {"judge": {"description": "d", "prompt": "You judge.", "tools": ["Read", "Bash(git *)"], "maxTurns": 1}}
    flags = ("--output-format", "stream-json", "--agents", json.dumps(agent), "--agent")
    done = house.ask({"calls": [bash("ls")]}, flags=(*flags, "judge"))
    assert done.asked[0].messages[0]["content"] == "You judge."
    assert {tool["function"]["name"] for tool in done.asked[0].body["tools"]} == {"Read", "Bash"}
    assert (done.code, done.result["subtype"]) == (1, "error_max_turns")
    of_file = house.ask(OK, flags=(*flags, "helper"))
    assert of_file.asked[0].messages[0]["content"] == "Help."
    wrong = house.run("-p", "go", "--agent", "nobody")
    assert (wrong.code, wrong.out) == (2, "")
    assert "general-purpose" in wrong.err


def test_lines_as_prompts_each_have_their_own_result(house: House):
    said = [{"type": "user", "message": {"role": "user", "content": text}} for text in ("one", "two")]
    stdin = "".join(f"{json.dumps(line)}\n" for line in said).encode()
    with running(steps({"text": "First."}, {"text": "Second."})) as server:
        flags = ("-p", "--input-format", "stream-json", "--output-format", "stream-json", "--verbose")
        done = house.run(*flags, url=server.url, stdin=stdin)
    assert (done.code, done.err) == (0, "")
    assert [line["result"] for line in done.of("result")] == ["First.", "Second."]
    assert done.lines[-1]["type"] == "result"
