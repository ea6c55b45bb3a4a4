"""Wildcard matching without regular expressions, so that no pattern can take more than linear steps."""

from functools import lru_cache


@lru_cache(maxsize=4096)
def _pieces(pattern: str) -> tuple[str, ...]:
    """The literal pieces between stars; `\\*` is a star that stands for itself."""
    pieces, current, index = [], "", 0
    while index < len(pattern):
        char = pattern[index]
        if char == "\\" and pattern[index + 1 : index + 2] in {"*", "\\"}:
            current += pattern[index + 1]
            index += 1
        elif char == "*":
            pieces.append(current)
            current = ""
        else:
            current += char
        index += 1
    return (*pieces, current)


def glob_match(pattern: str, text: str) -> bool:
    """Whether `text` is matched whole; `*` stands for any characters, blanks and newlines included."""
    first, *middle = _pieces(pattern)
    if not middle:
        return text == first
    last = middle.pop()
    if not text.startswith(first) or not text.endswith(last) or len(text) < len(first) + len(last):
        return False
    position, end = len(first), len(text) - len(last)
    for piece in middle:
        found = text.find(piece, position, end)
        if found < 0:
            return False
        position = found + len(piece)
    return True


def escape(text: str) -> str:
    """A pattern that matches exactly `text`."""
    return text.replace("\\", "\\\\").replace("*", "\\*")


def command_match(pattern: str, text: str) -> bool:
    """A Bash rule's pattern against one command: a trailing ` *` or `:*` also matches the command alone."""
    if pattern.endswith(":*"):
        pattern = pattern[:-2] + " *"
    if pattern.endswith(" *") and glob_match(pattern[:-2], text):
        return True
    return glob_match(pattern, text)
