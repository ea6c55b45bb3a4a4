"""The paths that a command names, whatever it would do with them: what path rules can forbid."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from harness.permissions.bash import files, wrappers
from harness.permissions.bash.programs import READERS
from harness.permissions.bash.readonly import Reading, judge
from harness.permissions.bash.script import Command
from harness.permissions.bash.words import Word
from harness.permissions.paths import Roots

Families = tuple[str, ...]  # of path rules: Read, Edit
_READ: Families = ("Read",)
_WRITE: Families = ("Edit", "Read")
_OWN_FORMS = frozenset({"git", "find"})  # known by functions of their own, not by a table of options


def named_paths(command: Command, roots: Roots) -> Iterator[tuple[Path, Families]]:
    """Paths that can be known, and the families of rules that hold for them."""
    named = [(redirect.target, _WRITE if redirect.writes else _READ) for redirect in command.redirects]
    for words in wrappers.wrapped(command.words)[0]:
        reading = judge(words)
        if isinstance(reading, Reading):
            named += [(word, _READ) for word in reading.paths]
            named += [(Word(piece, piece), _READ) for text in reading.mentions for piece in pieces(text)]
        else:
            named += _operands(words)
    for word, families in named:
        for cwd in command.cwds:
            if word.loose <= {"tilde"} and (path := absolute(word, cwd, roots)) and "\0" not in path:
                yield Path(path), families


def pieces(text: str) -> set[str]:
    """git's `revision:path`: the whole, and the path."""
    return {piece for piece in (text, text.partition(":")[2]) if piece}


def _operands(words: Sequence[Word]) -> Iterator[tuple[Word, Families]]:
    """What a command that we do not know to only read, but know to work on files, may name as files."""
    program = wrappers.base(words[0])
    writes = program in files.WRITERS or program in files.OTHER_WRITERS or program == "sed"
    reads = program in files.OTHER_READERS or program in _OWN_FORMS
    reads = reads or (program in READERS and READERS[program].operands in {"paths", "pattern"})
    for word in words[1:] if reads or writes else ():
        for text in _spellings(word.text):
            if text and not text.startswith("-"):
                yield Word(word.raw, text, word.loose), _WRITE if writes else _READ


def _spellings(text: str) -> set[str]:
    """A path by itself or in an option: `--file=x`, `if=x`, `-f.x`, `-xf./x`, `@x`, `-d@x`."""
    joined = text[:1] == "-" and text[1:2] != "-" and bool(set("./@") & set(text))
    found = {text, text.partition("=")[2], *(text[index:] for index in range(2, 5) if joined)}
    return found | {each[1:] for each in found if each.startswith("@")}


def absolute(word: Word, cwd: Path | None, roots: Roots) -> str | None:
    """A word as an absolute path, `..` not folded; None where it cannot be known."""
    text = word.text
    if word.loose - {"glob", "tilde"}:
        return None
    if "tilde" in word.loose and text.startswith("~"):
        return f"{roots.home}{text[1:]}" if text == "~" or text.startswith("~/") else None
    if text.startswith("/"):
        return text
    return None if cwd is None else f"{cwd}/{text}"
