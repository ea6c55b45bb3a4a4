"""Templates: `{{name}}` stands for a capture, `{{name|int}}` for the capture as a whole number."""

import re
from collections.abc import Mapping
from typing import Any

_HOLE = re.compile(r"\{\{ *([A-Za-z_]\w*) *(\| *int *)?\}\}")


class NotANumber(ValueError):
    """A capture used with `|int` that is none."""


def placeholders(value: Any) -> set[str]:
    """The names of all captures that a text, or the texts within lists and tables, stand on."""
    if isinstance(value, str):
        return {match[1] for match in _HOLE.finditer(value)}
    if isinstance(value, Mapping):
        value = list(value.values())
    return set().union(*map(placeholders, value)) if isinstance(value, list) else set()


def fill(value: Any, captures: Mapping[str, str]) -> Any:
    """`value` with every placeholder replaced. A text that is nothing but `{{name|int}}` becomes an integer.

    Raises:
        NotANumber: a capture used with `|int` is no whole number.
    """
    if isinstance(value, str):
        whole = _HOLE.fullmatch(value)
        if whole and whole[2]:
            return _hole(whole, captures)
        return _HOLE.sub(lambda hole: str(_hole(hole, captures)), value)
    if isinstance(value, Mapping):
        return {key: fill(inner, captures) for key, inner in value.items()}
    return [fill(inner, captures) for inner in value] if isinstance(value, list) else value


def _hole(hole: re.Match[str], captures: Mapping[str, str]) -> str | int:
    text = captures[hole[1]]
    if not hole[2]:
        return text
    try:
        return int(text)
    except ValueError:
        raise NotANumber(f"{{{{{hole[1]}|int}}}}: the capture is {text[:80]!r}, no whole number") from None
