"""Calls as Python: `[f(a=1), g()]` of Llama 4, LFM2 and OLMo, Gemma 3's `tool_code`; and Gemma 4's own form."""

import json
import re

from harness.providers import lenient
from harness.providers.calls import Offered
from harness.providers.dialects.entry import (
    Dialect,
    Found,
    PrintedCall,
    Read,
    after,
    read_json_calls,
    typed_call,
)
from harness.providers.patterns import Lazy

_NAME = Lazy(r"[\[\s,]*([A-Za-z_][\w.]*)\(")
_KEYWORD = Lazy(r"\s*([A-Za-z_]\w*)\s*=(?!=)")
_PRINT = Lazy(r"\s*print\(")
_BRACKET = Lazy(r"\s*\]")


def _python(text: str, at: int, offered: Offered) -> tuple[list[PrintedCall], int]:
    """The calls from `at` on, literals as keyword arguments only; none where one cannot be read."""
    calls: list[PrintedCall] = []
    listed = text.startswith("[", lenient.skip(text, at))
    printed = _PRINT.match(text, at)  # Gemma wraps a call in it
    at = printed.end() if printed else at
    while match := _NAME.match(text, at):
        values: dict[str, object] = {}
        place = match.end()
        while key := _KEYWORD.match(text, place):
            try:
                values[key[1]], place = lenient.read(text, key.end())
            except lenient.Unreadable:
                return [], at
            place = lenient.skip(text, place)
            place += text.startswith(",", place)
        place = lenient.skip(text, place)
        if not text.startswith(")", place):
            return [], at
        name = match[1] if match[1] in offered else match[1].rpartition(".")[2]
        at = place + 1
        calls.append(typed_call(name, values, text[match.start(1) : at]))
    if printed and calls:
        return (calls, at + 1) if text.startswith(")", at) else ([], at)
    if listed:
        closing = _BRACKET.match(text, at)
        return (calls, closing.end()) if closing else ([], at)
    return calls, at


def _marked(*openers: str, closers: tuple[str, ...]) -> Read:
    def read(text: str, at: int, offered: Offered) -> Found | None:
        start = at + len(next(opener for opener in openers if text.startswith(opener, at)))
        calls, end = _python(text, start, offered)
        if calls:
            return Found(calls, after(text, end, closers))
        return read_json_calls(text, start, closers)

    return read


def _bare(text: str, at: int, offered: Offered) -> Found | None:
    calls, end = _python(text, at, offered)
    return Found(calls, end) if calls else None


_GEMMA_CALL = Lazy(r"<\|tool_call>\s*call:\s*([\w.-]+)\s*(?=\{)")
_QUOTE = '<|"|>'


def _gemma(text: str, at: int, _offered: Offered) -> Found | None:
    """`<|tool_call>call:f{key:<|"|>text<|"|>,n:5}<tool_call|>`: keys bare, strings between quote tokens."""
    head = _GEMMA_CALL.match(text, at)
    if head is None:
        return None
    written: list[str] = []
    place = head.end()
    for number, piece in enumerate(text[place:].split(_QUOTE)):
        if number % 2:
            written.append(json.dumps(piece, ensure_ascii=False))
        else:
            bare, closer, _ = piece.partition("<tool_call|>")
            written.append(re.sub(r"([{,]\s*)([A-Za-z_][\w.-]*)\s*:", r'\1"\2":', bare))
            if closer:
                place += len(bare) + len(closer)
                break
        place += len(piece) + len(_QUOTE)
    end = min(place, len(text))
    raw = text[head.end() : end].removesuffix("<tool_call|>").strip()
    try:
        value, _ = lenient.read("".join(written))
    except lenient.Unreadable:
        return Found([PrintedCall(head[1], None, raw)], end)
    return Found([typed_call(head[1], value, raw, closed=text.endswith("<tool_call|>", 0, end))], end)


def _entry(name: str, *openers: str, closers: tuple[str, ...]) -> Dialect:
    begins = Lazy(rf"(?:{'|'.join(map(re.escape, openers))})\s*(?:[\[{{]|[A-Za-z_][\w.]*\()")
    return Dialect(name, openers, begins, _marked(*openers, closers=closers))


ENTRIES = (
    _entry("llama4", "<|python_start|>", closers=("<|python_end|>",)),
    _entry("lfm2", "<|tool_call_start|>", closers=("<|tool_call_end|>",)),
    _entry("olmo", "<function_calls>", closers=("</function_calls>",)),
    _entry("llama3_python", "<|python_tag|>", closers=("<|eom_id|>", "<|eot_id|>")),
    _entry("gemma3", "```tool_code", closers=("```",)),
    Dialect("gemma4", ("<|tool_call>",), _GEMMA_CALL, _gemma),
    Dialect("pythonic", ("[",), Lazy(r"\[\s*[A-Za-z_][\w.]*\([^\])]{0,60}"), _bare, whole=True),
)
