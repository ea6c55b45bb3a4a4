"""What is piped into `harness -p`: it stands below the prompt, or is the prompt."""

import os
import select
from collections.abc import Iterator
from typing import TextIO

from harness.errors import UsageError
from harness.headless.printing import tell

LIMIT = 10_000_000  # bytes (`conventions.md` 1.1)
PATIENCE = 3.0  # seconds to wait for the first byte of a pipe that may never be written to
IDLE = 600.0  # seconds without a byte of one that was begun


def with_stdin(prompt: str, stdin: TextIO | None) -> str:
    """The prompt with what was piped in below it.

    Raises:
        UsageError: more than 10 MB.
    """
    if stdin is None or stdin.closed or stdin.isatty():
        return prompt
    try:
        fd = stdin.fileno()
        if not select.select([fd], [], [], PATIENCE)[0]:
            tell(f"Warning: nothing came on standard input within {PATIENCE:.0f} s; going on without it.")
            return prompt
        data = b"".join(_chunks(fd))
    except (OSError, ValueError) as error:
        tell(f"Warning: standard input cannot be read ({error}); going on without it.")
        return prompt
    piped = data.decode("utf-8", "replace").strip("\n")
    return f"{prompt}\n\n{piped}" if prompt and piped else prompt or piped


def _chunks(fd: int) -> Iterator[bytes]:
    total, idle = 0, _idle()
    while True:
        if not select.select([fd], [], [], idle)[0]:
            tell(f"Warning: standard input has been silent for {idle:g} s; going on with what came.")
            return
        chunk = os.read(fd, 1 << 16)
        if not chunk:
            return
        total += len(chunk)
        if total > LIMIT:
            raise UsageError(
                "harness -p: standard input is larger than 10 MB.",
                "Save it to a file and name the file in the prompt.",
            )
        yield chunk


def _idle() -> float:
    text = os.environ.get("HARNESS_STDIN_IDLE_MS", "")
    return int(text) / 1000 if text.isascii() and text.isdigit() and int(text) else IDLE
