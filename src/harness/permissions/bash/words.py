"""Shell words after quote removal: what a program would really be given, as far as that can be known."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

_ANSI = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "e": "\x1b", "E": "\x1b", "f": "\f", "v": "\v"}
_PLAIN = re.compile(r"[\w@%+=:,./^-]+")
_ONE_STRING = re.compile(r'[\w=.-]*"(?:(?!\$\{?@)[^"])*"')
_BRACE = re.compile(r"\{[^{}\s]*(,|\.\.)[^{}\s]*\}")
_PARAMETER = re.compile(r"\$(\w+|[@*#?$!-]|\{\w+\}|\{#\w+\}|\{\w+(:?[-+]|##?|%%?)[\w./*-]*\})\Z")
# Unquoted, these would end a word: meeting one means that grammar and quoting disagree.
_METACHARACTERS = frozenset(" \t\n;&|<>()")
_TEST = re.compile(r"\[\[?\s+(!\s+)?(-[bcdefhknprsuwxzLS]\s+[\w./-]+|[\w./-]+\s+(=|==|!=)\s+[\w./-]+)\s+\]\]?\Z")


@dataclass(frozen=True, slots=True)
class Word:
    """One word. `text` has its quotes removed; expansions stay in it as they were written.

    `loose` says what may change it before the program sees it: variable, substitution, glob, brace, tilde,
    history, arithmetic, complex (an expansion that may execute or assign), unsure (our reading broke off).
    """

    raw: str
    text: str
    loose: frozenset[str] = frozenset()

    @property
    def literal(self) -> bool:
        """Whether `text` is exactly what the program gets."""
        return not self.loose

    @property
    def whole(self) -> bool:
        """Whether it is one word to the program too: what expands stands in double quotes."""
        return not self.loose - {"tilde", "arithmetic"} or bool(_ONE_STRING.fullmatch(self.raw))

    @property
    def canonical(self) -> str:
        """The word as rules see it: without quotes that change nothing, else as written."""
        return self.text if self.literal and _PLAIN.fullmatch(self.text) else self.raw


@dataclass(slots=True)
class _Reader:
    """Quote removal over one word; `expansions` maps where an expansion starts to (its end, its node type)."""

    raw: str
    expansions: Mapping[int, tuple[int, str]]
    out: list[str] = field(default_factory=list)
    loose: set[str] = field(default_factory=set)
    at: int = 0

    def read(self) -> Word:
        while self.at < len(self.raw):
            self._unquoted(self.raw[self.at])
        if _BRACE.search(_unquoted_text(self.raw)):
            self.loose.add("brace")
        return Word(self.raw, "".join(self.out), frozenset(self.loose))

    def _unquoted(self, char: str) -> None:
        if char == "\\":
            self._escape()
        elif char == "'":
            self._single()
        elif self.raw.startswith("$'", self.at):
            self._ansi()
        elif char == '"' or self.raw.startswith('$"', self.at):
            self._double()
        elif not self._expansion():
            self._special(char)
            self._take(char)

    def _special(self, char: str) -> None:
        if char in "*?[":
            self.loose.add("glob")
        elif char == "~" and (self.at == 0 or self.raw[self.at - 1] in "=:"):
            self.loose.add("tilde")
        elif char == "!" and self.raw[self.at + 1 : self.at + 2] not in {"", "="}:
            self.loose.add("history")
        elif char in _METACHARACTERS or char == "`":
            self.loose.add("unsure")

    def _take(self, text: str, width: int | None = None) -> None:
        self.out.append(text)
        self.at += len(text) if width is None else width

    def _escape(self) -> None:
        following = self.raw[self.at + 1 : self.at + 2]
        if not following:
            self.loose.add("unsure")
        self._take("" if following == "\n" else following, 2)

    def _single(self) -> None:
        end = self.raw.find("'", self.at + 1)
        if end < 0:
            self.loose.add("unsure")
            end = len(self.raw)
        self._take(self.raw[self.at + 1 : end], end + 1 - self.at)

    def _double(self) -> None:
        self.at += 2 if self.raw[self.at] == "$" else 1
        while self.at < len(self.raw) and self.raw[self.at] != '"':
            if self.raw[self.at] == "\\" and self.raw[self.at + 1 : self.at + 2] in {"$", "`", '"', "\\", "\n"}:
                self._escape()
            elif not self._expansion():
                if self.raw[self.at] == "`":
                    self.loose.add("unsure")
                self._take(self.raw[self.at])
        if self.at >= len(self.raw):
            self.loose.add("unsure")
        self.at += 1

    def _expansion(self) -> bool:
        """Step over an expansion that the grammar found here; a lone `$` is itself."""
        found = self.expansions.get(self.at)
        if not found:
            if self.raw[self.at] == "$" and re.match(r"[\w{(\[@*#?$!-]", self.raw[self.at + 1 : self.at + 2]):
                self.loose.add("unsure")
            return False
        end, kind = found
        text = self.raw[self.at : end]
        self.loose.add(_expansion_kind(kind, text))
        self._take(text)
        return True

    def _ansi(self) -> None:
        self.at += 2
        while self.at < len(self.raw) and self.raw[self.at] != "'":
            if self.raw[self.at] != "\\":
                self._take(self.raw[self.at])
                continue
            match = re.compile(
                r"\\(x[0-9A-Fa-f]{1,2}|[0-7]{1,3}|u[0-9A-Fa-f]{1,4}|U[0-9A-Fa-f]{1,8}|.)", re.DOTALL
            ).match(self.raw, self.at)
            code = match[1] if match else ""
            self._take(self._ansi_character(code), 1 + len(code))
        if self.at >= len(self.raw):
            self.loose.add("unsure")
        self.at += 1

    def _ansi_character(self, code: str) -> str:
        if code[:1] in {"x", "u", "U"} and len(code) > 1:
            number = int(code[1:], 16)
        elif code[:1].isdigit():
            number = int(code, 8) & 0xFF
        else:
            if code[:1] not in {*_ANSI, "\\", "'", '"', "?"}:
                self.loose.add("unsure")
            return _ANSI.get(code, code)
        if number == 0 or number > 0x10FFFF or 0xD800 <= number < 0xE000:
            self.loose.add("unsure")
            return ""
        return chr(number)


def _expansion_kind(kind: str, text: str) -> str:
    if kind in {"command_substitution", "process_substitution"}:
        return "substitution"
    if kind == "arithmetic_expansion":
        return "arithmetic" if re.fullmatch(r"\$\(\([\d\s+*/%()-]*\)\)", text) else "complex"
    return "variable" if _PARAMETER.match(text) else "complex"


def _unquoted_text(raw: str) -> str:
    """The word with quoted parts blanked out: braces expand only unquoted (quotes inside them may be)."""
    return re.sub(r"\\.|'[^']*'|\"(?:\\.|[^\"\\])*\"|\$\{[^}]*\}", "_", raw, flags=re.DOTALL)


def read_document(text: str, expansions: Mapping[int, tuple[int, str]]) -> Word:
    """A here-document's body: only what its expansions may do is of interest."""
    loose = {_expansion_kind(kind, text[start:end]) for start, (end, kind) in expansions.items()}
    rest, at = "", 0
    for start, (end, _) in sorted(expansions.items()):
        rest, at = rest + text[at:start] + " ", end
    if re.search(r"`|\$[\w({@*#?!-]", re.sub(r"\\.", "", rest + text[at:], flags=re.DOTALL)):
        loose.add("unsure")  # the grammar overlooks some, backticks above all
    return Word("", "", frozenset(loose))


def read_word(raw: str, expansions: Mapping[int, tuple[int, str]] | None = None) -> Word:
    """Remove the quotes of one word. `expansions`: offset in `raw` -> (end offset, grammar's node type)."""
    return _Reader(raw, expansions or {}).read()


def read_test(text: str) -> list[Word]:
    """The words of `[ -f x ]` and the like, if it is of the simplest form."""
    if not _TEST.match(text):
        return []
    opening, *words, closing = text.split()
    return [Word(opening, opening), *map(read_word, words), Word(closing, closing)]
