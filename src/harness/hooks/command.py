"""A hook that is a command line: the event's input on its stdin, its answer by exit status and stdout.

What a project's files name runs in the sandbox, as the model's own commands do; the person's own hooks run with the
person's rights, and find no program in places that those commands can write. Neither gets a key in its environment,
and neither has a terminal.
"""

import dataclasses
import json
import re
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import anyio
from anyio.abc import ByteReceiveStream, ByteSendStream, Process

from harness import codec
from harness.errors import SandboxUnavailable
from harness.hooks.handler import HookFailed, Json, Ran, Run
from harness.hooks.verdict import LIMIT, plain, read, refusal
from harness.permissions import Roots
from harness.sandbox import probe, reaper
from harness.sandbox.launch import Launcher, Unsandboxed
from harness.sandbox.policy import Policy

OUTPUT_CAP = 1 << 20  # bytes that are kept of each stream; the rest is read and dropped
LAST_WORDS = 0.5  # seconds for output that is still on its way when the command has ended
BLOCK = 2  # the exit status that refuses
_VARIABLE = re.compile(r"\$\{(\w+)\}")


@dataclasses.dataclass(frozen=True, slots=True)
class Place:
    """Where a session's commands run. `policy` is asked at each run: the mode may have changed. `roots` are what the
    paths of an `if` are anchored at. `confine`: whether those of a project's files are sandboxed."""

    project: Path
    policy: Callable[[], Policy]
    session_id: Callable[[], str]
    roots: Callable[[], Roots]
    confine: bool = True

    @property
    def variables(self) -> dict[str, str]:
        return {
            "CLAUDE_PROJECT_DIR": str(self.project),
            "HARNESS_PROJECT_DIR": str(self.project),
            "CLAUDE_CODE_SESSION_ID": self.session_id(),
            "CLAUDECODE": "1",
        }


def command(event: str, written: Mapping[str, Any], place: Place, *, confined: bool) -> Run:
    """The runner of a `command` handler as settings write it."""

    async def run(given: Json, _call_id: str | None) -> Ran:
        status, out, err = await _run(_argv(written, place), codec.line(given).encode(), place, confined=confined)
        return _read(event, status, out, err)

    return run


def _argv(written: Mapping[str, Any], place: Place) -> list[str]:
    """With `args` the program itself, else a command line of `/bin/sh`."""
    known = place.variables
    line, args = str(written["command"]), written.get("args")
    if isinstance(args, list):
        words = [line, *map(str, args)]
        return [_VARIABLE.sub(lambda found: known.get(found[1], found[0]), word) for word in words]
    return ["/bin/sh", "-c", line]


def _read(event: str, status: int, out: str, err: str) -> Ran:
    shown, said = out[:LIMIT], err[:LIMIT]
    if status == BLOCK:
        return Ran(refusal(event, err), shown, said, status)
    given = _object(out)
    if given is not None and (status == 0 or _decides(given)):
        return Ran(read(event, given), shown, said, status)
    if status:
        raise HookFailed(f"it ended with status {status}: {(err or out).strip()[:500] or 'without a word'}")
    return Ran(plain(event, out), shown, said, status)


def _object(text: str) -> Json | None:
    if not text.lstrip().startswith("{"):
        return None
    try:
        given = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise HookFailed(f"its output begins like JSON and is none: {error}") from None
    return given if isinstance(given, dict) else None


def _decides(given: Json) -> bool:
    return any(key in given for key in ("decision", "continue", "hookSpecificOutput"))


async def _run(argv: list[str], given: bytes, place: Place, *, confined: bool) -> tuple[int, str, str]:
    policy = place.policy()
    policy = dataclasses.replace(policy, env={**policy.env, **place.variables})
    with ExitStack() as stack:
        try:
            launcher: Launcher = probe.launcher(policy) if confined and place.confine else Unsandboxed(single=True)
            launch = stack.enter_context(launcher.open(policy, argv, place.project))
            options = {key: value for key, value in launch.start.items() if value is not None}
            with anyio.CancelScope(shield=True):  # half started, what it starts itself would be nobody's to end
                process = await anyio.open_process(launch.argv, start_new_session=True, **options)
        except SandboxUnavailable as error:
            raise HookFailed(str(error).replace("\n", " ")) from error
        except OSError as error:
            raise HookFailed(f"it could not be started: {error.strerror}") from error
        try:
            return await _talk(process, given)
        finally:
            reaper.kill(process.pid, launch.mark)
            with anyio.CancelScope(shield=True):
                await process.aclose()


async def _talk(process: Process, given: bytes) -> tuple[int, str, str]:
    kept = bytearray(), bytearray()
    ended = anyio.Event(), anyio.Event()
    async with anyio.create_task_group() as tasks:
        for stream, into, end in zip((process.stdout, process.stderr), kept, ended, strict=True):
            tasks.start_soon(_drain, stream, into, end)
        tasks.start_soon(_feed, process.stdin, given)
        status = await process.wait()
        # A child that it left behind may keep the pipes open: what was said soon after its end is its answer.
        with anyio.move_on_after(LAST_WORDS):
            for end in ended:
                await end.wait()
        tasks.cancel_scope.cancel()
    out, err = (bytes(data).decode("utf-8", "replace") for data in kept)
    return status, out, err


async def _drain(stream: ByteReceiveStream | None, into: bytearray, end: anyio.Event) -> None:
    try:
        if stream:
            async for chunk in stream:
                into += chunk[: OUTPUT_CAP - len(into)]
    finally:
        end.set()


async def _feed(stream: ByteSendStream | None, given: bytes) -> None:
    if stream is None:
        return
    try:
        await stream.send(given)
        await stream.aclose()
    except (anyio.BrokenResourceError, anyio.ClosedResourceError, OSError):
        pass  # it does not read its input, which is its own affair
