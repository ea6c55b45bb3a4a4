"""How the window of a server is made larger, in the words a person can type."""

from harness.providers.profile import Profile


def larger_window(profile: Profile, root: str, model: str, tokens: int) -> str:
    """What to do so that this server reads about `tokens` tokens. `root` is its base URL, without credentials."""
    size = 8192
    while size < tokens * 1.5:
        size *= 2
    if profile.trained_window:
        size = min(size, profile.trained_window)
    form = _FORMS.get(profile.server, _ANY)
    return form.format(size=size, root=root.removesuffix("/v1"), model=model, name=model.replace(":", "-"))


_OLLAMA = (
    "Restart it with OLLAMA_CONTEXT_LENGTH={size} ollama serve. Or make a model with that window: a Modelfile with "
    "`FROM {model}` and `PARAMETER num_ctx {size}` and `ollama create {name}-long`, or by its own API: curl {root}"
    '/api/create -d \'{{"model":"{name}-long","from":"{model}","parameters":{{"num_ctx":{size}}}}}\'; then '
    "--model {name}-long. Requests to /v1 cannot set it."
)
_FORMS = {
    "Ollama": _OLLAMA,
    "llama.cpp": "Restart it with a larger window: llama-server -c {size} (with -np N each of N slots gets its share).",
    "vLLM": "Restart it with a larger window: vllm serve {model} --max-model-len {size}",
    "SGLang": "Restart it with --context-length {size}, and without --allow-auto-truncate.",
    "LM Studio": (
        "Load it with a larger window: lms load {model} --context-length {size}, or by its own API: curl {root}"
        '/api/v1/models/load -H \'content-type: application/json\' -d \'{{"model":"{model}","context_length":{size}}}\''
    ),
    "TGI": "Restart it with --max-total-tokens {size} and a --max-input-tokens a little below.",
    "LiteLLM": "Raise the window of the server behind the proxy, and its max_input_tokens in the proxy's config.",
    "OpenRouter": "Choose a model, or a provider of it, with a larger window.",
}
_ANY = (
    "Load the model with a larger window; by server: Ollama OLLAMA_CONTEXT_LENGTH={size}, llama-server -c {size}, "
    "vllm serve --max-model-len {size}."
)
