"""Calls as `<invoke name="...">` with `<parameter name="...">`: MiniMax, Claude's form, DeepSeek's DSML."""

from harness.providers import lenient
from harness.providers.calls import Offered
from harness.providers.dialects.entry import BAR, Dialect, Found, PrintedCall, find_closer, typed_call
from harness.providers.patterns import Lazy

_DSML = f"{BAR}DSML{BAR}"
_PREFIX = rf"(?:{_DSML}|[\w-]{{1,20}}:)?"
_BLOCK = Lazy(rf"<({_PREFIX}(?:function_calls|tool_calls?))>\s*(?=<{_PREFIX}invoke)")
_INVOKE = Lazy(rf'\s*<({_PREFIX}invoke)\s+name="([^"]+)"\s*>')
_PARAMETER = Lazy(rf'\s*<({_PREFIX}parameter)\s+name="([^"]+)"(?:\s+string="(true|false)")?\s*>')


def _calls(text: str, at: int, _offered: Offered) -> Found | None:
    block = _BLOCK.match(text, at)
    calls: list[PrintedCall] = []
    at = block.end() if block else at
    while head := _INVOKE.match(text, at):
        call, at = _invoke(text, head.end(), head[2], f"</{head[1]}>")
        calls.append(call)
    if not calls:
        return None
    closer = f"</{block[1]}>" if block else ""
    after = lenient.skip(text, at)
    return Found(calls, after + len(closer) if closer and text.startswith(closer, after) else at)


def _invoke(text: str, at: int, name: str, closer: str) -> tuple[PrintedCall, int]:
    start, body = at, lenient.skip(text, at)
    values: dict[str, object] = {}
    if text.startswith("{", body):
        try:
            value, at = lenient.read(text, body)
        except lenient.Unreadable:
            stop, end = find_closer(text, body, (closer,))
            return PrintedCall(name, None, text[start:stop].strip()), end
        values = value if isinstance(value, dict) else {}
    while key := _PARAMETER.match(text, at):
        stop, at = _value_end(text, key.end(), f"</{key[1]}>", closer)
        if at < 0:
            return PrintedCall(name, None, text[start:].strip()), len(text)
        said = text[key.end() : stop]
        values[key[2]] = lenient.read_or_text(said) if key[3] == "false" else said
    end = lenient.skip(text, at)
    closed = text.startswith(closer, end)
    raw = text[start:at].strip()
    if not closed and text[end:].strip():
        return PrintedCall(name, None, raw), at
    return typed_call(name, values, raw, closed=closed), end + len(closer) if closed else at


def _value_end(text: str, at: int, closer: str, outer: str) -> tuple[int, int]:
    """Where a value ends: at a closer with structure behind it, as a closer inside a value is text."""
    while (stop := text.find(closer, at)) >= 0:
        at = stop + len(closer)
        after = lenient.skip(text, at)
        if text.startswith(outer, after) or after == len(text) or _PARAMETER.match(text, at):
            return stop, at
    return -1, -1


_OPENERS = (
    "<function_calls>",
    "<minimax:tool_call>",
    f"<{_DSML}function_calls>",
    f"<{_DSML}tool_calls>",
    "<" + "antml:function_calls>",
    "<invoke name=",
    f"<{_DSML}invoke name=",
)

ENTRIES = (Dialect("invoke", _OPENERS, Lazy(rf"{_BLOCK.pattern}|{_INVOKE.pattern}"), _calls),)
