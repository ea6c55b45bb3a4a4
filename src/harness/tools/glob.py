"""Glob: files by name, the newest first."""

import heapq
import os
import time
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path, PurePosixPath

from pydantic import Field

from harness.effects import Effect, Reads
from harness.errors import ToolError
from harness.paths import resolve, shown
from harness.tools import ripgrep
from harness.tools.access import search_place
from harness.tools.fields import PathText
from harness.tools.input import ToolInput
from harness.tools.tool import Context, Output, Tool

MOST = 100
# What package managers and interpreters fill: newer and far more than the project's own files, which it would hide.
DEPENDENCIES = ("node_modules", ".venv", "venv", "site-packages", "__pycache__", ".tox")


class GlobInput(ToolInput):
    pattern: PathText = Field(description="Glob, such as **/*.py or src/**/test_*.ts")
    path: PathText | None = Field(None, description="Directory to search; the working directory if not given")


def split(args: GlobInput, cwd: Path) -> tuple[Path, str]:
    """The directory to search and the pattern below it: what a pattern begins with may belong to the directory."""
    base = resolve(args.path or ".", cwd)
    parts = list(PurePosixPath(args.pattern).parts)
    if parts[0] != ".." and not args.pattern.startswith(("/", "~")):
        return base, args.pattern.removeprefix("./")
    literal = 0
    while literal < len(parts) - 1 and not any(char in "*?[{" for char in parts[literal]):
        literal += 1
    return resolve(str(PurePosixPath(*parts[:literal])), base), "/".join(parts[literal:])


def effects(args: GlobInput, cwd: Path) -> Sequence[Effect]:
    return (Reads(split(args, cwd)[0]),)


async def call(args: GlobInput, context: Context) -> AsyncGenerator[Output, None]:
    began = time.monotonic()
    base, pattern = split(args, context.cwd)
    where = await search_place(base, context, need_directory=True)
    # A pattern without a slash means the name at any depth; with one it begins at the directory searched.
    glob = f"{ripgrep.escaped(where)}/{pattern}" if "/" in pattern else pattern.replace("!", "\\!", 1)
    command = ["--files", "--null", "--hidden", f"--glob={glob}"]
    # Ignored files are found too, unless the user says otherwise: what Claude Code's Glob does (tools reference).
    if os.environ.get("CLAUDE_CODE_GLOB_NO_IGNORE", "true").lower() not in {"false", "0"}:
        command.append("--no-ignore")
    if not any(name in args.pattern or name in base.parts for name in DEPENDENCIES):
        command += [f"--glob=!{name}" for name in DEPENDENCIES]
    found = await ripgrep.run(command, where, context)
    if found.code == 2 and not found.out:
        raise ToolError(f"The pattern cannot be used: {found.error}", "Globs know *, ?, [abc], {a,b} and **.")
    paths = found.out.split(b"\0")[:-1]
    newest = [Path(path.decode(errors="replace")) for path in heapq.nlargest(MOST, paths, key=_age)]
    names = [shown(base / path.relative_to(where), context.cwd) for path in newest]
    yield Output.text(
        "\n".join([*names, *_notes(args, base, len(paths), found, context)]),
        data={
            "durationMs": round((time.monotonic() - began) * 1000),
            "numFiles": len(names),
            "filenames": names,
            "truncated": len(paths) > MOST or found.cut or found.timed_out,
        },
    )


def _age(path: bytes) -> tuple[int, bytes]:
    try:
        return os.lstat(path).st_mtime_ns, path
    except OSError:  # gone since it was found
        return 0, path


def _notes(args: GlobInput, base: Path, total: int, found: ripgrep.Found, context: Context) -> list[str]:
    notes = []
    if not total:
        notes.append(f"[no file matches {args.pattern} in {shown(base, context.cwd)}]")
    if total > MOST:
        notes.append(f"[the newest {MOST} of {total} files; narrow the pattern or the path to see others]")
    if found.timed_out or found.cut:
        notes.append(f"[the search was ended after {ripgrep.TIMEOUT:.0f} s or too many files: there may be more]")
    return notes


TOOL = Tool(
    name="Glob",
    description=f"Find files by name, also hidden and ignored ones, the newest first, at most {MOST}. "
    "Looks into node_modules, virtual environments and __pycache__ only if the pattern or path names them.",
    input=GlobInput,
    effects=effects,
    call=call,
)
