"""Command-line options against an allow list: exact names only, no abbreviations, nothing guessed."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property


@dataclass(frozen=True)
class Spec:
    """The options of one program that only read.

    `flags`: one-letter options, a letter followed by `:` takes a value, by `?` only one in the same word: were
    that confused, the next word, an option that writes, would pass for a value. `long`: names without dashes, `=`
    after a name for one that needs a value, `?` for one that may have one, in the same word. `digits`: `-5` is an
    option. `attached`: whether a value may stand behind its letter, as for getopt.
    `operands`: what the others are. `free`: no option at all can write or run anything, so a glob that expands
    to an option does no harm. `deep`: flags that make it read whole trees (`*`: always).
    """

    flags: str = ""
    long: str = ""
    operands: str = "paths"  # paths | pattern (then paths) | text | none
    free: bool = False
    digits: bool = False
    attached: bool = True
    deep: str = ""
    implicit: bool = False  # without operands it reads the current directory
    most: int = 1_000_000  # operands

    @cached_property
    def letters(self) -> dict[str, str]:
        """One-letter options, and whether each takes a value: `:` yes, `?` in the same word, '' no."""
        return dict(re.findall("(.)([:?]?)", self.flags))

    @cached_property
    def names(self) -> dict[str, str]:
        return {name.rstrip("=?"): name[len(name.rstrip("=?")) :] for name in self.long.split()}


@dataclass(frozen=True, slots=True)
class Parsed:
    operands: tuple[int, ...]  # indices into the words
    used: frozenset[str]  # letters and long names that were given


def parse_options(spec: Spec, words: Sequence[str]) -> Parsed | None:
    """Sort a program's arguments into options and operands; None where one is not on the list."""
    operands: list[int] = []
    used: set[str] = set()
    index = 0
    while index < len(words):
        word = words[index]
        if word == "--":
            operands += range(index + 1, len(words))
            break
        if word == "-" or not word.startswith("-"):
            operands.append(index)
        elif word.startswith("--"):
            name, equals, _ = word[2:].partition("=")
            kind = spec.names.get(name)
            if kind is None or (kind == "" and equals):
                return None
            used.add(name)
            index += kind == "=" and not equals
        elif not (spec.digits and word[1:].isdigit()):
            taken = _letters(spec, word[1:], used)
            if taken is None:
                return None
            index += taken
        index += 1
    return Parsed(tuple(operands), frozenset(used))


def _letters(spec: Spec, cluster: str, used: set[str]) -> int | None:
    """Read `-abc`: how many following words it takes (0 or 1), None where a letter is unknown."""
    for position, letter in enumerate(cluster):
        valued = spec.letters.get(letter)
        if valued is None:
            return None
        used.add(letter)
        if valued:
            last = position == len(cluster) - 1
            return int(last and valued == ":") if last or spec.attached else None
    return 0
