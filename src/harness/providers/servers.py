"""The local model servers that people run: their usual ports, and how each is started."""

from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class Server:
    name: str
    port: int
    start: str


LOCAL = (
    Server("Ollama", 11434, "ollama serve"),
    Server("vLLM", 8000, "vllm serve MODEL"),
    Server("llama.cpp", 8080, "llama-server -m FILE.gguf --jinja"),
    Server("LM Studio", 1234, "lms server start"),
    Server("SGLang", 30000, "python -m sglang.launch_server --model-path MODEL"),
)


def how_to_start(base_url: str) -> str:
    """What a person can do where nothing listens at this address."""
    port = urlsplit(base_url).port
    known = next((server for server in LOCAL if server.port == port), None)
    if known:
        return f"Start {known.name} there (`{known.start}`), or set OPENAI_BASE_URL to another server."
    starts = "; ".join(f"`{server.start}` (port {server.port})" for server in LOCAL[:3])
    return f"Start the server there, or set OPENAI_BASE_URL. Servers for this machine: {starts}."
