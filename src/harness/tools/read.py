"""Read: a page of a text file with line numbers, or an image."""

import base64
import os
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path

from anyio import to_thread
from pydantic import Field

from harness.effects import Effect, Reads
from harness.errors import ToolError
from harness.files import digest
from harness.messages import Image, Text
from harness.paths import resolve, shown
from harness.tools.access import open_file, place, refuse_binary
from harness.tools.fields import PathText
from harness.tools.input import ToolInput
from harness.tools.textfile import SNIFF, decode, lines_of, numbered
from harness.tools.tool import Context, FileSeen, Output, Tool

PAGE_LINES = 2000
LINE_CHARS = 2000
PAGE_CHARS = 50_000  # about 12,500 tokens
WHOLE_BYTES = 32 * 1024 * 1024  # larger files are streamed, and only as far as the page's end
IMAGE_BYTES = 5 * 1024 * 1024
INLINE_BYTES = 1024 * 1024  # larger files are read in a thread

_IMAGES = ((b"\x89PNG\r\n\x1a\n", "image/png"), (b"\xff\xd8\xff", "image/jpeg"), (b"GIF8", "image/gif"))


class ReadInput(ToolInput):
    file_path: PathText = Field(description="File, absolute or relative to the working directory")
    offset: int | None = Field(None, ge=0, description="First line, from 1")
    limit: int | None = Field(None, ge=1, description="Number of lines")


@dataclass(frozen=True, slots=True)
class Page:
    """`total` is None where the file is too large for its lines to be counted. `digest`: of the whole file."""

    lines: list[str]
    start: int
    total: int | None
    more: bool
    digest: bytes | None
    notes: tuple[str, ...] = ()


def effects(args: ReadInput, cwd: Path) -> Sequence[Effect]:
    return (Reads(resolve(args.file_path, cwd)),)


async def call(args: ReadInput, context: Context) -> AsyncGenerator[Output, None]:
    path = resolve(args.file_path, context.cwd)
    name = shown(path, context.cwd)
    with await open_file(path, context) as file:
        size = os.fstat(file.fileno()).st_size
        head = file.read(SNIFF)
        if media_type := _image_type(head):
            yield _image(path, name, media_type, head + file.read(IMAGE_BYTES + 1))
            return
        refuse_binary(head, name)
        if size <= INLINE_BYTES:
            page = _page(file, head, size, args)
        else:
            page = await to_thread.run_sync(_page, file, head, size, args)
    _remember(place(path, context), page, context)
    yield _text(path, name, page, size)


def _page(file: BufferedReader, head: bytes, size: int, args: ReadInput) -> Page:
    start, limit = max(args.offset or 1, 1), args.limit or PAGE_LINES
    if size > WHOLE_BYTES:
        file.seek(0)
        return _page_of_huge(file, start, limit)
    data = head + file.read(WHOLE_BYTES)  # bounded, also for a file that grows meanwhile
    found = decode(data)
    lines = lines_of(found.text)
    kept, notes = _fitting(lines[start - 1 : start - 1 + limit])
    if found.encoding == "latin-1":
        notes += ("not UTF-8: shown as Latin-1; edits keep its bytes",)
    elif found.encoding != "utf-8":
        notes += (f"encoded as {found.name}; edits keep it",)
    return Page(kept, start, len(lines), start - 1 + len(kept) < len(lines), digest(data), notes)


def _page_of_huge(file: BufferedReader, start: int, limit: int) -> Page:
    lines: list[str] = []
    number, more, room = 0, False, PAGE_CHARS
    while piece := file.readline(LINE_CHARS * 4):
        number += 1
        more = number >= start + limit or room < 0
        if more:
            break
        if number >= start:
            lines.append(piece.rstrip(b"\r\n").decode(errors="replace"))
            room -= len(piece)
        while piece and not piece.endswith(b"\n"):  # the rest of a long line
            piece = file.readline(1 << 20)
    kept, notes = _fitting(lines)
    total = None if more or len(kept) < len(lines) else number
    return Page(kept, start, total, total is None, None, notes)


def _fitting(lines: list[str]) -> tuple[list[str], tuple[str, ...]]:
    """As many lines as a result may hold, over-long ones cut."""
    kept: list[str] = []
    cut, room = 0, _room()
    for line in lines:
        over = len(line) - LINE_CHARS
        shown_line = f"{line[:LINE_CHARS]}… [{over} more characters]" if over > 0 else line
        room -= len(shown_line) + 1
        if room < 0 and kept:
            break
        cut += over > 0
        kept.append(shown_line)
    return kept, ((f"{cut} long line{'s' * (cut > 1)} cut at {LINE_CHARS} characters",) if cut else ())


def _room() -> int:
    """The most characters of a page; the variable is in tokens (conventions of Claude Code's Read)."""
    tokens = os.environ.get("CLAUDE_CODE_FILE_READ_MAX_OUTPUT_TOKENS", "")
    return int(tokens) * 4 if tokens.isdecimal() and int(tokens) else PAGE_CHARS


def _text(path: Path, name: str, page: Page, size: int) -> Output:
    end = page.start + len(page.lines) - 1
    notes = list(page.notes)
    if page.total == 0:
        notes.append(f"{name} is empty")
    elif not page.lines:
        notes.append(f"{name} has {page.total} lines; offset={page.start} is past its end")
    elif page.more:
        whole = f"{page.total}" if page.total else f"more, in a file of {size / 2**20:.0f} MB"
        rest = f"{page.total - end} more lines" if page.total else "More lines"
        notes.insert(0, f"PARTIAL view: lines {page.start}-{end} of {whole}. {rest}: Read offset={end + 1}")
    parts = [numbered(page.lines, page.start)] if page.lines else []
    data = {
        "type": "text",
        "file": {
            "filePath": str(path),
            "content": "\n".join(page.lines),
            "numLines": len(page.lines),
            "startLine": page.start,
            "totalLines": page.total if page.total is not None else end,
        },
    }
    return Output.text("\n".join([*parts, *(f"[{note}]" for note in notes)]), data=data)


def _remember(where: Path, page: Page, context: Context) -> None:
    """Keep what has been seen: pages read one after the other make up the whole."""
    if page.digest is None or page.total is None:
        return
    before = context.seen.get(where)
    upto = before.upto if before and before.digest == page.digest else 0
    if page.start <= upto + 1 and not any("cut at" in note for note in page.notes):
        upto = max(upto, page.start - 1 + len(page.lines))
    context.seen[where] = FileSeen(page.digest, whole=upto >= page.total, upto=upto)


def _image_type(head: bytes) -> str | None:
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    return next((kind for magic, kind in _IMAGES if head.startswith(magic)), None)


def _image(path: Path, name: str, media_type: str, data: bytes) -> Output:
    if len(data) > IMAGE_BYTES:
        raise ToolError(f"{name} is an image of more than {IMAGE_BYTES >> 20} MB", "Make a smaller copy of it first.")
    note = Text(f"[{name}: {media_type}, {len(data)} bytes]")
    about = {"filePath": str(path), "type": media_type, "originalSize": len(data)}
    picture = Image(media_type, base64.b64encode(data).decode())
    return Output((note, picture), display=note.text, data={"type": "image", "file": about})


TOOL = Tool(
    name="Read",
    description=(
        f"Read a file. Each line comes as its number, a tab, and the line itself. Up to {PAGE_LINES} lines from the "
        "start, or those asked for by offset and limit. PNG, JPEG, GIF and WebP files come as images."
    ),
    input=ReadInput,
    effects=effects,
    call=call,
)
