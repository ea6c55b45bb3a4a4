"""Markdown with YAML front matter: the form of rules, agents, commands and skills. Loads yaml where there is any."""

import re
from dataclasses import dataclass, field
from typing import Any

_FENCED = re.compile(r"\A\ufeff?---[ \t]*\r?\n(?P<head>(?:.*?\n)??)---[ \t]*(?:\r?\n|\Z)", re.DOTALL)
_LIMIT = 64 << 10  # characters of front matter


@dataclass(frozen=True, slots=True)
class Document:
    """`problem` says why front matter that is there does not count; the body counts all the same."""

    body: str
    fields: dict[str, Any] = field(default_factory=dict)
    problem: str = ""

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of strings, or one string with commas; what is neither is nothing."""
        value = self.fields.get(key)
        if isinstance(value, str):
            return tuple(item for part in _split(value) if (item := part.strip()))
        return tuple(str(item).strip() for item in value if item is not None) if isinstance(value, list) else ()

    def text(self, key: str) -> str:
        value = self.fields.get(key)
        return "" if value is None or isinstance(value, list | dict) else str(value).strip()


def document(text: str) -> Document:
    """Never raises: a stranger's file must not end a session."""
    match = _FENCED.match(text)
    if not match:
        return Document(text.removeprefix("\ufeff"))
    body = text[match.end() :]
    if len(match["head"]) > _LIMIT:
        return Document(body, problem="its front matter is too long")
    import yaml  # noqa: PLC0415  most sessions read none

    try:
        found = yaml.safe_load(match["head"])
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mended = _plainly(match["head"])
        if mended is None:
            what = str(error).splitlines()[0] if str(error) else type(error).__name__
            return Document(body, problem=f"its front matter is no YAML: {what}")
        found = mended
    if found is None:
        return Document(body)
    if not isinstance(found, dict):
        return Document(body, problem="its front matter is no list of `key: value`")
    return Document(body, {str(key): value for key, value in found.items()})


def _plainly(head: str) -> dict[str, str] | None:
    """`key: value` lines taken literally: people write `description: Use when: x` and `paths: **/*.py` unquoted."""
    found: dict[str, str] = {}
    for line in head.splitlines():
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        key, colon, value = line.partition(":")
        if not colon or not re.fullmatch(r"[A-Za-z][\w-]*", key):
            return None
        found[key] = value.strip().strip("\"'")
    return found


def _split(text: str) -> list[str]:
    """At commas outside of braces and parentheses: `a/{b,c}, d` are two."""
    parts, depth, start = [], 0, 0
    for index, char in enumerate(text):
        depth = max(0, depth + (char in "{(") - (char in "})"))
        if char == "," and depth == 0:
            parts.append(text[start:index])
            start = index + 1
    return [*parts, text[start:]]
