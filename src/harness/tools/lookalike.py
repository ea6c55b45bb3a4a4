"""Where a text stands in a file: exactly, or unambiguously but for whitespace and characters that look alike.

Looser readings are tried one after the other. Each makes simpler texts of both sides, keeping for every simple
character the place it came from, so that a match is a span of the real text and nothing outside it is touched.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Literal

LOOSE_CHARS = 2_000_000  # files above this are matched exactly only

_LIKE = str.maketrans(
    {
        **dict.fromkeys("\u2018\u2019\u201a\u201b\u2032\u00b4`", "'"),
        **dict.fromkeys("\u201c\u201d\u201e\u201f\u2033", '"'),
        **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212", "-"),
        **dict.fromkeys("\u00a0\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B))), " "),
    }
)

Reading = Literal["exact", "newlines", "characters", "spacing"]
NOTES: dict[Reading, str] = {
    "exact": "",
    "newlines": "",  # the model is shown every line ending as \n: nothing to tell
    "characters": "look-alike characters (quotes, dashes, spaces) or trailing spaces",
    "spacing": "indentation or spacing",
}


@dataclass(frozen=True, slots=True)
class Span:
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Simple:
    """A simplified text, and for each of its characters the span it stands for."""

    text: str
    starts: list[int]
    ends: list[int]


def find(text: str, old: str) -> tuple[Reading, list[Span]]:
    """All places of `old` by the strictest reading that finds any; ("exact", []) if none does."""
    # The model is shown \n for \r\n: its line breaks are to be read as either.
    as_is = "\n" not in old or "\r\n" in old or "\r\n" not in text
    if as_is and (spans := [Span(at, at + len(old)) for at in _places(text, old)]):
        return "exact", spans
    if len(text) <= LOOSE_CHARS:
        readings: tuple[Reading, ...] = ("newlines", "characters", "spacing")
        for reading in readings:
            if spans := _spans(text, old, reading):
                return reading, spans
    return "exact", []


def simple_line(line: str) -> str:
    """A line by the loosest reading."""
    return " ".join(line.translate(_LIKE).split())


def _places(text: str, part: str) -> list[int]:
    return [found.start() for found in re.finditer(re.escape(part), text)]


def _simplify(text: str, reading: Reading) -> Simple:
    chars: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    at = 0
    for line in text.split("\n"):
        body = line.removesuffix("\r") if reading == "newlines" else line.rstrip()
        if reading == "spacing":
            for word in re.finditer(r"\S+", body):
                if chars and chars[-1] != "\n":
                    chars.append(" ")
                    starts.append(ends[-1])
                    ends.append(at + word.start())
                chars.extend(word[0].translate(_LIKE))
                starts.extend(range(at + word.start(), at + word.end()))
                ends.extend(range(at + word.start() + 1, at + word.end() + 1))
        else:
            chars.extend(body if reading == "newlines" else body.translate(_LIKE))
            starts.extend(range(at, at + len(body)))
            ends.extend(range(at + 1, at + len(body) + 1))
        chars.append("\n")
        starts.append(at + len(body))
        at += len(line) + 1
        ends.append(at)
    del chars[-1], starts[-1], ends[-1]  # the last line of a split has no newline
    return Simple("".join(chars), starts, ends)


def _spans(text: str, old: str, reading: Reading) -> list[Span]:
    simple, part = _simplify(text, reading), _simplify(old, reading).text
    if reading != "newlines" and not part.strip():
        return []
    indented = old[:1].isspace() and reading == "spacing"
    spans = []
    for at in _places(simple.text, part):
        end = at + len(part)
        if reading == "spacing" and not (
            _borders(simple.text, at, line_start=indented) and _borders(simple.text, end, line_start=False)
        ):
            continue
        start = simple.starts[at]
        if indented:  # the old text has the line's indentation, so the span has it too
            start = text.rfind("\n", 0, start) + 1
        spans.append(Span(start, simple.ends[end - 1]))
    return spans


def _borders(text: str, at: int, *, line_start: bool) -> bool:
    """Whether a match may begin or end here: not within a word."""
    if at in {0, len(text)} or text[at - 1] == "\n":
        return True
    return not line_start and not (_in_word(text[at - 1]) and _in_word(text[at]))


def _in_word(char: str) -> bool:
    return char.isalnum() or char == "_"


def replacement(span: str, old: str, new: str, reading: Reading, newline: str) -> str | None:
    """What takes the place of `span`, which `old` matched by `reading`: lines that old and new have in common stay
    as they are in the file, others are the new ones with the file's line ending and indentation.

    None where the indentation of old and file do not go together, so that the new lines' cannot be told.
    """
    if reading == "exact":
        # Without a line break in the old text nothing tells the file's line ending but its surroundings.
        return new if "\n" in old or "\r\n" in new else new.replace("\n", newline)
    old_lines, new_lines = _bodies(old), _bodies(new)
    there = span.split("\n")
    indent = _indenter(old_lines, there) if reading == "spacing" else _same
    if indent is None:
        return None
    result: list[tuple[str, str]] = []
    for kind, a, b, c, d in SequenceMatcher(None, old_lines, new_lines, autojunk=False).get_opcodes():
        if kind == "equal":
            for line, is_last in zip(there[a:b], [False] * (b - a - 1) + [b == len(there)], strict=True):
                body = line.removesuffix("\r")
                ending = newline if is_last else "\r\n" if line != body else "\n"
                result.append((body, ending))
        else:
            first = _same if c == 0 and not _leading(old_lines[0]) else indent
            result += [((first if c + i == 0 else indent)(line), newline) for i, line in enumerate(new_lines[c:d])]
    bodies = [body + ending for body, ending in result]
    return "".join(bodies).removesuffix(result[-1][1]) if result else ""


def _bodies(text: str) -> list[str]:
    return [line.removesuffix("\r") for line in text.split("\n")]


def _leading(line: str) -> str:
    return line[: len(line) - len(line.lstrip())]


def _same(line: str) -> str:
    return line


def _indenter(old: Sequence[str], there: Sequence[str]) -> Callable[[str], str] | None:
    """How a line indented as in `old` is indented in the file: shifted, or in other units."""
    first = 0 if _leading(old[0]) else 1  # else the span begins after the first line's indentation
    pairs = {
        (_leading(mine), _leading(theirs))
        for mine, theirs in zip(old[first:], there[first:], strict=True)
        if mine.strip()
    }
    if all(mine == theirs for mine, theirs in pairs):
        return _same
    return _shift(pairs) or _scale(pairs)


def _shift(pairs: set[tuple[str, str]]) -> Callable[[str], str] | None:
    mine, theirs = next(iter(pairs))
    if theirs.endswith(mine):
        added = theirs.removesuffix(mine)
        if all(b == added + a for a, b in pairs):
            return lambda line: added + line if line.strip() else ""
    elif mine.endswith(theirs):
        taken = mine.removesuffix(theirs)
        if all(a == taken + b for a, b in pairs):
            return lambda line: line.removeprefix(taken)
    return None


def _scale(pairs: set[tuple[str, str]]) -> Callable[[str], str] | None:
    mine, theirs = max(pairs, key=lambda pair: len(pair[0]))
    if not mine or not theirs or len({*"".join(a for a, _ in pairs)}) > 1 or len({*"".join(b for _, b in pairs)}) > 1:
        return None
    if any(len(b) * len(mine) != len(a) * len(theirs) for a, b in pairs):
        return None

    def scaled(line: str) -> str:
        depth = round(len(_leading(line)) * len(theirs) / len(mine)) if line.strip() else 0
        return theirs[0] * depth + line.lstrip()

    return scaled
