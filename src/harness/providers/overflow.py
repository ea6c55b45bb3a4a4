"""The many wordings of "context window exceeded", and the numbers in them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from harness.providers.patterns import Lazy, words


@dataclass(frozen=True, slots=True)
class Overflow:
    """`limit` and `used` are in tokens, None where not told. `reduce` is "max_tokens" where the input fits."""

    limit: int | None = None
    used: int | None = None
    reduce: str = ""


# Named groups `limit` and `used`; one line a server's wording (vLLM and OpenAI, SGLang, llama.cpp, LM Studio,
# TGI, Moonshot, Mistral, Anthropic-compatible, TensorRT-LLM, xAI).
_WORDINGS = tuple(
    words(pattern)
    for pattern in (
        r"Input length \((?P<used>\d+)\) exceeds model's maximum context length \((?P<limit>\d+)\)",
        r"The input \((?P<used>\d+) tokens\) is longer than the model's context length \((?P<limit>\d+) tokens\)",
        r"request \((?P<used>\d+) tokens\) exceeds the available context size \((?P<limit>\d+)",
        r"n_keep: (?P<used>\d+) ?>= ?n_ctx: (?P<limit>\d+)",
        r"n_keep \((?P<used>\d+)\) >= n_ctx \((?P<limit>\d+)\)",
        r"keep the first (?P<used>\d+) tokens when context the overflows.*?only (?P<limit>\d+)",
        r"`inputs` tokens \+ `max_new_tokens` must be <= (?P<limit>\d+)\. Given: (?P<used>\d+)",
        r"`inputs` must have less than (?P<limit>\d+) tokens\. Given: (?P<used>\d+)",
        r"exceeded model token limit: (?P<limit>\d+) \(requested: (?P<used>\d+)\)",
        r"Prompt contains (?P<used>\d+) tokens.*?too large for model with (?P<limit>\d+)",
        r"prompt is too long: (?P<used>\d+) tokens > (?P<limit>\d+)",
        r"sum of prompt length \((?P<used>\d+).*?max_num_tokens \((?P<limit>\d+)\)",
        r"maximum prompt length is (?P<limit>\d+) but the request contains (?P<used>\d+)",
        r"(?:input token count|token count) \(?(?P<used>\d+)\)? exceeds the maximum.{0,60}?\(?(?P<limit>\d+)\)?",
    )
)
_MAXIMUM = words(r"maximum context length (?:is|of) (\d+)")
_PROMPT = (
    Lazy(r"resulted in (\d+)"),
    Lazy(r"(\d+) (?:tokens )?(?:in the messages|from the input|of text input|in the prompt)"),
    Lazy(r"your request has (\d+) (?:input )?tokens"),
    Lazy(r"prompt contains (\d+) (?:input )?tokens"),
    Lazy(r"you requested (\d+) tokens"),
)
_GENERIC = words(
    r"context[_ ]length[_ ]exceeded|exceeds? the (?:model's )?(?:maximum )?context (?:window|length|size)"
    r"|ContextWindowExceeded|model_context_(?:window_)?exceeded|Prompt exceeds max length"
    r"|Context size has been exceeded|longer than the (?:model's )?context length|exceed_context_size_error"
    r"|exceeds the available context size|input is too long for|context window exceeded",
)
_COMPLETION = words(r"completion|max_tokens|max_new_tokens|max_completion_tokens")


def read_overflow(text: str, error: Mapping[str, Any]) -> Overflow | None:
    """The overflow that `text` speaks of, or None. `error` is the decoded error object (llama.cpp's numbers)."""
    window, prompt = error.get("n_ctx"), error.get("n_prompt_tokens")
    if isinstance(window, int) and isinstance(prompt, int):
        return Overflow(window, prompt)
    for wording in _WORDINGS:
        if match := wording.search(text):
            return _judged(int(match["limit"]), int(match["used"]), text)
    if match := _MAXIMUM.search(text):
        used = next((int(found[1]) for pattern in _PROMPT if (found := pattern.search(text))), None)
        return _judged(int(match[1]), used, text)
    return Overflow() if _GENERIC.search(text) else None


def _judged(limit: int, used: int | None, text: str) -> Overflow:
    fits = used is not None and used < limit and _COMPLETION.search(text)
    return Overflow(limit, used, "max_tokens" if fits else "")
