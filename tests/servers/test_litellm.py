"""LiteLLM's proxy in front of llama.cpp's servers: what it changes on the way must not matter."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from secrets import token_hex

import pytest

from tests.scenarios.house import House
from tests.servers.running import PLACE, ask, calls, free_port, llama, needed, running
from tests.servers.scripts import COMMAND, DONE, MADE, NOTE

KEY = f"sk-{token_hex(16)}"
OURS = {"OPENAI_API_KEY": KEY, "CLAUDE_CODE_MAX_RETRIES": "1"}
DIALECTS = ("hermes", "qwen3_thinking", "kimi_k2")


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The base URL of one proxy, for it takes half a minute to start; `text` has a small window, `dead` is down."""
    program = needed(PLACE / "litellm" / "bin" / "litellm", "make .servers/litellm/installed")
    base: Path = tmp_path_factory.mktemp("litellm")
    with ExitStack() as stack:
        urls = {name: stack.enter_context(llama(name, base)).url for name in DIALECTS}
        urls["text"] = stack.enter_context(llama("text", base, window=2048)).url
        urls["dead"] = f"http://127.0.0.1:{free_port()}/v1"
        routed = [
            {"model_name": name, "litellm_params": {"model": f"openai/{name}", "api_base": url, "api_key": "none"}}
            for name, url in urls.items()
        ]
        config, port = base / "litellm.json", free_port()  # JSON is YAML
        config.write_text(json.dumps({"model_list": routed, "litellm_settings": {"num_retries": 0}}))
        argv = [str(program), "--config", str(config), "--host", "127.0.0.1", "--port", str(port)]
        env = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_TELEMETRY": "False", "LITELLM_MASTER_KEY": KEY}
        yield stack.enter_context(running(argv, base / "litellm.log", port, "/health/liveliness", **env)).url


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_call(house: House, proxy, dialect):
    (house.project / "note.txt").write_text(NOTE)
    done = ask(house, proxy, "--model", dialect, env=OURS)
    assert (done.code, done.result["result"].strip()) == (0, DONE), done.out
    assert [call["input"] for call in calls(done)] == [{"command": COMMAND}]
    assert (house.project / "made.txt").read_text() == MADE
    assert done.result["usage"]["cache_read_input_tokens"] > 1000


def test_a_prompt_that_does_not_fit_is_a_clear_error(house: House, proxy):
    done = ask(house, proxy, "--model", "text", env=OURS)
    assert done.result["terminal_reason"] == "prompt_too_long", done.out
    assert "2048" in done.result["result"]


def test_a_model_that_is_not_there(house: House, proxy):
    done = ask(house, proxy, "--model", "nobody", env=OURS)
    assert (done.code, done.result["terminal_reason"]) == (1, "api_error"), done.out
    assert "It has: hermes, " in done.result["result"]


def test_a_server_behind_it_that_is_down(house: House, proxy):
    done = ask(house, proxy, "--model", "dead", env=OURS)
    assert (done.code, done.result["terminal_reason"]) == (75, "api_error"), done.out
    assert len(done.of("system", "api_retry")) == 1


def test_a_wrong_key(house: House, proxy):
    done = ask(house, proxy, "--model", "text", env=OURS | {"OPENAI_API_KEY": "sk-wrong"})
    assert (done.code, done.result["terminal_reason"]) == (1, "api_error"), done.out
    assert "OPENAI_API_KEY holds a key that it does not take" in done.result["result"]
