"""Write: a whole file, new or in place of one that has been read."""

from collections.abc import AsyncGenerator, Sequence
from pathlib import Path

from pydantic import Field

from harness.effects import Effect, Writes
from harness.errors import ToolError
from harness.files import FileError, digest
from harness.paths import resolve, shown
from harness.tools.access import exists, explained, open_text, place
from harness.tools.fields import PathText
from harness.tools.input import ToolInput
from harness.tools.textdiff import structured_patch
from harness.tools.textfile import TextFile, lines_of
from harness.tools.tool import Context, FileSeen, Output, Tool


class WriteInput(ToolInput):
    file_path: PathText = Field(description="File to write; missing directories are made")
    content: str = Field(description="All of the file's text")


def effects(args: WriteInput, cwd: Path) -> Sequence[Effect]:
    return (Writes(resolve(args.file_path, cwd)),)


async def call(args: WriteInput, context: Context) -> AsyncGenerator[Output, None]:
    path = resolve(args.file_path, context.cwd)
    name, where = shown(path, context.cwd), place(path, context)
    before, stamp = await _before(path, where, name, context)
    # What a file is stays: the model was shown its text without encoding, byte-order mark and kind of line ending.
    kind = before or TextFile("")
    text = kind.with_newlines(args.content)
    data = kind.encode(text)
    try:
        context.files.write(path, data, context.decided.get(path), expect=stamp)
    except FileError as error:
        raise await explained(error, context) from error
    context.seen[where] = FileSeen(digest(data), whole=True)
    lines = len(lines_of(text))
    yield Output.text(
        f"{'Wrote' if before else 'Created'} {name} ({lines} line{'s' * (lines != 1)}, {len(data)} bytes).",
        data={
            "type": "create" if before is None else "update",
            "filePath": str(path),
            "content": args.content,
            "structuredPatch": structured_patch(before.text, text) if before else [],
            "originalFile": before.text if before else None,
        },
    )


async def _before(path: Path, where: Path, name: str, context: Context) -> tuple[TextFile | None, bytes | None]:
    """The file to be replaced and its digest, Nones if there is none. Raises ToolError if it has not been read."""
    if not await exists(path, context):
        return None, None
    file, stamp = await open_text(path, context)
    seen = context.seen.get(where)
    if file.text and seen is None:
        raise ToolError(f"{name} exists and has not been read", "Read it first, or change a part of it with Edit.")
    if file.text and seen is not None and seen.digest != stamp:
        raise ToolError(f"{name} has changed since it was read", "Read it again, then write.")
    if file.text and seen is not None and not seen.whole:
        raise ToolError(
            f"Only a part of {name} has been read", "Read the rest first, or change a part of it with Edit."
        )
    return file, stamp


TOOL = Tool(
    name="Write",
    description=(
        "Write a whole file. One that exists must have been read to its end before; to change a part of it use Edit."
    ),
    input=WriteInput,
    effects=effects,
    call=call,
)
