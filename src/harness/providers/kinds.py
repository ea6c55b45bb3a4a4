"""What each kind of server tells of itself and of a model, by the answers of its own API.

Sources: the servers' code and documentation as of 2026-08. A new kind is one entry of `KINDS` and its tests. What
is asked is recognised by its shape: names of hosts and ports say nothing.
"""

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.providers.profile import Price, Profile

Json = Mapping[str, Any]
Post = Callable[[str, Json], Awaitable[Any]]  # path and body -> the decoded answer, None where there is none


@dataclass(frozen=True, slots=True)
class Kind:
    """`path` is below the root of the server. `read` gets its decoded answer; None: it is no such server."""

    name: str
    path: str
    read: Callable[[Json, str, Post], Awaitable[Profile | None]]


# Who a list of models says it belongs to, where that gives the server away.
OWNERS: Mapping[str, str] = {"vllm": "vLLM", "sglang": "SGLang", "llamacpp": "llama.cpp", "library": "Ollama"}
_REASONS = re.compile(r"<think>|enable_thinking|reasoning_effort|<\|channel\|>")


def from_list(entries: Sequence[Json], model: str) -> Profile:
    """What GET /models tells: many servers put the window there, each under its own name."""
    names = tuple(entry["id"] for entry in entries if isinstance(entry.get("id"), str))
    one = _entry(entries, model, "id") or (entries[0] if len(entries) == 1 else {})  # some take any name
    top, meta = _object(one, "top_provider"), _object(one, "meta")
    server = OWNERS.get(str(one.get("owned_by")), "OpenRouter" if top else "")
    windows = (
        _count(top, "context_length"),  # of the provider that is asked first; the model's own may be larger
        _count(one, "max_model_len", "loaded_context_length", "context_length", "context_window"),
        _count(meta, "n_ctx"),
        _count(one, "max_context_length", "max_input_tokens"),
    )
    parameters, abilities = one.get("supported_parameters"), _object(one, "capabilities")
    inputs = _object(one, "architecture").get("input_modalities")
    return Profile(
        server=server,
        models=names,
        trained_window=_count(meta, "n_ctx_train"),
        max_output=_count(top, "max_completion_tokens") or _count(one, "max_completion_tokens", "max_output_tokens"),
        tools="tools" in parameters if isinstance(parameters, list) else _flag(abilities, "function_calling"),
        reasoning="reasoning" in parameters if isinstance(parameters, list) else _flag(abilities, "reasoning"),
        images="image" in inputs if isinstance(inputs, list) else _flag(abilities, "vision"),
        tokenizer="vllm" if server == "vLLM" else "",
        price=_price(_object(one, "pricing"), "prompt", "completion", "input_cache_read"),
        **_window(next((tokens for tokens in windows if tokens), None)),
    )


async def _llama_cpp(props: Json, _model: str, _post: Post) -> Profile | None:
    if "default_generation_settings" not in props:
        return None
    able, template = _object(props, "chat_template_caps"), str(props.get("chat_template", ""))
    return Profile(
        server="llama.cpp",
        version=str(props.get("build_info", "")),
        tools=_flag(able, "supports_tools"),
        reasoning=bool(_REASONS.search(template)) if template else None,
        images=_flag(_object(props, "modalities"), "vision"),
        tokenizer="llama.cpp",
        **_window(_count(_object(props, "default_generation_settings"), "n_ctx")),  # of one slot, which is what counts
    )


async def _ollama(running: Json, model: str, post: Post) -> Profile | None:
    """/api/ps has the window that is loaded; a model that is not loaded has only what its Modelfile sets."""
    if not isinstance(running.get("models"), list):
        return None
    entries = _objects(running["models"])
    one = _entry(entries, model, "name") or _entry(entries, model, "model")
    shown = await post("/api/show", {"model": model})
    shown = shown if isinstance(shown, dict) else {}
    info, able = _object(shown, "model_info"), shown.get("capabilities")
    set_ = re.search(r"^num_ctx\s+(\d+)", str(shown.get("parameters", "")), re.MULTILINE)
    profile = Profile(
        server="Ollama",
        trained_window=_count(info, f"{info.get('general.architecture')}.context_length"),
        loaded=one is not None,
        **_window(_count(one or {}, "context_length") or (int(set_[1]) if set_ else None)),
    )
    if isinstance(able, list):
        profile = profile._replace(tools="tools" in able, reasoning="thinking" in able, images="vision" in able)
    return profile


async def _lm_studio_old(answer: Json, model: str, _post: Post) -> Profile | None:
    """/api/v0/models, up to 0.3."""
    entries = _objects(answer.get("data"))
    if not any("max_context_length" in entry for entry in entries):
        return None
    one = _entry(entries, model, "id") or {}
    able = one.get("capabilities")
    return Profile(
        server="LM Studio",
        trained_window=_count(one, "max_context_length"),
        tools="tool_use" in able if isinstance(able, list) else None,
        images=one.get("type") == "vlm" if one else None,
        loaded=one.get("state") == "loaded",
        **_window(_count(one, "loaded_context_length")),
    )


async def _lm_studio(answer: Json, model: str, _post: Post) -> Profile | None:
    """/api/v1/models, from 0.4."""
    entries = _objects(answer.get("models"))
    if not any("loaded_instances" in entry for entry in entries):
        return None
    instances = [(entry, one) for entry in entries for one in _objects(entry.get("loaded_instances"))]
    wanted = next((pair for pair in instances if model in (pair[1].get("id"), pair[0].get("key"))), None)
    entry, instance = wanted or (_entry(entries, model, "key") or {}, {})
    able = _object(entry, "capabilities")
    return Profile(
        server="LM Studio",
        trained_window=_count(entry, "max_context_length"),
        tools=_flag(able, "trained_for_tool_use"),
        images=_flag(able, "vision"),
        loaded=wanted is not None,
        **_window(_count(_object(instance, "config"), "context_length")),
    )


async def _litellm(answer: Json, model: str, _post: Post) -> Profile | None:
    entries = [entry for entry in _objects(answer.get("data")) if "model_info" in entry]
    if not entries:
        return None
    info = _object(_entry(entries, model, "model_name") or {}, "model_info")
    names = ("input_cost_per_token", "output_cost_per_token", "cache_read_input_token_cost")
    return Profile(
        server="LiteLLM",
        max_output=_count(info, "max_output_tokens"),
        tools=_flag(info, "supports_function_calling"),
        reasoning=_flag(info, "supports_reasoning"),
        images=_flag(info, "supports_vision"),
        price=_price(info, *names),
        **_window(_count(info, "max_input_tokens")),
    )


async def _tgi(info: Json, _model: str, _post: Post) -> Profile | None:
    if "model_id" not in info or not {"max_total_tokens", "max_input_tokens", "max_input_length"}.intersection(info):
        return None
    window = _count(info, "max_total_tokens", "max_input_tokens", "max_input_length")
    return Profile(server="TGI", version=str(info.get("version", "")), **_window(window))


async def _vllm(answer: Json, _model: str, _post: Post) -> Profile | None:
    """/version says too little to know vLLM by it."""
    return Profile(version=str(answer.get("version", "")))


KINDS = (
    Kind("llama.cpp", "/props", _llama_cpp),
    Kind("Ollama", "/api/ps", _ollama),
    Kind("LM Studio", "/api/v1/models", _lm_studio),
    Kind("LM Studio", "/api/v0/models", _lm_studio_old),
    Kind("LiteLLM", "/model/info", _litellm),
    Kind("TGI", "/info", _tgi),
)
VLLM = Kind("vLLM", "/version", _vllm)


def _entry(entries: Sequence[Json], model: str, key: str) -> Json | None:
    """The model's entry; Ollama's names end in `:latest` where people leave that out."""
    return next((entry for entry in entries if entry.get(key) in (model, f"{model}:latest")), None)


def _window(tokens: int | None) -> dict[str, Any]:
    return {"context_window": tokens, "window_from": "server"} if tokens else {}


def _count(data: Json, *names: str) -> int | None:
    """The first of these that is a number of tokens."""
    values = (data.get(name) for name in names)
    return next((value for value in values if type(value) is int and 0 < value < 1 << 40), None)


def _flag(data: Json, name: str) -> bool | None:
    value = data.get(name)
    return value if isinstance(value, bool) else None


def _object(data: Json, name: str) -> Json:
    value = data.get(name)
    return value if isinstance(value, dict) else {}


def _objects(value: Any) -> list[Json]:
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def _price(data: Json, given: str, answered: str, cached: str) -> Price | None:
    """Dollars for one token, as text or number, made dollars for a million."""
    try:
        values = [float(data[name]) * 1e6 if data.get(name) is not None else None for name in (given, answered, cached)]
    except (TypeError, ValueError):
        return None
    if values[0] is None or values[1] is None or min(value or 0.0 for value in values) < 0:  # -1: it varies
        return None
    return Price(values[0], values[1], values[2])
