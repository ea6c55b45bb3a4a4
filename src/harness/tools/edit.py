"""Edit: one exact, unique text of a file replaced by another; near misses are mended, others explained."""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import Field

from harness.effects import Effect, Writes
from harness.errors import ToolError
from harness.files import FileError, digest
from harness.paths import resolve, shown
from harness.tools.access import exists, explained, open_text, place
from harness.tools.fields import PathText
from harness.tools.input import ToolInput
from harness.tools.lookalike import NOTES, Reading, find, replacement
from harness.tools.textdiff import changed_region, nearest, structured_patch
from harness.tools.textfile import TextFile
from harness.tools.tool import Context, FileSeen, Output, Tool


class EditInput(ToolInput):
    file_path: PathText = Field(description="File to change")
    old_string: str = Field(description="Text to replace, without line numbers. Empty: create the file")
    new_string: str = Field(description="Text to put there")
    replace_all: bool | None = Field(None, description="Replace every occurrence")


@dataclass(frozen=True, slots=True)
class Edited:
    """`text` after the change, how many places were changed, and by which reading they were found."""

    text: str
    count: int
    reading: Reading = "exact"


def effects(args: EditInput, cwd: Path) -> Sequence[Effect]:
    return (Writes(resolve(args.file_path, cwd)),)


async def call(args: EditInput, context: Context) -> AsyncGenerator[Output, None]:
    path = resolve(args.file_path, context.cwd)
    name, where = shown(path, context.cwd), place(path, context)
    if args.old_string == args.new_string:
        raise ToolError("old_string and new_string are the same", "Nothing to change; go on.")
    if not args.old_string and not await exists(path, context):
        yield await _create(args, path, context)
        return
    file, stamp = await open_text(path, context)
    seen = context.seen.get(where)
    if seen is None:
        raise ToolError(f"{name} has not been read", "Read the part to change first, then edit.")
    edited = _once(args, file, stamp, name, context)
    stale = seen.digest != stamp
    if stale and NOTES[edited.reading]:
        raise ToolError(f"{name} has changed since it was read, and old_string is not exactly in it", "Read it again.")
    data = file.encode(edited.text)
    await _write(path, data, stamp, context)
    context.seen[where] = FileSeen(digest(data), seen.whole and not stale, 0 if stale else seen.upto)
    yield _done(args, path, name, file.text, edited, stale=stale)


def _once(args: EditInput, file: TextFile, stamp: bytes, name: str, context: Context) -> Edited:
    """The edit, refused where the same one failed before on the same bytes."""
    key = digest(repr((name, args, stamp)).encode()).hex()
    if evidence := context.failed_edits.get(key):
        raise ToolError(f"This very edit has failed before and {name} has not changed since", evidence)
    try:
        return edit(file, args.old_string, args.new_string, all_places=bool(args.replace_all), name=name)
    except ToolError as error:
        context.failed_edits[key] = str(error)
        raise


def edit(file: TextFile, old: str, new: str, *, all_places: bool, name: str = "the file") -> Edited:
    """`file.text` with `old` replaced. Pure. Raises ToolError that shows what is there instead."""
    if not old:
        if file.text:
            raise ToolError(f"{name} exists and is not empty", "Give the text to replace, or use Write for all of it.")
        return Edited(file.with_newlines(new), 1)
    text = file.text
    reading, spans = find(text, old)
    unended = not spans and old.endswith("\n") and not text.endswith("\n")
    if unended:  # the last line, given with a newline that the file does not have
        text += "\n"
        reading, spans = find(text, old)
    if not spans:
        raise _miss(file.text, old, new, name)
    if len(spans) > 1 and not all_places:
        lines = [text.count("\n", 0, span.start) + 1 for span in spans]
        many = ", ".join(map(str, lines[:20])) + (", …" if len(lines) > 20 else "")
        raise ToolError(
            f"old_string is in {name} {len(spans)} times, at lines {many}",
            "Add lines around it that tell the places apart, or set replace_all.",
        )
    pieces, at = [], 0
    for span in spans:
        put = replacement(text[span.start : span.end], old, new, reading, _newline_at(text, span.end, file.newline))
        if put is None:
            raise _miss(file.text, old, new, name)
        pieces += [text[at : span.start], put]
        at = span.end
    result = "".join([*pieces, text[at:]])
    return Edited(result.removesuffix("\n") if unended else result, len(spans), reading)


def _newline_at(text: str, at: int, usual: str) -> str:
    """The line ending in use at a place, so that a file with mixed ones stays as it is around it."""
    end = text.find("\n", max(at - 1, 0))
    if end <= 0 or end == len(text) - 1:
        return usual
    return "\r\n" if text[end - 1] == "\r" else "\n"


def _miss(text: str, old: str, new: str, name: str) -> ToolError:
    mends = []
    if all(line.lstrip()[:1].isdigit() and "\t" in line for line in old.splitlines()):
        mends.append("Leave out the line numbers that Read puts before each line.")
    if new and len(find(text, new)[1]) == 1:
        line = text.count("\n", 0, find(text, new)[1][0].start) + 1
        mends.append(f"new_string is there already, at line {line}: the change may have been made before.")
    mends.append(nearest(text, old) or "Nothing in the file is like it; Read or Grep it to find the place.")
    return ToolError(f"old_string is not in {name}", "\n".join(mends))


async def _create(args: EditInput, path: Path, context: Context) -> Output:
    data = TextFile("").encode(args.new_string)
    await _write(path, data, None, context)
    context.seen[place(path, context)] = FileSeen(digest(data), whole=True)
    name = shown(path, context.cwd)
    return Output.text(f"Created {name} ({len(data)} bytes).", data=_data(args, path, "", args.new_string))


async def _write(path: Path, data: bytes, expect: bytes | None, context: Context) -> None:
    try:
        context.files.write(path, data, context.decided.get(path), expect=expect)
    except FileError as error:
        raise await explained(error, context) from error


def _done(args: EditInput, path: Path, name: str, before: str, edited: Edited, *, stale: bool) -> Output:
    count = f" in {edited.count} places" if edited.count > 1 else ""
    notes = []
    if what := NOTES[edited.reading]:
        notes.append(f"[old_string differed from the file in {what}; only the matched lines were changed]")
    if stale:
        notes.append("[the file had changed since it was read; Read it again before relying on the rest]")
    region = changed_region(before, edited.text)
    said = "\n".join(
        [f"Edited {name}{count}:" if region else f"Edited {name}{count}.", *filter(None, [region]), *notes]
    )
    return Output.text(said, data=_data(args, path, before, edited.text))


def _data(args: EditInput, path: Path, before: str, after: str) -> dict[str, object]:
    return {
        "filePath": str(path),
        "oldString": args.old_string,
        "newString": args.new_string,
        "originalFile": before,
        "structuredPatch": structured_patch(before, after),
        "userModified": False,
        "replaceAll": bool(args.replace_all),
    }


TOOL = Tool(
    name="Edit",
    description=(
        "Replace a text in a file that you have read. old_string must be in it exactly once: copy it from Read "
        "with enough lines around it, or set replace_all."
    ),
    input=EditInput,
    effects=effects,
    call=call,
)
