"""The Bash tool's shell: a new bash for each command, in the sandbox of the moment's policy."""

import dataclasses
import itertools
import os
import signal
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import ExitStack, aclosing
from pathlib import Path

from harness.errors import HarnessError, SandboxUnavailable
from harness.network.contact import Contact
from harness.network.gate import Gate
from harness.sandbox import aftermath, prelude, probe, process, programs, ready
from harness.sandbox.guard import Guard
from harness.sandbox.hints import hints
from harness.sandbox.launch import Bwrap, Launcher, Unsandboxed
from harness.sandbox.loopback import Loopbacks
from harness.sandbox.outcome import Finished, Outlasts, Progress
from harness.sandbox.policy import Policy
from harness.sandbox.ready import Ready, Run
from harness.sandbox.restore import Memory
from harness.sandbox.way import ProxyWay

SUCCESS_LIMIT, FAILURE_LIMIT = 30_000, 10_000  # characters of output that the model reads


class SandboxShell:
    """Runs commands for one session.

    `policy` is asked before each command, since the mode can change. `results` is the directory for output that
    is too long to be sent. `sandboxed=False` is the user's `--no-sandbox`. `secret_env`: patterns of more
    variables that no command may see unsandboxed (the settings' key variable). `gate`: what commands may reach
    under a policy whose network is `proxy`.
    """

    def __init__(
        self,
        policy: Callable[[], Policy],
        results: Path,
        *,
        sandboxed: bool = True,
        secret_env: Sequence[str] = (),
        gate: Gate | None = None,
    ) -> None:
        self._policy = policy
        self._results, self._gate = results, gate
        self._plain = None if sandboxed else Unsandboxed(tuple(secret_env))
        self._outside = self._plain or Unsandboxed(tuple(secret_env), single=True)
        self._numbers = itertools.count(1)
        self._said_user = self._asked = False
        self._ready: Ready | None = None
        self._ahead, self._over = False, ExitStack()
        self._running = 0  # commands, those in the background included
        self._memory, self._loopbacks = Memory(), Loopbacks()

    def check(self) -> str:
        """One line about the sandbox that commands get. Raises SandboxUnavailable."""
        policy = self._policy()
        return "none (--no-sandbox)" if self._plain and policy.level != "external" else probe.describe(policy)

    def prepare(self, cwd: Path) -> None:
        """Start the sandbox of the next command, while the model thinks. Nothing happens before the first command:
        it may be the only one. What goes wrong here, the command itself will say.

        From the first call on, what a command leaves is cleared away by the next call, or by `discard`: the kernel
        takes its time over a namespace, and the next sandbox needs the same placeholders.
        """
        self._ahead = True
        if self._plain or self._ready or not self._asked or self._running:  # what runs may change what it stands on
            return
        try:
            policy = self._policy()
            launcher = probe.launcher(policy)
            # A throw-away overlay must not be older than what lies below it; a way to the network is a command's own.
            if isinstance(launcher, Bwrap) and not policy.project_readonly and policy.network != "proxy":
                self._ready = ready.make(launcher, policy, cwd, self._loopbacks.of(launcher, policy))
        except (OSError, HarnessError):
            pass
        self._over.close()

    def discard(self) -> None:
        """End what was made ready: something has changed that it might not know of, or the session is over."""
        waiting, self._ready = self._ready, None
        if waiting:
            waiting.close()
        self._over.close()

    async def run(
        self, command: str, cwd: Path, *, timeout: float, outlast: bool = False, outside: bool = False
    ) -> AsyncGenerator[Progress | Contact | Outlasts | Finished, None]:
        """Yield live output and at last one `Finished`; closing or cancelling kills everything first.

        `timeout` is in seconds; with `outlast` it is told by an `Outlasts` and kills nothing. `outside`: this one
        runs outside the sandbox, by the user's word. Raises SandboxUnavailable where no sandbox can be had, and OSError
        where `cwd` is gone or the shell cannot be started.
        """
        self._asked = True
        policy = self._policy()
        with ExitStack() as counted, ExitStack() as stack:
            self._running += 1
            counted.callback(self._ended)
            plain = self._outside if outside else self._plain
            if outside:  # it may rightly change what is protected, and must not meet placeholders
                self.discard()
                self._memory = Memory()
            ready = None if outside else await self._begin_ready(command, policy, cwd, stack)
            run = ready or self._begin(command, policy, cwd, stack, plain)
            made = run.launch.made
            if made:
                self._memory.take(made.disk.protection.read_only)
            lasted = False
            saved = self._results / f"bash-{os.getpid()}-{next(self._numbers)}.txt"
            following = process.follow(
                run.process, run.launch, saved, timeout=timeout, watch=run.guard, outlast=outlast
            )
            async with aclosing(following) as stream:
                async for item in stream:
                    if not isinstance(item, process.Ran):
                        yield item
                    elif item.outlasts:
                        lasted = True
                        yield Outlasts(item.capture.text(SUCCESS_LIMIT)[0], saved, item.elapsed, item.running)
                    else:
                        finished = self._finish(command, item, run, policy, plain)
                        # Before the last word: who has read it finds nothing of ours in the project.
                        self._over.push(stack.pop_all())
                        if not self._ahead or lasted:  # of a job nobody may come after
                            self._over.close()
                        yield finished

    def _ended(self) -> None:
        self._running -= 1

    async def _begin_ready(self, command: str, policy: Policy, cwd: Path, stack: ExitStack) -> Run | None:
        waiting, self._ready = self._ready, None
        if waiting is None:
            return None
        closing = stack.enter_context(ExitStack())
        closing.callback(waiting.close)
        run = await waiting.begin(command, policy, cwd)
        if run is None:
            closing.close()
        return run

    def _begin(self, command: str, policy: Policy, cwd: Path, stack: ExitStack, plain: Unsandboxed | None) -> Run:
        launcher: Launcher = plain or probe.launcher(policy)
        bash = programs.find("bash", (policy.project, *policy.write))
        report = prelude.Report(stack)
        shared = self._loopbacks.of(launcher, policy)
        script = prelude.direct(
            bash, command, report.write, stack, sandboxed=plain is None, close=shared.descriptors if shared else ()
        )
        proxied = self._gate if policy.network == "proxy" and not plain else None
        way = stack.enter_context(ProxyWay(proxied)) if proxied else None
        told = dataclasses.replace(policy, env={**policy.env, **script.env, **(way.environment if way else {})})
        launch = stack.enter_context(launcher.open(told, script.argv, cwd, script.passed))
        launch = shared.launch(launch) if shared else launch
        launch = way.launch(launch) if way else launch
        guard = Guard(launch.made.mounts, report) if launch.made else None
        if guard:
            stack.callback(guard.close)
        return Run(launch, process.start(launch, stack), report, guard)

    def _finish(self, command: str, ran: process.Ran, run: Run, policy: Policy, plain: Unsandboxed | None) -> Finished:
        code = 128 - ran.status if ran.status < 0 else ran.status
        report, user = run.report.words(), run.launch.user
        if not report and not ran.timed_out and not ran.flooded and not plain:
            # bwrap failed before the shell began: nothing of the command has run.
            raise SandboxUnavailable(
                f"The sandbox could not be set up: {ran.capture.text(FAILURE_LIMIT)[0].strip()}",
                "`harness doctor` checks the sandbox; paths that were removed meanwhile are a common cause.",
            )
        output, saved = ran.capture.text(FAILURE_LIMIT if code or ran.timed_out else SUCCESS_LIMIT)
        notes = ["Ran outside the sandbox."] if plain and plain.single else []
        if ran.flooded:
            notes.append("Killed: it printed more than 5 GiB. Print less, or write to a file.")
        if ran.running:
            notes.append("Still running at the time-out: " + "; ".join(ran.running))
        if user and not self._said_user:
            self._said_user = True
            notes.append(f"Commands run as uid {user[0]}, the project's owner, not as root.")
        if run.launch.made:
            notes += aftermath.notes(run.launch.made, run.guard, self._memory, run.changes)
        if run.launch.way:
            notes += run.launch.way.notes
        if code and not plain:
            notes += hints(output, policy, command, shared=self._loopbacks.reached(run.launch))
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


def _signal_name(code: int) -> str | None:
    try:
        return signal.Signals(code - 128).name if code > 128 else None
    except ValueError:
        return None
