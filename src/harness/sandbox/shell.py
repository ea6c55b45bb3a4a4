"""The Bash tool's shell: a new bash for each command, in the sandbox of the moment's policy."""

import dataclasses
import itertools
import os
import signal
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AsyncExitStack, aclosing
from pathlib import Path

from harness.errors import SandboxUnavailable
from harness.sandbox import probe, process, programs
from harness.sandbox.hints import hints
from harness.sandbox.launch import Launcher, Unsandboxed, memory_file
from harness.sandbox.limits import ulimits
from harness.sandbox.outcome import Finished, Progress
from harness.sandbox.policy import Policy

SUCCESS_LIMIT, FAILURE_LIMIT = 30_000, 10_000  # characters of output that the model reads
ARGUMENT_LIMIT = 100_000  # bytes; the kernel takes 128 KiB in one argument

# Sourced by bash itself (BASH_ENV) before the command, so that the command runs exactly as `bash -c` runs it:
# its messages, its last pipeline's states and `exit` are untouched. A command that sets an EXIT trap of its own
# replaces ours: then its directory and pipe states are not known.
_PRELUDE = """\
unset BASH_ENV
{limits}
printf 'started\\0' >&{report}
trap 'printf "%s\\0" "${{PIPESTATUS[@]}}" "$PWD" >&{report}' EXIT
exec {prelude}<&-
"""


class SandboxShell:
    """Runs commands for one session.

    `policy` is asked before each command, since the mode can change. `results` is the directory for output that
    is too long to be sent. `sandboxed=False` is the user's `--no-sandbox`. `secret_env`: patterns of more
    variables that no command may see unsandboxed (the settings' key variable).
    """

    def __init__(
        self,
        policy: Callable[[], Policy],
        results: Path,
        *,
        sandboxed: bool = True,
        secret_env: Sequence[str] = (),
    ) -> None:
        self._policy = policy
        self._results = results
        self._plain = None if sandboxed else Unsandboxed(tuple(secret_env))
        self._numbers = itertools.count(1)
        self._said_user = False

    def check(self) -> str:
        """One line about the sandbox that commands get. Raises SandboxUnavailable."""
        return "none (--no-sandbox)" if self._plain else probe.describe(self._policy())

    async def run(self, command: str, cwd: Path, *, timeout: float) -> AsyncGenerator[Progress | Finished, None]:
        """Yield live output and at last one `Finished`; closing or cancelling kills everything first.

        `timeout` is in seconds. Raises SandboxUnavailable where no sandbox can be had, and OSError where `cwd`
        is gone or the shell cannot be started.
        """
        policy = self._policy()
        launcher: Launcher = self._plain or probe.launcher(policy)
        bash = programs.find("bash", (policy.project, *policy.write))
        async with AsyncExitStack() as stack:
            report, write = os.pipe()
            stack.callback(os.close, report)
            os.set_blocking(report, False)
            passed = [write]
            stack.callback(_close, passed)
            argv, environment = self._argv(bash, command, passed)
            policy = dataclasses.replace(policy, env={**policy.env, **environment})
            launch = stack.enter_context(launcher.open(policy, argv, cwd, passed))
            saved = self._results / f"bash-{os.getpid()}-{next(self._numbers)}.txt"
            stream = await stack.enter_async_context(aclosing(process.run(launch, saved, timeout=timeout)))
            async for item in stream:
                if isinstance(item, Progress):
                    yield item
                else:
                    yield self._finish(item, _read_report(report), launch.user, policy)

    def _argv(self, bash: Path, command: str, passed: list[int]) -> tuple[list[str], dict[str, str]]:
        report = passed[0]
        limits = ulimits(sandboxed=self._plain is None)
        prelude = memory_file("prelude", b"")
        passed.append(prelude)
        os.write(prelude, _PRELUDE.format(limits=limits, report=report, prelude=prelude).encode())
        environment = {"BASH_ENV": f"/dev/fd/{prelude}"}
        encoded = os.fsencode(command)
        if len(encoded) <= ARGUMENT_LIMIT:
            return [str(bash), "-c", command, "bash"], environment  # $0, as messages name it
        passed.append(memory_file("command", encoded))
        return [str(bash), f"/dev/fd/{passed[-1]}"], environment

    def _finish(self, ran: process.Ran, report: list[str], user: tuple[int, int] | None, policy: Policy) -> Finished:
        code = 128 - ran.status if ran.status < 0 else ran.status
        if not report and not ran.timed_out and not ran.flooded and not self._plain:
            # bwrap failed before the shell began: nothing of the command has run.
            raise SandboxUnavailable(
                f"The sandbox could not be set up: {ran.capture.text(FAILURE_LIMIT)[0].strip()}",
                "`harness doctor` checks the sandbox; paths that were removed meanwhile are a common cause.",
            )
        output, saved = ran.capture.text(FAILURE_LIMIT if code or ran.timed_out else SUCCESS_LIMIT)
        notes = []
        if ran.flooded:
            notes.append("Killed: it printed more than 5 GiB. Print less, or write to a file.")
        if ran.running:
            notes.append("Still running at the time-out: " + "; ".join(ran.running))
        if user and not self._said_user:
            self._said_user = True
            notes.append(f"Commands run as uid {user[0]}, the project's owner, not as root.")
        if code and not self._plain:
            notes += hints(output, policy)
        *states, cwd = report[1:] or [""]
        return Finished(
            exit_code=code,
            output=output,
            total_bytes=ran.capture.total,
            elapsed=ran.elapsed,
            timed_out=ran.timed_out,
            saved=saved,
            cwd=Path(cwd) if cwd else None,
            pipe_status=tuple(int(state) for state in states),
            notes=tuple(notes),
            signal=_signal_name(code),
        )


def _close(descriptors: Sequence[int]) -> None:
    for number in descriptors:
        os.close(number)


def _read_report(descriptor: int) -> list[str]:
    """What the prelude wrote: 'started', then at the shell's end the pipe states and the directory.

    A command can write here too: it is read as its own word about itself, and nothing more.
    """
    try:
        data = os.read(descriptor, 64 << 10)
    except BlockingIOError:
        return []
    words = [os.fsdecode(word) for word in data.split(b"\0")[:-1]]
    well_formed = all(word.isascii() and word.isdigit() and len(word) < 4 for word in words[1:-1])
    return words if well_formed else words[:1]


def _signal_name(code: int) -> str | None:
    try:
        return signal.Signals(code - 128).name if code > 128 else None
    except ValueError:
        return None
