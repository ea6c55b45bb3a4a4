"""How an answer ended: the servers' many `finish_reason` words, and usage in its many places."""

from collections.abc import Mapping
from typing import Any, Literal

from harness.messages import Usage

Finish = Literal["stop", "tool_calls", "length", "content_filter", "failed", "overflow"]

_WORDS: Mapping[str, Finish] = {
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "tool_use": "tool_calls",
    "length": "length",
    "max_tokens": "length",
    "model_length": "length",
    "max_output_tokens": "length",
    "content_filter": "content_filter",
    "sensitive": "content_filter",
    "safety": "content_filter",
    "recitation": "content_filter",
    "refusal": "content_filter",
    "error": "failed",
    "abort": "failed",
    "aborted": "failed",
    "network_error": "failed",
    "insufficient_system_resource": "failed",
    "model_context_window_exceeded": "overflow",
}


def read_finish(reason: object) -> Finish:
    """The meaning of a `finish_reason`; an unknown word is a normal stop (eos_token, stop_sequence, ...)."""
    return _WORDS.get(str(reason).lower(), "stop")


USAGE_KEYS = frozenset({"usage", "x_groq"})


def read_usage(holder: Mapping[str, Any]) -> Usage | None:
    """Usage in a chunk, in a choice (Moonshot), or under `x_groq`. It is cumulative, never summed."""
    places = [holder.get("usage")]
    if isinstance(groq := holder.get("x_groq"), dict):
        places.append(groq.get("usage"))
    usage = next((place for place in places if isinstance(place, dict) and place), None)
    if usage is None:
        return None
    prompt, completion = _details(usage, "prompt"), _details(usage, "completion")
    cached = (prompt.get("cached_tokens"), usage.get("prompt_cache_hit_tokens"), usage.get("cached_tokens"))
    return Usage(
        _count(usage.get("prompt_tokens")),
        _count(usage.get("completion_tokens")),
        next((count for count in map(_count, cached) if count), 0),
        _count(completion.get("reasoning_tokens")),
    )


def _details(usage: Mapping[str, Any], side: str) -> Mapping[str, Any]:
    details = usage.get(f"{side}_tokens_details")
    return details if isinstance(details, dict) else {}


def _count(value: object) -> int:
    return value if isinstance(value, int) and value > 0 else 0
