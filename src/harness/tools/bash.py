"""Bash: a command line, run in the session's shell and told as it went."""

import os
import re
import shlex
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, aclosing
from pathlib import Path
from typing import Any

from pydantic import Field, field_validator

from harness.effects import Effect, Runs
from harness.errors import SandboxUnavailable, ToolError
from harness.network.contact import Contact
from harness.paths import within
from harness.sandbox.outcome import Finished, Outlasts, Progress
from harness.tools.input import ToolInput
from harness.tools.tool import Context, Output, Stream, Tool

DEFAULT_MS, MAX_MS = 120_000, 600_000
LONG = 1.0  # seconds from which the duration is worth a line

DESCRIPTION = """\
Runs a bash command line and returns its output (stdout and stderr together), exit status and, where it matters, \
what went wrong.
Each call is a new shell: the working directory is kept, variables and functions are not. There is no terminal and \
stdin is empty: use flags that need no answer. In the sandbox each call has its own /tmp and processes, which end with \
it: start a server with run_in_background, then talk to it on localhost. Long output is cut in the middle and saved \
whole to a file that is named.\
"""

# What exit status 1 means where it is an answer and not a failure.
_ANSWERS = {
    "grep": "no match",
    "egrep": "no match",
    "fgrep": "no match",
    "rg": "no match",
    "git grep": "no match",
    "find": "some directories could not be searched",
    "diff": "the files differ",
    "git diff": "there are differences",
    "test": "the condition is false",
    "[": "the condition is false",
}
_SIGPIPE = 141  # a part whose reader had enough, as in `yes | head`


class BashInput(ToolInput):
    command: str = Field(min_length=1, description="The command line")
    timeout: int | None = Field(
        default=None, ge=1, description=f"Limit in milliseconds (default {DEFAULT_MS}, at most {MAX_MS})"
    )
    description: str | None = Field(default=None, description="What it does, in five to ten words")
    run_in_background: bool = Field(default=False, description="Return at once; output goes to a file, its end is told")
    dangerouslyDisableSandbox: bool = Field(  # noqa: N815  the customary name
        default=False, description="Ask the user to run this outside the sandbox, where only that helps"
    )

    @field_validator("command")
    @classmethod
    def _runnable(cls, command: str) -> str:
        if "\0" in command:
            raise ValueError("a command cannot hold a NUL character")
        try:
            command.encode()
        except UnicodeEncodeError as error:
            raise ValueError("the command holds half of a character (a lone surrogate)") from error
        return command


def effects(args: BashInput, cwd: Path) -> Sequence[Effect]:
    return (Runs(args.command, cwd, args.dangerouslyDisableSandbox),)


async def call(args: BashInput, context: Context) -> Stream:
    if args.run_in_background and context.jobs is None:
        raise ToolError(
            "run_in_background is switched off here.",
            "Run it in the foreground with a `timeout`; start a server with & and use it in the same command.",
        )
    if not context.cwd.is_dir():
        raise ToolError(f"The working directory {context.cwd} is gone.", "Make it again, or ask the user.")
    seconds = 0.0 if args.run_in_background else _milliseconds(args.timeout) / 1000
    async with aclosing(_run(args, context, seconds)) as stream:
        async for item in stream:
            yield _output(args.command, item, context, seconds) if isinstance(item, Finished) else item


async def _run(
    args: BashInput, context: Context, seconds: float
) -> AsyncGenerator[Progress | Contact | Finished | Output, None]:
    """Its stream; where the command outlasts its time, its job goes on with that and we end."""
    jobs, command = context.jobs, args.command
    outlast = jobs is not None and (args.run_in_background or (jobs.outlast and _may_outlast(command, context.cwd)))
    try:
        stream = context.shell.run(command, context.cwd, timeout=seconds, outlast=outlast, outside=context.outside)
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(aclosing(stream))
            async for item in stream:
                if not isinstance(item, Outlasts):
                    yield item
                elif jobs is not None:
                    stack.pop_all()
                    job = jobs.adopt(stream, item, command, args.description or "", context.call_id)
                    yield _moved(item, job.id, seconds)
                    return
    except SandboxUnavailable as error:
        raise ToolError(error.what, error.mend) from error
    except OSError as error:
        raise ToolError(f"The shell could not be started: {error}", "`harness doctor` checks it.") from error


def _may_outlast(command: str, cwd: Path) -> bool:
    """Whether more time may help: not for a mere wait, and not for git, whose locks would stay (`conventions.md` 4)."""
    from harness.permissions.bash.parse import parse  # noqa: PLC0415  loads tree_sitter

    script = parse(command, cwd, Path("~"))
    first = script.commands[0].program if script.commands else "sleep"
    words = (word.text.rpartition("/")[2] for command in script.commands for word in command.words)
    return not script.unreadable and first != "sleep" and "git" not in words


def _moved(so_far: Outlasts, job: str, seconds: float) -> Output:
    """It runs on in the background."""
    told = "You are told when it ends; TaskOutput and TaskStop take the id. It is stopped when the session ends."
    lines = [f"Running in the background as {job}. Output: {so_far.saved}", told]
    if seconds:
        head = f"Command did not complete within its {seconds:g}s timeout and was moved to the background"
        lines = [so_far.output.rstrip("\n"), f"{head} as {job}. Output: {so_far.saved}", told]
        lines += ["Still at work: " + "; ".join(so_far.running)] if so_far.running else []
    text = "\n".join(line for line in lines if line)
    data = {"stdout": so_far.output, "stderr": "", "interrupted": False, "isImage": False, "backgroundTaskId": job}
    if seconds:
        data["timedOutAfterMs"] = round(seconds * 1000)
    return Output.text(text, data={**data, "persistedOutputPath": str(so_far.saved)})


def _milliseconds(asked: int | None) -> int:
    longest = max(_from_environment("BASH_MAX_TIMEOUT_MS", MAX_MS), 1)
    return min(asked or _from_environment("BASH_DEFAULT_TIMEOUT_MS", DEFAULT_MS), longest)


def _from_environment(name: str, default: int) -> int:
    value = os.environ.get(name, "")
    return int(value) if value.isascii() and value.isdigit() and int(value) else default


def _output(command: str, done: Finished, context: Context, seconds: float) -> Output:
    meaning = _meaning(command, done)
    notes = [*_ending(command, done, meaning, seconds), *done.notes]
    if done.saved:
        notes.append(f"Whole output: {done.saved} (Read it with offset and limit, or Grep it)")
    notes += _move(done, context)
    failed = done.timed_out or (done.exit_code != 0 and meaning is None)
    body = done.output.rstrip("\n")
    text = "\n".join(part for part in (body, *notes) if part)
    return Output.text(text or "(no output)", is_error=failed, data=_data(done, notes, meaning, seconds))


def _ending(command: str, done: Finished, meaning: str | None, seconds: float) -> list[str]:
    if done.timed_out:
        lines = [
            f"Timed out after {seconds:g} s and was killed; what it had printed is above. Raise `timeout` (at most "
            f"{_milliseconds(10**9)} ms), run a smaller part, or write to a file in the project and look at it later."
        ]
        if seconds < LONG:
            lines.append(f"`timeout` is in milliseconds: {seconds * 1000:g} s are {seconds * 1_000_000:g}.")
        if re.search(r"\|\s*(tail|sort|wc|uniq -c)\b", command):
            lines.append("A pipe into tail, sort or wc shows nothing before its input ends: leave it out to see more.")
        return lines
    lines = []
    parts = done.pipe_status if len(done.pipe_status) > 1 else ()
    hidden = any(part not in (0, _SIGPIPE) for part in parts[:-1])
    if done.exit_code or hidden:
        line = f"Exit status {done.exit_code}"
        if meaning or done.signal:
            line += f" ({meaning or _killed(done)})"
        if hidden:
            line += f"; the pipeline's parts: {' | '.join(map(str, parts))}"
        lines.append(line)
    if done.elapsed > LONG:
        lines.append(f"Took {done.elapsed:.1f} s")
    return lines


def _killed(done: Finished) -> str:
    return f"killed by {done.signal}" + ("; perhaps out of memory" if done.signal == "SIGKILL" else "")


def _meaning(command: str, done: Finished) -> str | None:
    """What exit status 1 says where the last command's answer is 'no', and no earlier one can have said it."""
    if done.exit_code != 1 or done.timed_out:
        return None
    try:
        lexer = shlex.shlex(command.strip(), posix=True, punctuation_chars=";&|()<>\n")
        lexer.whitespace, lexer.commenters = " \t\r", ""
        words = list(lexer)
    except ValueError:
        return None  # an open quote: bash has said so
    start = max((index + 1 for index, word in enumerate(words) if set(word) <= set(";&|\n")), default=0)
    earlier, last = words[:start], words[start:]
    while last and last[0] == "(":
        last = last[1:]
    if not last or (any(word in ("&&", "||") for word in earlier) and earlier[0] != "cd"):
        return None
    return _ANSWERS.get(" ".join(last[:2])) or _ANSWERS.get(last[0])


def _move(done: Finished, context: Context) -> list[str]:
    """Take over the shell's last directory if it lies in the allowed ones, else say that it was reset."""
    if done.cwd is None or done.cwd == context.cwd:
        return []
    place = Path(os.path.realpath(done.cwd))
    if place.is_dir() and any(within(place, Path(os.path.realpath(root))) for root in context.files.roots):
        context.cwd = place
        return [f"Working directory is now {place}: relative paths start there"]
    return [f"Shell cwd was reset to {context.cwd}"]


def _data(done: Finished, notes: list[str], meaning: str | None, seconds: float) -> dict[str, Any]:
    data: dict[str, Any] = {
        "stdout": done.output,
        "stderr": "\n".join(notes),
        "interrupted": done.timed_out,
        "isImage": False,
    }
    if done.timed_out:
        data["timedOutAfterMs"] = round(seconds * 1000)
    if meaning:
        data["returnCodeInterpretation"] = meaning
    if done.saved:
        data["persistedOutputPath"] = str(done.saved)
    return data


TOOL = Tool(name="Bash", description=DESCRIPTION, input=BashInput, effects=effects, call=call)
