"""Regular expressions that are compiled when first used: start-up pays for none of them."""

import re
from collections.abc import Iterator
from functools import cached_property


class Lazy:
    """As `re.Pattern`, as far as it is needed."""

    def __init__(self, pattern: str, flags: int = 0) -> None:
        self.pattern = pattern
        self._flags = flags

    @cached_property
    def _compiled(self) -> re.Pattern[str]:
        return re.compile(self.pattern, self._flags)

    def search(self, text: str, start: int = 0) -> re.Match[str] | None:
        return self._compiled.search(text, start)

    def match(self, text: str, start: int = 0) -> re.Match[str] | None:
        return self._compiled.match(text, start)

    def fullmatch(self, text: str) -> re.Match[str] | None:
        return self._compiled.fullmatch(text)

    def finditer(self, text: str, start: int, end: int) -> Iterator[re.Match[str]]:
        return self._compiled.finditer(text, start, end)


def words(pattern: str) -> Lazy:
    """For prose: letter case and line breaks do not matter."""
    return Lazy(pattern, re.IGNORECASE | re.DOTALL)
