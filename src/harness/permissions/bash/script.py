"""What a command line was understood to be: plain data, for decisions and for showing people."""

from dataclasses import dataclass
from pathlib import Path

from harness.permissions.bash.words import Word


@dataclass(frozen=True, slots=True)
class Redirect:
    """`operator` as written (`>`, `2>` without the number, `<`, `>&`...); here-documents are not listed."""

    operator: str
    target: Word

    @property
    def writes(self) -> bool:
        return ">" in self.operator

    @property
    def only_descriptors(self) -> bool:
        """`2>&1`, `>&-`: no file is opened."""
        return (
            self.operator in {">&", "<&", ">&-", "<&-"} and self.target.text.rstrip("-").isdigit()
        ) or self.target.text == "-"


@dataclass(frozen=True, slots=True)
class Assignment:
    name: str
    value: Word


@dataclass(frozen=True, slots=True)
class Command:
    """A simple command. `cwds` are the directories it may run in, None for one that cannot be known.

    `moved`: a `cd` stands before it on the line.
    """

    raw: str
    words: tuple[Word, ...] = ()
    assignments: tuple[Assignment, ...] = ()
    redirects: tuple[Redirect, ...] = ()
    cwds: tuple[Path | None, ...] = ()
    background: bool = False
    moved: bool = False

    @property
    def program(self) -> str:
        """The base name of what would run; '' where that cannot be known or nothing would."""
        if not self.words or not self.words[0].literal:
            return ""
        return self.words[0].text.rsplit("/", 1)[-1]


@dataclass(frozen=True, slots=True)
class Script:
    """A whole command line, taken apart: every simple command in it, however deep.

    `unreadable`: why it could not be read for certain; nothing but a person should approve it.
    `unlisted`: constructs that we do not judge (functions, dynamic program names, odd expansions).
    `guesses`: where it cannot be parsed, what might be its commands; to search for what is denied.
    """

    text: str
    commands: tuple[Command, ...] = ()
    unreadable: tuple[str, ...] = ()
    unlisted: tuple[str, ...] = ()
    guesses: tuple[Command, ...] = ()
