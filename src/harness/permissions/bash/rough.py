"""A line that the grammar cannot read, cut up crudely: only for finding what is denied, never for allowing."""

import re
from collections.abc import Iterator
from pathlib import Path

from harness.permissions.bash.script import Command
from harness.permissions.bash.words import read_word

_MOST = 2_000
_CUT = re.compile(r"[;&|\n(){}`]|\$\(")
_WORD = re.compile(r"(?:\\.|'[^']*'|\"[^\"]*\"|[^\s'\"\\]|['\"\\])+")
_ASSIGNMENT = re.compile(r"\w+\+?=")


def rough_commands(text: str, cwd: Path) -> Iterator[Command]:
    """What could be commands if quotes and here-documents counted for nothing."""
    for piece in _CUT.split(text.replace("\\\n", ""), maxsplit=_MOST):
        parts = _WORD.findall(piece)
        while parts and _ASSIGNMENT.match(parts[0]):
            parts.pop(0)
        if parts:
            yield Command(piece.strip(), tuple(map(read_word, parts)), cwds=(cwd,))
