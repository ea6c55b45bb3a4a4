"""What of a memory file the model reads, and which files it asks for: comments stripped, imports found."""

import re
from collections.abc import Iterator

# A fence opens and closes with the same mark; what is within it is an example, not an instruction to us.
_FENCE = re.compile(r"[ ]{0,3}(`{3,}|~{3,})")
_SPAN = re.compile(r"(`+)(?:(?!\1).|\n)*?\1(?!`)")
_COMMENT = re.compile(r"^[ ]{0,3}<!--.*?-->[ \t]*\n?", re.DOTALL | re.MULTILINE)
_IMPORT = re.compile(r"(?<![\w`@/.])@((?:~/|\.{1,2}/|/)?(?:\\ |[^\s`\"'<>|*?,;])+)")


def stripped(text: str) -> str:
    """Without block comments of HTML, which are for people; those in fenced code stay."""
    return "".join(part if code else _COMMENT.sub("", part) for part, code in _parts(text)).strip()


def imports(text: str) -> Iterator[str]:
    """The paths written `@path` outside of code, in their order."""
    for part, code in _parts(text):
        if code:
            continue
        for match in _IMPORT.finditer(_SPAN.sub(" ", _COMMENT.sub("", part))):
            yield match[1].replace("\\ ", " ").rstrip(".:)!")


def _parts(text: str) -> Iterator[tuple[str, bool]]:
    """The text in pieces, each with whether it is fenced code."""
    piece: list[str] = []
    fence = ""
    for line in text.splitlines(keepends=True):
        mark = _FENCE.match(line)
        if mark and not fence:
            yield "".join(piece), False
            piece, fence = [line], mark[1]
        elif mark and mark[1][0] == fence[0] and len(mark[1]) >= len(fence) and not line.strip(" \t\r\n" + fence[0]):
            yield "".join([*piece, line]), True
            piece, fence = [], ""
        else:
            piece.append(line)
    yield "".join(piece), bool(fence)
