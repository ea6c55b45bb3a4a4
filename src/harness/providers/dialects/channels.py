"""Messages in channels, reasoning, text and calls each in its own: gpt-oss harmony, Kimi K3."""

import re

from harness.providers import lenient
from harness.providers.calls import Offered
from harness.providers.dialects.entry import (
    Dialect,
    Found,
    PrintedCall,
    find_closer,
    typed_call,
)
from harness.providers.patterns import Lazy
from harness.providers.repair import canonical

# The recipient stands in the role or in the channel, the type of content behind either.
_HARMONY = Lazy(
    r"(?:<\|start\|>([^<]{0,200}))?<\|channel\|>(\w+)([^<]{0,200})(?:<\|constrain\|>[^<]{0,40})?<\|message\|>"
)
_HARMONY_END = ("<|end|>", "<|call|>", "<|return|>")
_RECIPIENT = Lazy(r"to=(?:functions\.)?([\w.-]+)")
_THOUGHTS = {"analysis", "think", "thinking", "reasoning"}


def _harmony(text: str, at: int, _offered: Offered) -> Found | None:
    head = _HARMONY.match(text, at)
    if head is None:
        return None
    stop, end = find_closer(text, head.end(), _HARMONY_END)
    again = text.find("<|start|>", head.end(), stop)
    if again >= 0:
        stop = end = again
    said = text[head.end() : stop]
    recipient = _RECIPIENT.search(f"{head[1] or ''} {head[3]}")
    if recipient is None:
        thinking = said if head[2] in _THOUGHTS else ""
        return Found([], end, text="" if thinking else said, thinking=thinking)
    closed = text.startswith("<|call|>", stop)
    return Found([_with_json(recipient[1], text, head.end(), said, closed=closed)], end)


def _with_json(name: str, text: str, at: int, said: str, *, closed: bool) -> PrintedCall:
    try:
        value, _ = lenient.read(text, at)
    except lenient.Unreadable:
        return PrintedCall(name, None, said.strip())
    arguments = canonical(value) if isinstance(value, dict) else None
    return PrintedCall(name, arguments, said.strip(), open=not closed)


# With its special tokens removed, the words remain, glued together.
_BARE = Lazy(
    r"(?:analysis((?:(?!assistantcommentary).){0,20000}?))?(?:assistant)?"
    r"commentary to=functions\.([\w-]+) ?(?:json)?\s*(?=\{)",
    re.DOTALL,
)


def _bare_harmony(text: str, at: int, _offered: Offered) -> Found | None:
    head = _BARE.match(text, at)
    if head is None:
        return None
    try:
        value, end = lenient.read(text, head.end())
    except lenient.Unreadable:
        return None
    if not isinstance(value, dict):
        return None
    call = PrintedCall(head[2], canonical(value), text[head.end() : end])
    return Found([call], end, thinking=head[1] or "")


_K3 = Lazy(r"<\|open\|>(\w+)([^<]{0,200})<\|sep\|>")
_K3_CALL = Lazy(r'\s*<\|open\|>call tool="([^"]+)"(?: index="(\d+)")?[^<]{0,80}<\|sep\|>')
_K3_ARGUMENT = Lazy(r'\s*<\|open\|>argument key="([^"]+)"(?: type="(\w+)")?[^<]{0,80}<\|sep\|>')


def _k3(text: str, at: int, _offered: Offered) -> Found | None:
    head = _K3.match(text, at)
    if head is None:
        return None
    if head[1] != "tools":
        stop, end = find_closer(text, head.end(), (f"<|close|>{head[1]}<|sep|>",))
        said = text[head.end() : stop]
        thinking = said if head[1] in _THOUGHTS else ""
        return Found([], end, text="" if thinking else said, thinking=thinking)
    calls: list[PrintedCall] = []
    at = head.end()
    while call := _K3_CALL.match(text, at):
        values, at = _k3_arguments(text, call.end())
        raw = text[call.start() : at].strip()
        _, end = find_closer(text, at, ("<|close|>call<|sep|>",))
        closed = text.startswith("<|close|>call<|sep|>", lenient.skip(text, at))
        calls.append(
            typed_call(call[1], values, raw, closed=closed) if values is not None else PrintedCall(call[1], None, raw)
        )
        at = end if closed else len(text)
    _, end = find_closer(text, at, ("<|close|>tools<|sep|>",))
    return Found(calls, end) if calls else None


def _k3_arguments(text: str, at: int) -> tuple[dict[str, object] | None, int]:
    values: dict[str, object] = {}
    while key := _K3_ARGUMENT.match(text, at):
        stop, end = find_closer(text, key.end(), ("<|close|>argument<|sep|>",))
        if stop == len(text):
            return None, stop
        said = text[key.end() : stop]
        values[key[1]] = said if key[2] == "string" else lenient.read_or_text(said)
        at = end
    return values, at


ENTRIES = (
    Dialect("harmony", ("<|channel|>", "<|start|>"), _HARMONY, _harmony),
    Dialect("kimi_k3", ("<|open|>",), _K3, _k3),
    Dialect(
        "harmony_bare",
        ("analysis", "commentary to=functions.", "assistantcommentary to=functions."),
        Lazy(r"(?:analysis.{0,90}?)?(?:assistant)?commentary to=functions\."),
        _bare_harmony,
        whole=True,
    ),
)
