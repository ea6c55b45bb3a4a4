"""Servers on this machine, who owns them, and which model is meant."""

import json
import os
from pathlib import Path

import pytest

from harness.errors import ProviderError, UsageError
from harness.providers import ModelChoice, Options, chosen_model, connect
from harness.providers.discover import FoundServer, NoServer, find_servers, only_one
from harness.providers.options import normal_base_url, shown_url
from harness.providers.owner import is_trusted, owner_of
from harness.providers.port import Told
from harness.providers.servers import Server
from tests.providers.server import answer, error, serving

MODELS = answer(json.dumps({"data": [{"id": "qwen3"}]}))


async def test_servers_are_found_with_their_models_and_asked_without_a_key(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    async with serving(MODELS) as one, serving(error(401, "key")) as other, serving(answer("<html>")) as page:
        servers = [Server("A", one.port, ""), Server("B", other.port, ""), Server("C", page.port, "")]
        found = await find_servers([*servers, Server("D", 1, "")])
    assert [(server.name, server.models, server.trusted) for server in found] == [
        ("A", ("qwen3",), True),
        ("B", (), True),
    ]
    assert all("authorization" not in asked.headers for asked in one.asked + other.asked)


async def test_a_listener_is_ours():
    async with serving(MODELS) as server:
        assert owner_of(server.port) == {os.getuid()}
        assert is_trusted(server.port)
    assert not is_trusted(1)


def test_owners_are_read_from_proc(tmp_path: Path):
    head = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
    line = "   0: 0100007F:{port} 00000000:0000 {state} 00000000:00000000 00:00000000 00000000 {uid}  0 1 1\n"
    (tmp_path / "tcp").write_text(
        head + line.format(port="2CAA", state="0A", uid=1234) + line.format(port="2CAA", state="01", uid=5)
    )
    assert owner_of(11434, tmp_path) == {1234}
    assert owner_of(80, tmp_path) == set()
    assert owner_of(80, tmp_path / "none") is None


def found(name: str = "Ollama", *, trusted: bool = True) -> FoundServer:
    return FoundServer(name, "http://127.0.0.1:11434/v1", ("m",), trusted)


def test_one_server_of_ours_is_used():
    assert only_one([found()]) == found()


@pytest.mark.parametrize(
    ("servers", "words"),
    [([], "none was found"), ([found(), found("vLLM")], "Several"), ([found(trusted=False)], "another user")],
)
def test_what_is_not_used_unasked(servers: list[FoundServer], words: str):
    with pytest.raises(NoServer, match=words) as caught:
        only_one(servers)
    assert caught.value.exit_code == 2
    assert "OPENAI_BASE_URL" in caught.value.mend
    assert list(caught.value.found) == servers


async def test_nothing_is_asked_where_url_and_model_are_given():
    async with serving(MODELS) as server:
        provider = await connect(Options(base_url=server.url, model="m"), lambda _: None)
        await provider.aclose()
    assert server.asked == []
    assert provider.model.id == "m"
    assert provider.model.endpoint == server.url


async def test_the_only_model_served_is_taken():
    async with serving(MODELS) as server:
        provider = await connect(Options(base_url=server.url), lambda _: None)
        await provider.aclose()
    assert provider.model.id == "qwen3"


@pytest.mark.parametrize(("ids", "words"), [(["a", "b"], "several models: a, b"), ([], "no model loaded")])
async def test_a_model_has_to_be_chosen(ids: list[str], words: str):
    models = answer(json.dumps({"data": [{"id": one} for one in ids]}))
    async with serving(models) as server:
        with pytest.raises(ModelChoice, match=words) as caught:
            await connect(Options(base_url=server.url), lambda _: None)
    assert list(caught.value.models) == ids


async def test_a_server_that_lists_no_models_is_an_error():
    async with serving(answer("<html>")) as server:
        with pytest.raises(ProviderError, match="no list of models"):
            await connect(Options(base_url=server.url), lambda _: None)


@pytest.mark.parametrize(
    ("options", "model", "times_told"),
    [
        (Options(model="sonnet", aliases={"sonnet": "qwen"}), "qwen", 0),
        (Options(model="sonnet", default_model="glm"), "glm", 1),
        (Options(model="sonnet"), None, 1),
        (Options(model="x", default_model="glm"), "x", 0),
        (Options(default_model="glm"), "glm", 0),
        (Options(default_model="opus"), None, 1),
        (Options(model="opus", default_model="sonnet", aliases={"sonnet": "qwen"}), "qwen", 1),
        (Options(), None, 0),
    ],
)
def test_which_model_is_meant(options: Options, model: str | None, times_told: int):
    told: list[Told] = []
    assert chosen_model(options, told.append) == model
    assert len(told) == times_told


def test_flags_win_over_the_environment_and_that_over_settings():
    env = {"OPENAI_MODEL": "env", "OPENAI_API_KEY": " k \n", "API_TIMEOUT_MS": "5000"}
    options = Options.from_environment(env, model="flag", default_model="setting")
    assert (options.model, options.default_model, options.api_key) == ("flag", "env", "k")
    assert options.first_byte_timeout == 5.0


def test_a_variable_that_is_no_number_is_named():
    with pytest.raises(UsageError, match="API_TIMEOUT_MS"):
        Options.from_environment({"API_TIMEOUT_MS": "soon"})


@pytest.mark.parametrize(
    ("given", "used"),
    [
        ("http://localhost:8000/v1/", "http://localhost:8000/v1"),
        ("localhost:11434", "http://localhost:11434/v1"),
        ("https://x.test/api/chat/completions", "https://x.test/api"),
    ],
)
def test_base_urls_are_made_normal(given: str, used: str):
    assert normal_base_url(given) == used


@pytest.mark.parametrize("given", ["ftp://x", "http://", "http://x:99999/v1", "::"])
def test_what_is_no_address_is_refused(given: str):
    with pytest.raises(UsageError, match="no HTTP address"):
        normal_base_url(given)


def test_credentials_in_a_url_are_not_shown():
    assert shown_url("http://me:secret@host:1/v1") == "http://host:1/v1"


async def test_a_key_that_no_header_can_hold_is_refused():
    with pytest.raises(UsageError, match="OPENAI_API_KEY"):
        await connect(Options(base_url="http://127.0.0.1:1/v1", model="m", api_key="a\nb"), lambda _: None)
