"""Hooks of settings files: real commands, with a project's in the sandbox, in whole sessions."""

import json
import os
from typing import Any

import pytest

from tests.scenarios.house import BYPASS, House, bash

HOOKS = ("--include-hook-events",)


@pytest.fixture
def house(tmp_path) -> House:
    return House.make(tmp_path)


def hooked(event: str, command: str, match: str = "", **more: Any) -> dict[str, Any]:
    return {event: [{"matcher": match, "hooks": [{"type": "command", "command": command, **more}]}]}


def test_a_command_sees_the_call_and_refuses_it(house):
    seen = house.base / "seen.json"
    house.settings(hooks=hooked("PreToolUse", f"cat > {seen}; env > {seen}.env; echo policy-7 >&2; exit 2", "Bash"))
    done = house.acts(bash("touch pwned"), flags=("--permission-mode", "bypassPermissions", *HOOKS))
    assert not (house.project / "pwned").exists()
    assert "policy-7" in done.results[0]
    given = json.loads(seen.read_text())
    assert given["tool_input"] == {"command": "touch pwned"}
    assert {"session_id", "transcript_path", "cwd", "permission_mode", "tool_use_id"} <= given.keys()
    variables = dict(line.split("=", 1) for line in (house.base / "seen.json.env").read_text().splitlines())
    assert variables["CLAUDE_PROJECT_DIR"] == str(house.project)
    assert not [name for name in variables if name.startswith("OPENAI_")]
    assert [(line["hook_event"], line["exit_code"]) for line in done.of("system", "hook_response")] == [
        ("PreToolUse", 2)
    ]
    assert done.of("hookPermissionResult")[0]["source"] == "hook"


def test_a_hook_is_told_which_agent_the_session_is(house):
    house.settings(hooks=hooked("PreToolUse", f"cat > {house.base}/seen.json", "Bash"))
    house.acts(bash("true"), flags=("--agent", "Explore", *BYPASS))
    assert json.loads((house.base / "seen.json").read_text())["agent_type"] == "Explore"


def test_json_and_words_and_failures(house):
    house.settings(
        hooks={
            **hooked("SessionStart", "echo started-ctx"),
            **hooked(
                "UserPromptSubmit",
                'jq . >/dev/null 2>&1; echo \'{"hookSpecificOutput":{"hookEventName":"UserPromptSubmit","additionalContext":"json-ctx"}}\'',
            ),
            **hooked("PostToolUse", "echo broken >&2; exit 1"),
            "Stop": [{"hooks": [{"type": "http", "url": "http://x"}]}],
            "PreToolUse": [
                {"matcher": "(", "hooks": [{"type": "command", "command": 'echo \'{"decision":"approve"}\''}]}
            ],
        }
    )
    done = house.acts(bash("true"), bash("touch x"), flags=())
    prompt = done.asked[0].messages[-1]["content"]
    assert "started-ctx" in prompt
    assert "json-ctx" in prompt
    told = "\n".join(line["content"] for line in done.of("system", "informational"))
    assert "status 1: broken" in told
    assert "'http' is not run yet" in told
    assert "can only refuse or ask" in told
    assert "Permission denied" in done.results[1]  # nobody can be asked, and that hook's yes does not count


def test_a_projects_hooks_need_trust_and_run_in_the_sandbox(house):
    claude = house.project / ".claude"
    claude.mkdir()
    outside = house.base / "outside"
    command = f'touch {outside}; touch inside; echo \'{{"systemMessage":"it ran"}}\''
    (claude / "settings.json").write_text(json.dumps({"hooks": hooked("PreToolUse", command)}))
    done = house.acts(bash("true"), flags=HOOKS)
    assert not (house.project / "inside").exists()
    assert not done.of("system", "hook_response")
    done = house.acts(bash("true"), flags=("--trust-project", *HOOKS))
    assert "it ran" in json.dumps(done.of("system", "informational"))
    assert (house.project / "inside").exists()
    assert not outside.exists()
    house.settings(sandbox={"allowUnsandboxedHooks": True})
    house.acts(bash("true"), flags=("--trust-project", *HOOKS))
    assert outside.exists()


def test_an_interrupted_hook_leaves_no_process(house):
    mark = f"sleep 47{os.getpid()}"  # nobody else's on this machine
    house.settings(hooks=hooked("PreToolUse", f"{mark} & {mark}"))
    import signal

    from tests.processes import gone, processes

    with house.live({"calls": [bash("true")]}, flags=HOOKS) as live:
        live.until(lambda: processes(mark.replace(" ", "\0")))
        done = live.ended(signal.SIGINT)
    assert done.code == 130
    assert gone(mark.replace(" ", "\0"))


def test_exec_form_takes_no_shell(house):
    out = house.base / "out"
    written = {"type": "command", "command": "/usr/bin/touch", "args": [f"{out} $HOME", "${CLAUDE_PROJECT_DIR}/made"]}
    house.settings(hooks={"SessionEnd": [{"hooks": [written]}]})
    house.acts(bash("true"), flags=())
    assert (house.base / "out $HOME").exists()
    assert (house.project / "made").exists()


def test_a_persons_hook_finds_no_program_that_the_model_can_have_written(house):
    """An active virtual environment of the project stands first on PATH."""
    planted = house.project / ".venv/bin/true"
    planted.parent.mkdir(parents=True)
    out = house.base / "out"
    planted.write_text(f"#!/bin/sh\necho planted >> {out}\n")
    planted.chmod(0o755)
    house.settings(hooks=hooked("PreToolUse", f"env true && echo ran >> {out}"))
    path = f"{planted.parent}:.:{os.environ['PATH']}"
    house.acts(bash("touch made"), env={"PATH": path})
    assert out.read_text() == "ran\n"


def test_a_projects_variables_reach_no_hook_that_runs_outside(house):
    """A variable may choose what a program loads: git would run what XDG_CONFIG_HOME's configuration names."""
    seen = house.base / "seen"
    (house.project / ".claude").mkdir()
    theirs = {"env": {"XDG_CONFIG_HOME": str(house.project), "MINE": "theirs"}}
    (house.project / ".claude/settings.json").write_text(json.dumps(theirs))
    house.settings(hooks=hooked("PreToolUse", f"env > {seen}"), env={"MINE": "mine"})
    done = house.acts(bash("echo $XDG_CONFIG_HOME $MINE"), flags=("--trust-project",))
    assert done.results == [f"{house.project} theirs"]
    lines = seen.read_text().splitlines()
    assert "MINE=mine" in lines
    assert not [line for line in lines if line.startswith("XDG_CONFIG_HOME=")]
