"""Calls as JSON: `{"name": ..., "arguments": {...}}` behind a marker, in a fence, or as the whole message."""

import re

from harness.providers.calls import Offered
from harness.providers.dialects.entry import Dialect, Found, Read, find_closer, read_json_calls
from harness.providers.patterns import Lazy

_FENCE = Lazy(r"```(?:json|tool_calls?|tool_code|python|xml)?\s*(?=[\[{])")
_BARE = Lazy(r'[\[\s]*\{\s*"(?:name|type|function|tool|tool_name|parameters|arguments)"\s*:')


def _after_marker(marker: str, closers: tuple[str, ...]) -> Read:
    def read(text: str, at: int, _offered: Offered) -> Found | None:
        return read_json_calls(text, at + len(marker), closers)

    return read


def _marked(name: str, marker: str, *closers: str) -> Dialect:
    begins = Lazy(re.escape(marker) + r"\s*[\[{]")
    return Dialect(name, (marker,), begins, _after_marker(marker, closers))


def _functools(text: str, at: int, _offered: Offered) -> Found | None:
    return read_json_calls(text, at + len("functools"))


def _bare(text: str, at: int, _offered: Offered) -> Found | None:
    return read_json_calls(text, at) if _BARE.match(text, at) else None


def _fenced(text: str, at: int, _offered: Offered) -> Found | None:
    match = _FENCE.match(text, at)
    found = read_json_calls(text, match.end(), ("```",)) if match else None
    return found if found and find_closer(text, at + 3, ("```",))[0] < len(text) else None


ENTRIES = (
    _marked("hermes", "<tool_call>", "</tool_call>"),  # Hermes, Qwen 2.5 and 3, Granite 4
    _marked("nemotron", "<TOOLCALL>", "</TOOLCALL>"),
    _marked("granite", "<|tool_call|>", "<|/tool_call|>", "<|tool_call_end|>"),  # Granite 3, Phi-4 mini
    _marked("cohere", "<|START_ACTION|>", "<|END_ACTION|>"),
    _marked("llama3", "<|python_tag|>", "<|eom_id|>", "<|eot_id|>"),
    Dialect("phi4", ("functools[",), Lazy(r"functools\[\s*\{"), _functools),
    Dialect("llama3_json", ("{", "["), _BARE, _bare, whole=True),
    Dialect("json_fence", ("```",), Lazy(_FENCE.pattern + _BARE.pattern), _fenced, whole=True),
)
