import asyncio
import os
import subprocess
from contextlib import aclosing

import pytest

from harness.errors import SandboxUnavailable
from tests.sandbox.room import Room, finish

both = pytest.mark.parametrize("sandboxed", [True, False])


@both
async def test_output_comes_in_order_with_its_status(room: Room, sandboxed):
    done = await room.run("echo a; echo b >&2; echo c; exit 7", sandboxed=sandboxed)
    assert (done.output, done.exit_code, done.pipe_status) == ("a\nb\nc\n", 7, (0,))


@both
@pytest.mark.parametrize(
    ("command", "code", "states"),
    [
        ("false | true", 0, (1, 0)),
        ("true | (exit 4) | false", 1, (0, 4, 1)),
        ("cd / && false | true && exit 7", 7, (1, 0)),
        ("(exit 3) | cat; exit", 0, (3, 0)),
        ("nosuch", 127, (127,)),
        ("exec true", 0, ()),
        ("kill -9 $$", 137, ()),
    ],
)
async def test_the_last_pipelines_states_are_reported_not_imposed(room: Room, sandboxed, command, code, states):
    done = await room.run(command, sandboxed=sandboxed)
    assert (done.exit_code, done.pipe_status) == (code, states)


@both
@pytest.mark.parametrize("command", ["cd sub", "cd sub; exit 1", "cd sub && false", "(cd /); cd sub"])
async def test_the_last_directory_is_told(room: Room, sandboxed, command):
    (room.project / "sub").mkdir()
    assert (await room.run(command, sandboxed=sandboxed)).cwd == room.project / "sub"


async def test_an_exit_trap_of_the_commands_own_runs_and_costs_the_report(room: Room):
    done = await room.run("trap 'echo mine' EXIT; cd /; false | true")
    assert (done.output, done.cwd, done.pipe_status) == ("mine\n", None, ())


async def test_messages_are_those_of_bash(room: Room):
    assert (await room.run("nosuch")).output == "bash: line 1: nosuch: command not found\n"
    assert "unexpected EOF" in (await room.run("echo 'open")).output


async def test_nothing_of_ours_shows_in_the_shell(room: Room):
    done = await room.run("set; declare -F; env; ls /proc/$$/fd")
    assert "BASH_ENV" not in done.output
    assert len((await room.run("ls /proc/$$/fd")).output.split()) <= 4


async def test_a_command_line_longer_than_an_argument_may_be_runs(room: Room):
    done = await room.run(f": {'x' * 200_000}\necho done; false | true")
    assert (done.output, done.pipe_status) == ("done\n", (1, 0))


@both
async def test_nothing_waits_for_input_or_a_pager(room: Room, sandboxed):
    done = await room.run("cat; read x; echo $? $PAGER $GIT_PAGER $TERM $GIT_TERMINAL_PROMPT", sandboxed=sandboxed)
    assert done.output == "1 cat cat dumb 0\n"


async def test_keys_do_not_reach_a_command_outside_the_sandbox(room: Room, monkeypatch):
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "MY_GATEWAY", "OTHER"):
        monkeypatch.setenv(name, "value-of-" + name)
    from harness.sandbox import open_shell

    shell = open_shell(room.policy, room.base / "results", sandboxed=False, secret_env=("MY_GATEWAY",))
    _, done = await finish(shell, "env", room.project)
    assert [line for line in done.output.splitlines() if "value-of" in line] == ["OTHER=value-of-OTHER"]


@both
async def test_a_time_out_kills_everything_and_says_what_ran(room: Room, sandboxed):
    done = await room.run("echo start; sleep 987.5 & sleep 987.5", timeout=0.4, sandboxed=sandboxed)
    assert (done.timed_out, done.output, done.elapsed < 2) == (True, "start\n", True)
    assert "sleep 987.5" in done.notes[0]
    assert not alive("sleep 987.5")


@both
async def test_a_background_child_is_neither_waited_for_nor_left(room: Room, sandboxed):
    done = await room.run("sleep 986.5 & setsid sleep 986.5 & nohup sleep 986.5 & echo hi", sandboxed=sandboxed)
    assert done.output.endswith("hi\n")
    assert done.elapsed < 2
    assert not alive("sleep 986.5")


@both
async def test_cancelling_kills_everything(room: Room, sandboxed):
    task = asyncio.create_task(room.run("touch up; sleep 985.5; touch late", sandboxed=sandboxed))
    while not (room.project / "up").exists():
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not alive("sleep 985.5")
    assert not (room.project / "late").exists()  # nor did the shell go on when its child was killed


async def test_leaving_the_stream_kills_everything(room: Room):
    async with aclosing(room.shell().run("echo up; sleep 984.5", room.project, timeout=20)) as stream:
        assert (await anext(stream)).text == "up\n"  # type: ignore[union-attr]  # live output comes first
    assert not alive("sleep 984.5")


async def test_output_comes_while_the_command_runs(room: Room):
    live, done = await finish(room.shell(), "for i in 1 2 3; do echo $i; sleep 0.2; done", room.project)
    assert len(live) >= 2
    assert "".join(part.text for part in live) in done.output


async def test_closing_its_output_does_not_end_a_command(room: Room):
    done = await room.run("exec >&- 2>&-; sleep 0.2; touch late")
    assert (room.project / "late").exists()
    assert 0.2 < done.elapsed < 2


async def test_bytes_that_are_no_text_are_replaced_and_nothing_else(room: Room):
    done = await room.run(r"printf '\xff\xc3\xa9\n\n\x1b[1mx\r\n  '")
    assert done.output == "\ufffdé\n\n\x1b[1mx\r\n  "


async def test_two_commands_at_once_in_one_project(room: Room):
    room.git("init")
    slow, quick = room.run("sleep 0.4; ls -A; touch .mcp.json"), room.run("true")
    first, _ = await asyncio.gather(slow, quick)
    assert {".harness", ".claude", ".mcp.json"} <= set(first.output.split())
    assert sorted(path.name for path in room.project.iterdir()) == [".git"]


async def test_a_directory_that_is_gone_is_an_error_of_the_set_up(room: Room):
    with pytest.raises(SandboxUnavailable, match="could not be set up"):
        await room.run("true", cwd=room.project / "gone")


async def test_the_check_names_the_sandbox(room: Room):
    assert room.shell().check().startswith("bubblewrap /")
    assert "--no-sandbox" in room.shell(sandboxed=False).check()


def alive(command: str) -> bool:
    """Whether a process with exactly this command line lives on the host."""
    found = subprocess.run(["ps", "-eo", "pid=,stat=,args="], capture_output=True, text=True, check=True).stdout
    lines = [line.split(None, 2) for line in found.splitlines()]
    return any(words[2] == command and "Z" not in words[1] for words in lines if int(words[0]) != os.getpid())
