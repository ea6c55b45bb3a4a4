"""A reader of near-JSON: what models write when they mean JSON. It never guesses where something ends.

Read beyond JSON: raw newlines and unknown escapes in strings, single quotes, Python's True, False, None and
tuples, trailing commas. Refused: a string, list or object that is not closed. So a text that was cut off
never becomes a value, except by `spare`, for a caller who knows that the text is whole.
"""

import json
import math
import re
import sys
from typing import Any

from harness.providers.patterns import Lazy

_MAX_DEPTH = 100


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


_STRICT = json.JSONDecoder(strict=False, parse_constant=_refuse)
_SPACE = Lazy(r"\s*")
_ATOM = Lazy(r"[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?|[A-Za-z_]\w*")
_STRING = {q: Lazy(rf"{q}([^{q}\\]*+(?:\\.[^{q}\\]*+)*+){q}", re.DOTALL) for q in "\"'"}
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|U(00[01][0-9a-fA-F]{5})|(.))", re.DOTALL)
_PAIR = re.compile("[\ud800-\udbff][\udc00-\udfff]")
_ESCAPED = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "\n": ""}
_NAMES = {"true": True, "false": False, "null": None, "True": True, "False": False, "None": None}
_CLOSER = {"{": "}", "[": "]", "(": ")"}


class Unreadable(ValueError):
    """Not near-JSON; `position` is where reading stopped, in characters."""

    def __init__(self, what: str, position: int) -> None:
        super().__init__(f"{what} at character {position}")
        self.position = position


def read(text: str, start: int = 0, *, spare: int = 0) -> tuple[Any, int]:
    """Read one value from `start` on; return it and where it ends.

    `spare` closing brackets may be missing at the end of the text: for a caller who saw the closing tag.

    Raises:
        Unreadable: what stands there is no value, or is not closed.
    """
    try:
        return _STRICT.raw_decode(text, skip(text, start))
    except (ValueError, RecursionError):
        pass  # what is no JSON is read slowly
    reader = _Reader(text, spare)
    value = reader.value(start, 0)
    return value, reader.position


def read_or_text(text: str) -> Any:
    """The one value that `text` is, else the text itself."""
    try:
        value, end = read(text)
    except Unreadable:
        return text
    return text if text[end:].strip() else value


def skip(text: str, at: int) -> int:
    """Where the next character that is no space stands."""
    match = _SPACE.match(text, at)
    return match.end() if match else at


def unescape(body: str) -> str:
    """The text that a string body stands for; an unknown escape such as `\\d` stays as it is written."""
    if "\\" not in body:
        return body
    joined = _ESCAPE.sub(_unescaped, body)
    return _PAIR.sub(_joined_pair, joined)


def _unescaped(match: re.Match[str]) -> str:
    code = match[1] or match[2] or match[3]
    if code:
        return chr(min(int(code, 16), sys.maxunicode))
    char = match[4]
    if char in _ESCAPED:
        return _ESCAPED[char]
    return char if char in "\"'\\/" else "\\" + char


def _joined_pair(match: re.Match[str]) -> str:
    return match[0].encode("utf-16", "surrogatepass").decode("utf-16")


class _Reader:
    def __init__(self, text: str, spare: int) -> None:
        self.text = text
        self.spare = spare
        self.position = 0

    def value(self, start: int, depth: int) -> Any:
        if depth > _MAX_DEPTH:
            raise Unreadable("nested too deep", start)
        at = skip(self.text, start)
        char = self.text[at : at + 1]
        if char in _STRING and char:
            return self._string(at)
        if char == "{":
            return self._object(at + 1, depth)
        if char and char in "[(":
            return self._list(at + 1, _CLOSER[char], depth)
        return self._atom(at)

    def _string(self, at: int) -> str:
        match = _STRING[self.text[at]].match(self.text, at)
        if match is None:
            raise Unreadable("a string that is not closed", at)
        self.position = match.end()
        return unescape(match[1])

    def _atom(self, at: int) -> Any:
        match = _ATOM.match(self.text, at)
        if match is None:
            raise Unreadable("no value", at)
        self.position = match.end()
        word = match[0]
        if word in _NAMES:
            return _NAMES[word]
        if word[0].isalpha() or word[0] == "_":
            raise Unreadable(f"the bare word {word[:40]!r}", at)
        number = float(word)
        if not math.isfinite(number):
            raise Unreadable("a number too large", at)
        return number if re.search("[.eE]", word) else int(word)

    def _object(self, at: int, depth: int) -> dict[str, Any]:
        result: dict[str, Any] = {}
        while not self._closed(at, "}"):
            key = self.value(self.position, depth + 1)
            if not isinstance(key, str):
                raise Unreadable("a key that is no string", self.position)
            self._expect(":")
            result[key] = self.value(self.position, depth + 1)
            at = self._comma("}")
        return result

    def _list(self, at: int, closer: str, depth: int) -> list[Any]:
        result: list[Any] = []
        while not self._closed(at, closer):
            result.append(self.value(self.position, depth + 1))
            at = self._comma(closer)
        return result

    def _closed(self, at: int, closer: str) -> bool:
        """Whether `closer` stands at `at`, after space; leaves `position` behind it, or at what stands there."""
        self.position = skip(self.text, at)
        if self.text.startswith(closer, self.position):
            self.position += 1
            return True
        if self.position == len(self.text) and self.spare:
            self.spare -= 1
            return True
        return False

    def _expect(self, char: str) -> None:
        at = skip(self.text, self.position)
        if not self.text.startswith(char, at):
            raise Unreadable(f"{char!r} expected", at)
        self.position = at + 1

    def _comma(self, closer: str) -> int:
        """After an item: step over the comma, or stay before the closer. Returns where to go on."""
        at = skip(self.text, self.position)
        if self.text.startswith(",", at):
            return at + 1
        if self.text.startswith(closer, at) or (at == len(self.text) and self.spare):
            return at
        raise Unreadable(f"',' or {closer!r} expected", at)
