"""Opening files for tools: at the place that was decided on, with errors in the model's own paths."""

import difflib
import os
from collections.abc import Callable
from io import BufferedReader
from pathlib import Path

from harness.errors import ToolError
from harness.files import FileError, digest
from harness.paths import shown
from harness.tools import ripgrep
from harness.tools.textfile import SNIFF, TextFile, binary_kind, decode
from harness.tools.tool import Context

EDITABLE = 32 * 1024 * 1024  # bytes: what is read, compared and rewritten in memory


def place(path: Path, context: Context) -> Path:
    """Where `path` leads: as decided on, else as it is now."""
    return context.decided.get(path) or context.files.real(path)


async def open_file(path: Path, context: Context) -> BufferedReader:
    """A reader of a regular file. Raises ToolError; for a missing file it names the nearest ones."""
    try:
        return context.files.open_read(path, context.decided.get(path))
    except FileError as error:
        raise await explained(error, context) from error


async def open_text(path: Path, context: Context) -> tuple[TextFile, bytes]:
    """A text file that may be changed, and the digest of its bytes. Raises ToolError."""
    with await open_file(path, context) as file:
        data = file.read(EDITABLE + 1)
    name = shown(path, context.cwd)
    if len(data) > EDITABLE:
        raise ToolError(f"{name} is larger than {EDITABLE >> 20} MB", "Change it with a command in Bash (sed, python).")
    refuse_binary(data[:SNIFF], name)
    return decode(data), digest(data)


def refuse_binary(head: bytes, name: str) -> None:
    if found := binary_kind(head):
        kind, command = found
        raise ToolError(f"{name} is {kind}, not text", f"Look at it with Bash: {command.replace('FILE', name)}")


async def explained(error: FileError, context: Context) -> ToolError:
    """The error in the words of the call: its path as shown, and what is near."""
    name = shown(error.path, context.cwd)
    mend = error.mend
    if error.kind == "directory" and error.path.name == ".mcp.json":
        mend = "The sandbox keeps its place empty while commands run: stop those in the background before you write it."
        return ToolError(f"{name} does not exist", mend)
    if error.kind == "directory":
        mend = f"{_listing(error.path, context)}Use Glob to find files below it."
    elif error.kind == "missing":
        near = await _near(error.path, context)
        mend = f"Did you mean {' or '.join(near)}?" if near else "Find it with Glob."
        if context.cwd != context.files.roots[0]:  # a `cd` may be long ago
            mend = f"The working directory is now {context.cwd}. {mend}"
    return ToolError(f"{name} {error.why}" if error.kind != "moved" else f"{name}: {error.why}", mend)


def is_hidden(context: Context) -> Callable[[Path], bool]:
    """Whether a path must not show up."""
    if not (globs := context.hidden()):
        return lambda _: False
    from pathspec import GitIgnoreSpec  # noqa: PLC0415  most sessions hide nothing

    spec = GitIgnoreSpec.from_lines(globs)
    return lambda path: spec.match_file(str(path).lstrip("/"))


def _listing(path: Path, context: Context) -> str:
    try:
        names = context.files.names(path, context.decided.get(path))
    except FileError:
        return ""
    hidden = is_hidden(context)
    names = [os.fsencode(name).decode(errors="replace") for name in names if not hidden(place(path, context) / name)]
    more = f" and {len(names) - 40} more" if len(names) > 40 else ""
    return f"It holds: {', '.join(names[:40])}{more}.\n" if names else "It is empty.\n"


async def _near(path: Path, context: Context) -> list[str]:
    """Up to three existing files like a missing one: of the same name elsewhere, or a like name in its place."""
    root = next((root for root in context.files.roots if root in path.parents), None)
    if root is None:
        return []
    found = await ripgrep.run(["--files", "--hidden"], root, context, timeout=2.0, limit=4 << 20)
    by_name: dict[str, list[str]] = {}
    for line in found.out.decode(errors="replace").splitlines():
        by_name.setdefault(Path(line).name, []).append(line)
    names = [path.name] if path.name in by_name else difflib.get_close_matches(path.name, by_name, 3, 0.75)
    real_root = context.files.real(root)
    wanted = str(real_root / path.relative_to(root))
    paths = [at for name in names for at in by_name[name]]
    paths.sort(key=lambda at: -difflib.SequenceMatcher(None, wanted, at).quick_ratio())
    return [shown(root / Path(at).relative_to(real_root), context.cwd) for at in paths[:3]]


async def search_place(path: Path, context: Context, *, need_directory: bool = False) -> Path:
    """The real place of a file or directory to search. Raises ToolError, the nearest names in it."""
    try:
        where = context.files.searchable(path, context.decided.get(path))
    except FileError as error:
        raise await explained(error, context) from error
    if need_directory and not where.is_dir():
        raise ToolError(f"{shown(path, context.cwd)} is not a directory", "Give the directory to search as path.")
    return where


async def exists(path: Path, context: Context) -> bool:
    try:
        context.files.searchable(path, context.decided.get(path))
    except FileError as error:
        if error.kind == "missing":
            return False
        raise await explained(error, context) from error
    return True
