"""What the model reads of a command, from a real shell in the real sandbox."""

from contextlib import aclosing

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from harness.effects import Runs
from harness.errors import ToolError
from harness.files import Files
from harness.messages import Text
from harness.sandbox.outcome import Finished
from harness.tools import bash
from harness.tools.access import open_file
from harness.tools.bash import TOOL, BashInput
from harness.tools.tool import Context, Output
from tests.sandbox.room import Room


@pytest.fixture
def room(tmp_path, monkeypatch):
    monkeypatch.setenv("HARNESS_CONFIG_DIR", str(tmp_path / "state"))
    return Room.make(tmp_path)


@pytest.fixture
def context(room):
    made = Context(room.project, Files((room.project,)), room.shell(), room.base / "results")
    yield made
    made.files.close()


async def call(context: Context, command: str, **options) -> Output:
    async with aclosing(TOOL.call(BashInput(command=command, **options), context)) as stream:
        items = [item async for item in stream]
    assert isinstance(items[-1], Output)
    return items[-1]


def text(output: Output) -> str:
    part = output.parts[0]
    assert isinstance(part, Text)
    return part.text


@pytest.mark.parametrize(
    ("command", "expected", "is_error"),
    [
        ("echo hi; echo there >&2", "hi\nthere", False),
        ("true", "(no output)", False),
        ("exit 3", "Exit status 3", True),
        ("grep -q x /dev/null", "Exit status 1 (no match)", False),
        ("cd . && grep x /dev/null", "Exit status 1 (no match)", False),
        ("false && grep x /dev/null", "Exit status 1", True),
        ("diff <(echo a) <(echo a b) >/dev/null", "Exit status 1 (the files differ)", False),
        ("[ -e nothing ]", "Exit status 1 (the condition is false)", False),
        ("false | cat", "Exit status 0; the pipeline's parts: 1 | 0", False),
        ("yes | head -1", "y", False),
        ("kill -SEGV $$", "Exit status 139 (killed by SIGSEGV)", True),
        ("# only a comment", "(no output)", False),
    ],
)
async def test_only_what_applies_is_said(context, command, expected, is_error):
    output = await call(context, command)
    assert (text(output), output.is_error) == (expected, is_error)


async def test_a_long_command_says_how_long(context):
    assert "Took 1." in text(await call(context, "sleep 1.05"))


async def test_a_time_out_says_what_to_do(context):
    output = await call(context, "echo so far; sleep 99 | tail -5", timeout=300)
    said = text(output)
    assert output.is_error
    assert said.startswith("so far\nTimed out after 0.3 s")
    assert all(
        part in said for part in ("Raise `timeout`", "A pipe into tail", "Still running at the time-out: sleep 99")
    )
    assert output.data is not None
    assert (output.data["interrupted"], output.data["timedOutAfterMs"]) == (True, 300)


async def test_a_time_out_in_seconds_is_named(context):
    output = await call(context, "sleep 99", timeout=60)
    assert "`timeout` is in milliseconds: 60 s are 60000." in text(output)
    assert "bwrap" not in text(output)


async def test_a_missing_file_after_cd_names_the_directory(context, room):
    (room.project / "sub").mkdir()
    await call(context, "cd sub")
    with pytest.raises(ToolError, match=f"The working directory is now {room.project}/sub"):
        await open_file(room.project / "sub" / "sub" / "x", context)


async def test_the_directory_is_kept_inside_the_project_and_reset_outside(context, room):
    (room.project / "sub").mkdir()
    output, moved = text(await call(context, "cd sub; pwd")).splitlines()
    assert (output, moved) == (
        f"{room.project}/sub",
        f"Working directory is now {room.project}/sub: relative paths start there",
    )
    assert text(await call(context, "cd /usr")) == f"Shell cwd was reset to {room.project}/sub"
    assert text(await call(context, "pwd")) == f"{room.project}/sub"


async def test_a_link_out_of_the_project_does_not_carry_the_directory_out(context, room):
    (room.project / "out").symlink_to("/usr")
    assert "Shell cwd was reset" in text(await call(context, "cd out"))
    assert context.cwd == room.project


async def test_long_output_is_cut_and_saved(context, room):
    output = await call(context, "seq 100000")
    said = text(output)
    assert len(said) < 31_000
    assert "bytes not shown" in said
    assert output.data is not None
    assert f"Whole output: {output.data['persistedOutputPath']}" in said


@pytest.mark.parametrize(
    ("command", "hint"),
    [
        ("touch /etc/x", "only the project and /tmp can be written"),
        ("git init -q; git config a.b c", ".git/config and .git/hooks are read-only"),
        ("curl -sS http://example.org || getent hosts example.org || exec 3<>/dev/tcp/example.org/80", "no network"),
    ],
)
async def test_what_the_sandbox_refused_is_said_in_words(context, command, hint):
    await call(context, "git init -q")
    assert hint in text(await call(context, command))


async def test_a_failure_of_the_commands_own_gets_no_hint(context):
    assert text(await call(context, "cat nothing; exit 2")).splitlines()[1:] == ["Exit status 2"]


async def test_the_structured_form(context):
    output = await call(context, "echo a; grep -q x /dev/null")
    assert output.data == {
        "stdout": "a\n",
        "stderr": "Exit status 1 (no match)",
        "interrupted": False,
        "isImage": False,
        "returnCodeInterpretation": "no match",
    }


async def test_what_is_not_there_is_answered_with_what_to_do(context):
    with pytest.raises(ToolError) as caught:
        await call(context, "true", run_in_background=True)
    assert caught.value.mend


async def test_outside_the_sandbox_only_as_it_was_decided(context):
    probe, told = "echo ${HARNESS_SANDBOX-out}", "Ran outside the sandbox."
    assert text(await call(context, probe, dangerouslyDisableSandbox=True)) == "1", "asking for it is no yes"
    context.outside = True
    assert text(await call(context, probe)) == f"out\n{told}"


async def test_a_directory_that_is_gone_is_named(context, room):
    (room.project / "sub").mkdir()
    await call(context, "cd sub")
    (room.project / "sub").rmdir()
    with pytest.raises(ToolError, match="sub is gone"):
        await call(context, "true")


@pytest.mark.parametrize(
    ("asked", "environment", "milliseconds"),
    [
        (None, {}, 120_000),
        (5, {}, 5),
        (10**7, {}, 600_000),
        (None, {"BASH_DEFAULT_TIMEOUT_MS": "7"}, 7),
        (10**7, {"BASH_MAX_TIMEOUT_MS": "9"}, 9),
        (None, {"BASH_DEFAULT_TIMEOUT_MS": "soon"}, 120_000),
    ],
)
def test_the_time_limit(monkeypatch, asked, environment, milliseconds):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert bash._milliseconds(asked) == milliseconds


@pytest.mark.parametrize("command", ["", "a\0b", "\ud800"])
def test_what_cannot_be_a_command_is_refused(command):
    with pytest.raises(ValidationError):
        BashInput(command=command)


def test_the_effect_is_the_command_where_it_runs(room):
    args = BashInput(command="x", dangerouslyDisableSandbox=True)
    assert TOOL.effects(args, room.project) == (Runs("x", room.project, unsandboxed=True),)


@given(st.text())
def test_any_command_line_gets_a_meaning_or_none(command):
    done = Finished(exit_code=1, output="", total_bytes=0, elapsed=0)
    assert bash._meaning(command, done) in {None, *bash._ANSWERS.values()}
