"""Calls in tags, one parameter after another: Qwen3-Coder and its kin, Functionary, GLM."""

import re

from harness.providers import lenient
from harness.providers.calls import Offered, clean_name
from harness.providers.dialects.entry import (
    Dialect,
    Found,
    PrintedCall,
    after,
    find_closer,
    typed_call,
)
from harness.providers.patterns import Lazy
from harness.providers.repair import canonical

_FUNCTION = Lazy(r"(?:<tool_call>\s*)?<function=\s*\"?([\w.:-]+)\"?\s*>")
_PARAMETER = Lazy(r"\s*<parameter=\s*\"?([\w.-]+)\"?\s*>")
_END_OF_CALL = r"\s*(?:</tool_call>|<tool_call>|<function=|\Z)"
# A value ends at a closer with structure behind it: a closer inside a value is text.
_VALUE_END = Lazy(rf"</parameter>(?=\s*(?:<parameter=|</function>|</tool_call>|{_END_OF_CALL}))")
_LOST_END = Lazy(rf"\n(?:(?=<parameter=\"?([\w.-]+)\"?\s*>)|(?=</function>{_END_OF_CALL}))")


def _function(text: str, at: int, offered: Offered) -> Found | None:
    head = _FUNCTION.match(text, at)
    if head is None:
        return None
    if text.startswith("{", place := lenient.skip(text, head.end())):
        return _json_body(text, place, head[1])
    known = set((offered.schemas.get(head[1]) or {}).get("properties") or ())
    values: dict[str, str] = {}
    at = head.end()
    while match := _PARAMETER.match(text, at):
        known.discard(match[1])
        stop, at = _value_end(text, match.end(), known)
        if at < 0:
            return Found([PrintedCall(head[1], None, text[head.end() :].strip())], len(text))
        values[match[1]] = text[match.end() : stop].removeprefix("\n").removesuffix("\n")
    closed = after(text, at, ("</function>", "</tool_call>"))
    if (
        closed == at
        and text[at:].strip()
        and not text.startswith(("<function=", "<tool_call>"), lenient.skip(text, at))
    ):
        return None  # prose behind an opener: no call
    end = after(text, closed, ("</tool_call>",))
    return Found([typed_call(head[1], values, text[head.end() : at], closed=closed > at)], end)


def _value_end(text: str, start: int, unseen: set[str]) -> tuple[int, int]:
    """Where the value stops and where to go on; (_, -1) where it never ends."""
    proper = _VALUE_END.search(text, start)
    for lost in _LOST_END.finditer(text, start, proper.start() if proper else len(text)):
        if lost[1] is None or lost[1] in unseen:
            return lost.start(), lost.end()
    return (proper.start(), proper.end()) if proper else (start, -1)


def _json_body(text: str, at: int, name: str) -> Found:
    """Functionary and Llama 3.1: `<function=f>{...}</function>`."""
    stop, end = find_closer(text, at, ("</function>",))
    try:
        value, end = lenient.read(text, at)
    except lenient.Unreadable:
        return Found([PrintedCall(name, None, text[at:stop].strip())], end)
    arguments = canonical(value) if isinstance(value, dict) else None
    closed = after(text, end, ("</function>",))
    call = PrintedCall(name, arguments, text[at:end])
    return Found([call], after(text, closed, ("</tool_call>",)))


_GLM = Lazy(r"<tool_call>\s*([\w.:-]+)\s*(?=<arg_key>|</tool_call>)")
_GLM_KEY = Lazy(r"\s*<arg_key>\s*(.*?)\s*</arg_key>\s*<arg_value>", re.DOTALL)
_GLM_END = Lazy(r"</arg_value>(?=\s*(?:<arg_key>|</tool_call>|<tool_call>|\Z))")


def _glm(text: str, at: int, offered: Offered) -> Found | None:
    head = _GLM.match(text, at)
    if head is None:
        return None
    values: dict[str, str] = {}
    at = head.end()
    while key := _GLM_KEY.match(text, at):
        end = _GLM_END.search(text, key.end())
        if end is None:
            return Found([PrintedCall(head[1], None, text[head.end() :].strip())], len(text))
        values[key[1]] = text[key.end() : end.start()]
        at = end.end()
    if not values and clean_name(head[1], offered) not in offered:
        return None  # a word between the tags, no more
    stop = after(text, at, ("</tool_call>",))
    return Found([typed_call(head[1], values, text[head.end() : at], closed=stop > at)], stop)


ENTRIES = (
    Dialect(
        "qwen3_coder",
        ("<tool_call>", "<function="),
        Lazy(r"(?:<tool_call>\s*)?<function="),
        _function,
    ),
    Dialect("glm", ("<tool_call>",), _GLM, _glm),
)
