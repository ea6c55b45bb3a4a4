"""What ends a command when we are killed, where no namespace dies with us: a process beside it that notices.

It holds the end of a pipe whose other end is ours alone; when that closes without a word, we are gone, and it kills
the command's group and every process that carries its mark. With the word it only ends.
"""

import contextlib
import os
import subprocess

from harness.sandbox import reaper

_SHELL = "/bin/sh"
_WATCH = f"""\
read leader || exit
read word && exit
kill -9 -- "-$leader"
for found in $(grep -lsz "^{reaper.MARK}=$0\\$" /proc/[0-9]*/environ); do
    found=${{found%/environ}}
    kill -9 "${{found#/proc/}}"
done
"""


class Leash:
    """`mark` is the value of `reaper.MARK` in the command's environment."""

    def __init__(self, mark: str) -> None:
        read, self._ours = os.pipe()
        try:
            self._process = subprocess.Popen(
                [_SHELL, "-c", _WATCH, mark],
                stdin=read,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
                env={"PATH": os.defpath},
            )
        except OSError:
            os.close(self._ours)
            raise
        finally:
            os.close(read)

    def hold(self, leader: int) -> None:
        """The command has been started, with this process as the leader of its group."""
        with contextlib.suppress(BrokenPipeError):
            os.write(self._ours, b"%d\n" % leader)

    def close(self) -> None:
        """It has ended, and all that it started."""
        with contextlib.suppress(BrokenPipeError):
            os.write(self._ours, b"ended\n")
        os.close(self._ours)
        self._process.wait()
