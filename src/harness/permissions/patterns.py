"""Path patterns in gitignore's syntax, as rules use them."""

import re
import unicodedata
import warnings
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # loaded with the first path rule
    from pathspec import GitIgnoreSpec


def folded(text: str) -> str:
    """For comparing names as the most forgiving file systems do: case and Unicode form do not count."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())


@lru_cache(maxsize=2048)
def compiled(pattern: str, forbids: bool) -> "GitIgnoreSpec":
    """A pattern below its anchor, ready to match relative paths.

    `forbids`: deny and ask reach further than allow: a directory `name/**` wherever it is and by itself, and
    names in any case (give it `folded` paths).

    Raises:
        ValueError: it is no pattern.
    """
    if pattern.startswith("#"):
        pattern = "\\" + pattern
    if not forbids:
        return _spec([pattern])
    pattern = folded(pattern)
    if re.fullmatch(r"[^/]+/\*\*", pattern):
        pattern = "**/" + pattern
    lines = [pattern]
    if pattern.endswith("/**") and pattern != "/**":
        lines.append(pattern.removesuffix("/**"))
    return _spec(lines)


def _spec(lines: list[str]) -> "GitIgnoreSpec":
    from pathspec import GitIgnoreSpec  # noqa: PLC0415  not needed at start-up

    with warnings.catch_warnings():  # `[[]` is a gitignore pattern and makes `re` warn of another syntax to come
        warnings.simplefilter("ignore", FutureWarning)
        try:
            return GitIgnoreSpec.from_lines(lines)
        except re.error as error:  # `[1-0]`
            raise ValueError(str(error)) from None


def pattern_problem(pattern: str) -> str:
    """What is wrong with a path rule's pattern; '' where nothing is."""
    if pattern.startswith("!"):
        return "a pattern cannot start with '!'"
    try:
        compiled(pattern.removeprefix("~"), True)
        compiled(pattern.removeprefix("~"), False)
    except ValueError:
        return "it is not a gitignore pattern"
    return ""


def escaped(path: str) -> str:
    """A path as a pattern that matches only itself."""
    return re.sub(r"([\\*?\[\]!#]| \Z)", r"\\\1", path)
