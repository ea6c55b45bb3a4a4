"""Text as files hold it: encoding, byte-order mark and line endings are found once and kept when it is changed."""

import codecs
from dataclasses import dataclass

from harness.errors import ToolError

SNIFF = 8192  # bytes looked at to tell text from data

# UTF-32's little-endian mark begins with UTF-16's: the longer ones come first.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)

# What a file is by its first bytes, and a command that shows it.
_MAGIC = (
    (b"%PDF-", "a PDF document", "pdftotext FILE -"),
    (b"PK\x03\x04", "a zip archive (zip, jar, whl, docx)", "unzip -l FILE"),
    (b"\x1f\x8b", "gzip data", "zcat FILE | head"),
    (b"BZh", "bzip2 data", "bzcat FILE | head"),
    (b"\xfd7zXZ\0", "xz data", "xzcat FILE | head"),
    (b"(\xb5/\xfd", "zstd data", "zstdcat FILE | head"),
    (b"\x7fELF", "an ELF program or library", "file FILE"),
    (b"MZ\x90\0", "a Windows program", "file FILE"),
    (b"\xcf\xfa\xed\xfe", "a Mach-O program", "file FILE"),
    (b"\0asm", "WebAssembly", "file FILE"),
    (b"SQLite format 3\0", "an SQLite database", "sqlite3 FILE .schema"),
    (b"\x89PNG\r\n\x1a\n", "a PNG image", "file FILE"),
    (b"\xff\xd8\xff", "a JPEG image", "file FILE"),
    (b"GIF8", "a GIF image", "file FILE"),
)


@dataclass(frozen=True, slots=True)
class TextFile:
    """`text` has the file's own line endings; `newline` is the one it uses most."""

    text: str
    encoding: str = "utf-8"
    mark: bytes = b""
    newline: str = "\n"

    def encode(self, text: str) -> bytes:
        """The file's bytes with this text. Raises ToolError for what its encoding cannot hold."""
        try:
            return self.mark + text.encode(self.encoding)
        except UnicodeEncodeError as error:
            raise ToolError(
                f"The file is {self.name}, which has no {text[error.start]!r}",
                "Leave that character out, or convert the file first: iconv -f latin1 -t utf-8 F > F.new && mv F.new F",
            ) from error

    @property
    def name(self) -> str:
        return {"latin-1": "Latin-1"}.get(self.encoding, self.encoding.upper())

    def with_newlines(self, text: str) -> str:
        """`text` with this file's line endings."""
        return text if self.newline == "\n" else text.replace("\r\n", "\n").replace("\n", self.newline)


def binary_kind(head: bytes) -> tuple[str, str] | None:
    """What a file is that is no text, and a command that shows it; None for text. `head`: its first `SNIFF` bytes."""
    for magic, kind, command in _MAGIC:
        if head.startswith(magic):
            return kind, command
    if b"\0" in head and not any(head.startswith(mark) for mark, _ in _MARKS):
        return "binary data", "xxd FILE | head"
    return None


def decode(data: bytes) -> TextFile:
    """The text of a file that is not binary: by its mark, else UTF-8, else Latin-1, which loses no byte."""
    mark, encoding = next(((mark, name) for mark, name in _MARKS if data.startswith(mark)), (b"", "utf-8"))
    try:
        text = data[len(mark) :].decode(encoding)
    except UnicodeDecodeError:
        mark, encoding, text = b"", "latin-1", data.decode("latin-1")
    crlf = text.count("\r\n")
    return TextFile(text, encoding, mark, "\r\n" if crlf > text.count("\n") - crlf else "\n")


def lines_of(text: str) -> list[str]:
    """Lines as editors and grep count them, without their endings; a final newline begins no further line."""
    lines = text.split("\n")
    if not lines[-1]:
        lines.pop()
    return [line.removesuffix("\r") for line in lines]


def numbered(lines: list[str], start: int) -> str:
    """Lines with their numbers, right-aligned and closed by a tab: the number is not part of the line."""
    return "\n".join(f"{number:>6}\t{line}" for number, line in enumerate(lines, start))
