"""LiteLLM's proxy in front of llama.cpp's server: what it changes on the way must not matter."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.scenarios.house import House
from tests.servers.running import PLACE, Server, ask, calls, free_port, llama, needed, running
from tests.servers.scripts import COMMAND, DONE, MADE, NOTE


@contextmanager
def litellm(base: Path, **upstreams: str) -> Iterator[Server]:
    """The proxy with these models, each at a base URL."""
    program = needed(PLACE / "litellm" / "bin" / "litellm", "make .servers/litellm/installed")
    routed = [
        {"model_name": name, "litellm_params": {"model": f"openai/{name}", "api_base": url, "api_key": "none"}}
        for name, url in upstreams.items()
    ]
    config, port = base / "litellm.json", free_port()  # JSON is YAML
    config.write_text(json.dumps({"model_list": routed, "litellm_settings": {"num_retries": 0}}))
    argv = [str(program), "--config", str(config), "--host", "127.0.0.1", "--port", str(port)]
    quiet = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_TELEMETRY": "False"}
    with running(argv, base / "litellm.log", port, "/health/liveliness", **quiet) as server:
        yield server


@pytest.mark.parametrize("dialect", ["hermes", "qwen3_thinking", "kimi_k2"])
def test_a_call_through_the_proxy(house: House, dialect):
    (house.project / "note.txt").write_text(NOTE)
    with llama(dialect, house.base) as upstream, litellm(house.base, **{dialect: upstream.url}) as proxy:
        done = ask(house, proxy.url)
    assert (done.code, done.result["result"].strip()) == (0, DONE), done.out
    assert [call["input"] for call in calls(done)] == [{"command": COMMAND}]
    assert (house.project / "made.txt").read_text() == MADE
    assert done.result["usage"]["cache_read_input_tokens"] > 1000


def test_errors_through_the_proxy(house: House):
    dead = f"http://127.0.0.1:{free_port()}/v1"
    with llama("text", house.base, window=2048) as upstream, litellm(house.base, text=upstream.url, dead=dead) as proxy:
        overflow = ask(house, proxy.url, "--model", "text")
        unknown = ask(house, proxy.url, "--model", "nobody")
        down = ask(house, proxy.url, "--model", "dead", env={"CLAUDE_CODE_MAX_RETRIES": "1"})
    assert overflow.result["terminal_reason"] == "prompt_too_long", overflow.out
    assert "2048" in overflow.result["result"]
    assert (unknown.code, unknown.result["terminal_reason"]) == (1, "api_error")
    assert "It has: text, dead" in unknown.result["result"]
    assert (down.code, down.result["terminal_reason"]) == (75, "api_error")
    assert len(down.of("system", "api_retry")) == 1
