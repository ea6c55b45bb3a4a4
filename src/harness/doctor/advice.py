"""How each kind of server is made to read tool calls itself. A new kind is an entry here.

Source: the servers' documentation as of 2026-08. Names are those of `providers.kinds`.
"""

from collections.abc import Mapping

_PARSERS: Mapping[str, str] = {
    "vLLM": "vllm serve MODEL --enable-auto-tool-choice --tool-call-parser NAME (hermes for most Qwen, qwen3_coder, "
    "llama3_json, mistral, ...).",
    "SGLang": "python -m sglang.launch_server --tool-call-parser NAME (qwen25, qwen3_coder, llama3, ...).",
    "llama.cpp": "llama-server --jinja, with a model whose chat template knows tools.",
    "Ollama": "Choose a model that `ollama show MODEL` lists as able to use tools.",
}


def tool_parser(server: str) -> str:
    """The flags that switch its parser of tool calls on; '' as `server`: nobody knows what it is."""
    return _PARSERS.get(server, f"Choose a model with tool support; on vLLM: {_PARSERS['vLLM']}")
