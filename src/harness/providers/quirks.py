"""What a server wants otherwise than usual: learnt from its refusals, remembered per endpoint and model."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from harness.providers.learnt import entry, remember


@dataclass(frozen=True, slots=True)
class Quirks:
    """Departures from the plain request. The defaults are what most servers take."""

    nine_char_ids: bool = False  # Mistral: ids of calls are nine letters and digits
    bridge: bool = False  # Mistral: no user message right after a tool's
    null_content: bool = True  # `content: null` beside calls; else ''
    images: bool = True
    text_tools: bool = False  # no tools in the request: they are described, and calls come as text
    plain_schemas: bool = False  # llama.cpp: no type lists, no schemas without a type
    reasoning: str = ""  # the field that assistant messages with calls must have, even if it is empty
    output_limit: str = "max_tokens"
    effort: str = "any"  # which values of `reasoning_effort` are taken: any, common (low, medium, high), no
    dropped: tuple[str, ...] = ()  # request parameters that are refused


# What each fix of the classifier changes, and what people are told.
_FIXES: Mapping[str, tuple[Callable[[Quirks], Quirks], str]] = {
    "nine_char_ids": (lambda q: replace(q, nine_char_ids=True), "ids of calls are sent as 9 characters"),
    "insert_assistant_bridge": (lambda q: replace(q, bridge=True), "a short message goes between tool and user"),
    "content_empty": (lambda q: replace(q, null_content=False), "empty content is sent as ''"),
    "drop_images": (lambda q: replace(q, images=False), "images are left out: the model reads none"),
    "text_tools": (lambda q: replace(q, text_tools=True), "tools are described in the prompt, calls come as text"),
    "sanitize_schema": (lambda q: replace(q, plain_schemas=True), "tool schemas are sent in a plainer form"),
    "resend_with_reasoning": (
        lambda q: replace(q, reasoning="reasoning_content"),
        "reasoning is sent back with every call",
    ),
    "max_completion_tokens": (
        lambda q: replace(q, output_limit="max_completion_tokens"),
        "the output limit is sent as max_completion_tokens",
    ),
    "drop_thinking": (
        lambda q: replace(q, effort="common" if q.effort == "any" else "no"),
        "reasoning effort is asked for as low, medium or high, or not at all",
    ),
}


def learn(quirks: Quirks, fix: str) -> tuple[Quirks, str] | None:
    """What a refusal teaches: the new quirks and what to tell people; None where it teaches nothing new."""
    fix = "text_tools" if fix == "drop_param:tools" else fix
    if fix.startswith("drop_param:"):
        name = fix.partition(":")[2]
        if name in {*quirks.dropped, "model", "messages", "stream"}:
            return None
        return replace(quirks, dropped=(*quirks.dropped, name)), f"the parameter {name} is left out"
    if fix not in _FIXES:
        return None
    change, told = _FIXES[fix]
    learnt = change(quirks)
    return (learnt, told) if learnt != quirks else None


_COMMON_EFFORTS = {"none": "low", "minimal": "low", "max": "high", "xhigh": "high"}


def wire_effort(quirks: Quirks, effort: str | None) -> str | None:
    """What is sent as `reasoning_effort` for what the user asked; None: nothing."""
    if effort is None or quirks.effort == "no":
        return None
    return effort if quirks.effort == "any" else _COMMON_EFFORTS.get(effort, effort)


def load(file: Path, endpoint: str, model: str) -> Quirks:
    """What was learnt of this model here; the usual where nothing was, or the file is unreadable."""
    known = entry(file, endpoint, model).get("quirks")
    if not isinstance(known, dict):
        return Quirks()
    usual = asdict(Quirks())
    if isinstance(known.get("dropped"), list):
        known = {**known, "dropped": tuple(map(str, known["dropped"]))}
    fit: dict[str, Any] = {name: value for name, value in known.items() if isinstance(value, type(usual.get(name)))}
    return replace(Quirks(), **fit)


def save(file: Path, endpoint: str, model: str, quirks: Quirks) -> None:
    """Remember, with the date."""
    remember(file, endpoint, model, quirks=asdict(quirks))
