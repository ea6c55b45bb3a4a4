"""The words of bash that surround a command: its limits, its report to us, and how it is handed over.

They are sourced by bash itself (BASH_ENV) before the command, so that the command runs exactly as `bash -c` runs it:
its messages, its last pipeline's states and `exit` are untouched. A command that sets an EXIT trap of its own
replaces ours: then its directory and pipe states are not known.
"""

import os
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from harness.sandbox.launch import memory_file
from harness.sandbox.limits import ulimits

ARGUMENT_LIMIT = 100_000  # bytes; the kernel takes 128 KiB in one argument

_REPORT = """\
printf 'started\\0' >&{report}
trap 'printf "%s\\0" "${{PIPESTATUS[@]}}" "$PWD" >&{report}' EXIT
"""
_PRELUDE = (
    """\
unset BASH_ENV
{closing}{limits}
"""
    + _REPORT
    + "exec {prelude}<&-\n"
)
# Where all is ready it says so and waits. `eval` hides the states of a pipeline from the trap, so a command with a
# pipe in it gets a new bash (1.5 ms), and one that is too long for an argument is read as a file.
_WAITER = (
    """\
unset BASH_ENV
{closing}{limits}
printf 'ready\\0' >&{report}
IFS= read -r -u {go} harness_how || exit
exec {go}<&- {waiter}<&-
case $harness_how in
string) IFS= read -r -d '' BASH_EXECUTION_STRING <&{command}; exec {command}<&-
    BASH_ENV=/dev/fd/{prelude} exec {bash} -c "$BASH_EXECUTION_STRING" bash ;;
file) BASH_ENV=/dev/fd/{prelude} exec {bash} /dev/fd/{command} ;;
esac
IFS= read -r -d '' BASH_EXECUTION_STRING <&{command}
exec {command}<&- {prelude}<&-
unset harness_how
"""
    + _REPORT
)


@dataclass(frozen=True, slots=True)
class Script:
    """What bash is started with, and the descriptors that it needs."""

    argv: list[str]
    env: dict[str, str]
    passed: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Handover:
    """How a waiting bash gets its command."""

    script: Script
    command: int
    go: int

    def give(self, command: str) -> None:
        encoded = os.fsencode(command)
        os.pwrite(self.command, encoded, 0)
        how = b"file" if len(encoded) > ARGUMENT_LIMIT else b"string" if b"|" in encoded else b"eval"
        os.write(self.go, how + b"\n")


def direct(
    bash: Path, command: str, report: int, stack: ExitStack, *, sandboxed: bool, close: Sequence[int] = ()
) -> Script:
    """A bash that runs the command at once. `close`: descriptors that are not the command's."""
    prelude = _file("prelude", b"", stack)
    limits = ulimits(sandboxed=sandboxed)
    text = _PRELUDE.format(closing=_closing(close), limits=limits, report=report, prelude=prelude)
    os.pwrite(prelude, text.encode(), 0)
    env = {"BASH_ENV": f"/dev/fd/{prelude}"}
    encoded = os.fsencode(command)
    if len(encoded) <= ARGUMENT_LIMIT:
        # $0, as messages name it
        return Script([str(bash), "-c", command, "bash"], env, (report, prelude))
    number = _file("command", encoded, stack)
    return Script([str(bash), f"/dev/fd/{number}"], env, (report, prelude, number))


def waiting(bash: Path, report: int, stack: ExitStack, *, close: Sequence[int] = ()) -> Handover:
    """A bash that waits for its command. `close`: descriptors that are not the command's."""
    read, go = os.pipe()
    stack.callback(os.close, read)
    stack.callback(os.close, go)
    prelude, waiter, command = (_file(name, b"", stack) for name in ("prelude", "waiter", "command"))
    limits = ulimits(sandboxed=True)
    again = _PRELUDE.format(closing="", limits=limits, report=report, prelude=prelude)
    os.pwrite(prelude, again.encode(), 0)
    names = {"prelude": prelude, "waiter": waiter, "command": command, "go": read, "report": report, "bash": bash}
    os.pwrite(waiter, _WAITER.format(closing=_closing(close), limits=limits, **names).encode(), 0)
    argv = [str(bash), "-c", 'eval "$BASH_EXECUTION_STRING"', "bash"]
    script = Script(argv, {"BASH_ENV": f"/dev/fd/{waiter}"}, (report, prelude, waiter, command, read))
    return Handover(script, command, go)


class Report:
    """What a bash says about itself: 'started', then at its end the pipe states and the directory.

    A command can write here too: it is read as its own word about itself, and nothing more.
    """

    def __init__(self, stack: ExitStack) -> None:
        self.read, self.write = os.pipe()
        stack.callback(os.close, self.read)
        stack.callback(os.close, self.write)
        os.set_blocking(self.read, False)
        self._data = bytearray()

    def heard(self) -> bytes:
        """All of it so far."""
        try:
            self._data += os.read(self.read, 64 << 10)
        except BlockingIOError:
            pass
        return bytes(self._data)

    def words(self) -> list[str]:
        """Without the word of one that was made ready ahead."""
        words = [os.fsdecode(word) for word in self.heard().removeprefix(b"ready\0").split(b"\0")[:-1]]
        well_formed = all(word.isascii() and word.isdigit() and len(word) < 4 for word in words[1:-1])
        return words if well_formed else words[:1]


def _closing(numbers: Sequence[int]) -> str:
    return "".join(f"exec {number}<&-\n" for number in numbers)


def _file(name: str, content: bytes, stack: ExitStack) -> int:
    number = memory_file(name, content)
    stack.callback(os.close, number)
    return number
