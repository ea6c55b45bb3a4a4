"""Grep: ripgrep over file contents, in pages that stay the same from one call to the next."""

import os
import re
from collections.abc import AsyncGenerator, Callable, Sequence
from pathlib import Path
from typing import Literal

from pydantic import Field

from harness.effects import Effect, Reads
from harness.errors import ToolError
from harness.paths import resolve, shown
from harness.tools import ripgrep
from harness.tools.access import open_text, search_place
from harness.tools.fields import PathText
from harness.tools.input import ToolInput
from harness.tools.tool import Context, FileSeen, Output, Tool

PAGE = 250  # lines or files
PAGE_CHARS = 40_000
LINE_CHARS = 500


class GrepInput(ToolInput):
    pattern: str = Field(min_length=1, description="Regular expression (ripgrep's)")
    path: PathText | None = Field(None, description="File or directory; the working directory if not given")
    glob: str | None = Field(None, description="Only files like this, such as *.py")
    type: str | None = Field(None, description="Only files of this kind, such as py, js, rust")
    output_mode: Literal["files_with_matches", "content", "count"] | None = Field(
        None, description="files_with_matches if not given"
    )
    ignore_case: bool | None = Field(None, alias="-i", description="Ignore case")
    line_numbers: bool | None = Field(None, alias="-n", description="Line numbers in content; on if not given")
    only_matching: bool | None = Field(None, alias="-o", description="Only the matching part of lines")
    after: int | None = Field(None, alias="-A", ge=0, description="Lines after each match")
    before: int | None = Field(None, alias="-B", ge=0, description="Lines before each match")
    around: int | None = Field(None, alias="-C", ge=0, description="Lines before and after")
    context: int | None = Field(None, ge=0, description="Same as -C")
    head_limit: int | None = Field(None, ge=0, description=f"Most lines or files to show ({PAGE}); 0: all")
    offset: int | None = Field(None, ge=0, description="Lines or files to skip")
    multiline: bool | None = Field(None, description="Let matches span lines, and . match line breaks")


Renamer = Callable[[bytes], str]


def effects(args: GrepInput, cwd: Path) -> Sequence[Effect]:
    return (Reads(resolve(args.path or ".", cwd)),)


async def call(args: GrepInput, context: Context) -> AsyncGenerator[Output, None]:
    base = resolve(args.path or ".", context.cwd)
    where = await search_place(base, context)
    found = await ripgrep.run(_options(args, where), where, context)
    if found.code == 2 and not found.out:
        literal = "To find a text as it stands, escape .()[]{}*+?|^$\\" if "regex parse error" in found.error else ""
        raise ToolError(f"ripgrep refuses this search:\n{found.error}", literal)
    if found.timed_out and not found.out:
        raise ToolError(
            f"Nothing found within {ripgrep.TIMEOUT:.0f} s", "Search a smaller path, or fewer files by glob."
        )
    mode = args.output_mode or "files_with_matches"
    renamed = _renamer(base, where, context)
    if mode == "files_with_matches":
        yield _files(args, sorted(found.out.split(b"\0")[:-1]), renamed, found)
    elif mode == "count":
        counted = sorted(re.findall(rb"([^\0]+)\0(\d+)\n", found.out))
        yield _counts(args, [(renamed(path), int(number)) for path, number in counted], found)
    else:
        # Every line begins with its number, so an empty line parts two files.
        blocks = found.out.rstrip(b"\n").split(b"\n\n") if found.out else []
        blocks.sort(key=lambda block: block.partition(b"\0")[0])
        if len(blocks) == 1 and not args.only_matching:
            await _remember(Path(os.fsdecode(blocks[0].partition(b"\0")[0])), context)
        yield _content(args, blocks, renamed, found)


async def _remember(where: Path, context: Context) -> None:
    """Lines of one file count as read for Edit, as they do in Claude Code (tools reference), not for Write."""
    try:
        _, stamp = await open_text(where, context)
    except ToolError:
        return  # gone or binary meanwhile: Edit will say so
    context.seen.setdefault(where, FileSeen(stamp, whole=False))


def _options(args: GrepInput, where: Path) -> list[str]:
    options = ["--hidden", "--no-require-git", "--null", "--with-filename"]
    match args.output_mode or "files_with_matches":
        case "files_with_matches":
            options.append("--files-with-matches")
        case "count":
            options.append("--count")
        case _:
            options += ["--heading", "--line-number", f"--max-columns={LINE_CHARS}", "--max-columns-preview"]
            around = args.around if args.around is not None else args.context
            for flag, value in (("-C", around), ("-A", args.after), ("-B", args.before)):
                options += [f"{flag}{value}"] if value is not None else []
            options += ["--only-matching"] if args.only_matching else []
    options += ["--ignore-case"] if args.ignore_case else []
    options += ["--multiline", "--multiline-dotall"] if args.multiline else []
    options += [f"--type={args.type}"] if args.type else []
    for glob in _globs(args.glob or ""):
        exclude, bare = glob.startswith("!"), glob.removeprefix("!").removeprefix("./")
        anchored = f"{ripgrep.escaped(where)}/{bare}" if "/" in bare and not bare.startswith("**/") else bare
        options.append(f"--glob={'!' * exclude}{anchored}")
    return [*options, f"--regexp={args.pattern}"]


def _globs(text: str) -> list[str]:
    """Several globs may stand in one field, apart by spaces or commas; a comma within braces is the glob's own."""
    return [part for part in re.split(r"\s+|,(?![^{]*\})", text) if part]


def _renamer(base: Path, where: Path, context: Context) -> Renamer:
    """From paths as searched to paths as the model knows them."""
    prefix, name = os.fsencode(where), shown(base, context.cwd)
    if name == ".":
        return lambda path: path[len(prefix) :].lstrip(b"/").decode(errors="replace")
    return lambda path: name + path[len(prefix) :].decode(errors="replace")


def _page(args: GrepInput) -> tuple[int, int]:
    """The first entry to show, and how many at most."""
    limit = PAGE if args.head_limit is None else args.head_limit or 1_000_000_000
    return args.offset or 0, limit


def _files(args: GrepInput, paths: list[bytes], renamed: Renamer, found: ripgrep.Found) -> Output:
    start, limit = _page(args)
    page = _fitting([renamed(path) for path in paths[start : start + limit]])
    said = page + _notes(args, "files", len(page), len(paths), found)
    return Output.text("\n".join(said), data=_data(args, page, "", 0, len(paths)))


def _counts(args: GrepInput, pairs: list[tuple[str, int]], found: ripgrep.Found) -> Output:
    start, limit = _page(args)
    page = pairs[start : start + limit]
    total = sum(number for _, number in pairs)
    lines = _fitting([f"{name}: {number}" for name, number in page])
    said = lines + ([f"[{total} matching lines in {len(pairs)} files]"] if pairs else [])
    said += _notes(args, "files", len(lines), len(pairs), found)
    data = _data(args, [name for name, _ in page], "\n".join(lines), len(lines), total)
    return Output.text("\n".join(said), data=data)


def _content(args: GrepInput, blocks: list[bytes], renamed: Renamer, found: ripgrep.Found) -> Output:
    start, limit = _page(args)
    sizes = [block.count(b"\n") + 1 for block in blocks]
    total, at, room = sum(sizes), 0, PAGE_CHARS
    groups: list[tuple[str, list[str]]] = []
    taken = 0
    for block, size in zip(blocks, sizes, strict=True):
        if at + size > start and taken < limit and room > 0:
            path, _, body = block.partition(b"\0")
            first = max(start - at, 0)
            lines = body.decode(errors="replace").replace("\r\n", "\n").split("\n")[first : first + limit - taken]
            lines = _fitting(lines, room)
            groups.append((renamed(path), lines if args.line_numbers is not False else [_bare(line) for line in lines]))
            taken += len(lines)
            room -= sum(map(len, lines)) if len(lines) == size - first else room
        at += size
    text = "\n\n".join("\n".join([path, *lines]) for path, lines in groups if lines)
    notes = _notes(args, f"lines in {len(blocks)} file{'s' * (len(blocks) != 1)}", taken, total, found)
    said = "\n\n".join(filter(None, [text, "\n".join(notes)]))
    return Output.text(said, data=_data(args, [path for path, _ in groups], text, taken, total))


def _bare(line: str) -> str:
    """A result's line without its number; "--" between two places stays."""
    return re.sub(r"^\d+[:-]", "", line)


def _fitting(lines: list[str], room: int = PAGE_CHARS) -> list[str]:
    for count, line in enumerate(lines):
        room -= len(line) + 1
        if room < 0 and count:
            return lines[:count]
    return lines


def _notes(args: GrepInput, what: str, count: int, total: int, found: ripgrep.Found) -> list[str]:
    """What was left out, and the call that shows it."""
    start, at_least = args.offset or 0, "at least " * (found.cut or found.timed_out)
    notes = []
    if not total:
        notes.append("[no matches]")
    elif not count:
        notes.append(f"[No entries at this offset: {at_least}{total} {what} in all]")
    elif start or start + count < total or at_least:
        rest = f"; go on with offset={start + count}" if start + count < total else ""
        notes.append(f"[{start + 1}-{start + count} of {at_least}{total} {what}{rest}]")
    if found.timed_out:
        notes.append(f"[the search was ended after {ripgrep.TIMEOUT:.0f} s; search a smaller path]")
    return notes


def _data(args: GrepInput, names: list[str], content: str, lines: int, matches: int) -> dict[str, object]:
    data: dict[str, object] = {
        "mode": args.output_mode or "files_with_matches",
        "numFiles": len(names),
        "filenames": names,
        "content": content,
        "numLines": lines,
        "numMatches": matches,
    }
    if args.head_limit is not None:
        data["appliedLimit"] = args.head_limit
    if args.offset:
        data["appliedOffset"] = args.offset
    return data


TOOL = Tool(
    name="Grep",
    description="Search file contents with ripgrep; ignored files are left out. content gives the lines by file.",
    input=GrepInput,
    effects=effects,
    call=call,
)
