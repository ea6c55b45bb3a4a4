"""Calls between special tokens, name first, then JSON: Kimi K2, DeepSeek V3 and V3.1, Mistral."""

import re

from harness.providers import lenient
from harness.providers.calls import Offered
from harness.providers.dialects.entry import (
    BAR,
    GAP,
    Dialect,
    Found,
    PrintedCall,
    Read,
    after,
    find_closer,
    read_json_calls,
)
from harness.providers.patterns import Lazy
from harness.providers.repair import canonical


def _section(begin: Lazy, head: Lazy, tails: tuple[str, ...], ends: tuple[str, ...]) -> Read:
    """A reader of `begin? (head JSON tail)+ end?`. Groups of `head`: `name`, and `id` where there is one."""

    def read(text: str, at: int, _offered: Offered) -> Found | None:
        opened = begin.match(text, at)
        at = opened.end() if opened else at
        calls: list[PrintedCall] = []
        while match := head.match(text, at):
            call, at = _call(text, match.end(), match["name"], match["id"] or "", tails)
            calls.append(call)
        return Found(calls, after(text, at, ends)) if calls else None

    return read


def _call(text: str, at: int, name: str, given: str, tails: tuple[str, ...]) -> tuple[PrintedCall, int]:
    start = at
    try:
        value, at = lenient.read(text, at)
    except lenient.Unreadable:
        stop, end = find_closer(text, at, tails)
        return PrintedCall(name, None, text[at:stop].strip(), given), end
    raw = text[start:at]
    if text.startswith("```", lenient.skip(text, at)):
        at = lenient.skip(text, at) + 3
    arguments = canonical(value) if isinstance(value, dict) else None
    return PrintedCall(name, arguments, raw, given), after(text, at, tails)


_KIMI = _section(
    Lazy(r"<\|tool_calls_section_begin\|>"),
    Lazy(
        r"\s*<\|tool_call_begin\|>\s*(?P<id>(?:functions\.)?(?P<name>[\w-]+)(?::\d+)?)\s*<\|tool_call_argument_begin\|>"
    ),
    ("<|tool_call_end|>",),
    ("<|tool_calls_section_end|>",),
)
# V3 puts `function` first and the JSON into a fence. Some servers print the tokens with plain characters.
_DEEPSEEK_SPELLINGS = tuple((bar, gap) for bar in (BAR, "|") for gap in (GAP, "_"))


def _deepseek_tokens(what: str) -> tuple[str, ...]:
    return tuple(f"<{bar}tool{gap}{what.replace(' ', gap)}{bar}>" for bar, gap in _DEEPSEEK_SPELLINGS)


def _any(tokens: tuple[str, ...]) -> str:
    return f"(?:{'|'.join(map(re.escape, tokens))})"


_BEGIN, _ONE, _SEP = (_any(_deepseek_tokens(what)) for what in ("calls begin", "call begin", "sep"))
_DEEPSEEK_HEAD = rf"\s*{_ONE}\s*(?:function\s*{_SEP})?\s*(?P<name>[\w.-]+)(?P<id>)\s*{_SEP}?\s*(?:```(?:json)?\s*)?"
_DEEPSEEK = _section(Lazy(_BEGIN), Lazy(_DEEPSEEK_HEAD), _deepseek_tokens("call end"), _deepseek_tokens("calls end"))
_MISTRAL_NAMED = _section(
    Lazy(r"(?!)"),
    Lazy(r"\s*(?:\[TOOL_CALLS\])?\s*(?P<name>[\w.-]+)\s*(?:\[CALL_ID\]\s*(?P<id>[\w-]+))?\s*(?:\[ARGS\])?\s*(?=\{)"),
    ("</s>",),
    ("</s>",),
)


def _mistral(text: str, at: int, offered: Offered) -> Found | None:
    body = lenient.skip(text, at + len("[TOOL_CALLS]"))
    if text.startswith(("[", "{"), body):
        return read_json_calls(text, body, ("</s>",))
    return _MISTRAL_NAMED(text, at, offered)


ENTRIES = (
    Dialect(
        "kimi_k2",
        ("<|tool_calls_section_begin|>", "<|tool_call_begin|>"),
        Lazy(r"<\|tool_calls_section_begin\|>\s*<\|tool_call_begin|<\|tool_call_begin\|>"),
        _KIMI,
    ),
    Dialect(
        "deepseek",
        (*_deepseek_tokens("calls begin"), *_deepseek_tokens("call begin")),
        Lazy(rf"{_BEGIN}|{_DEEPSEEK_HEAD}"),
        _DEEPSEEK,
    ),
    Dialect("mistral", ("[TOOL_CALLS]",), Lazy(r"\[TOOL_CALLS\]\s*[\[{\w]"), _mistral),
)
