"""What servers of each kind tell, and what is made of it."""

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.providers import profile as profiles
from harness.providers.http import client
from harness.providers.probe import probe
from harness.providers.profile import Price, Profile
from tests.providers import kinds
from tests.providers.server import HELLO, answer, error, serving, silent


async def probed(url: str, model: str = "m", limit: float = 5.0) -> Profile:
    async with client(url, {}, None) as asking:
        return await probe(asking, url, model, limit)


async def told(paths: Mapping[str, Any]) -> Profile:
    async with kinds.kind(paths) as server:
        found = await probed(server.url)
    assert not [asked for asked in server.asked if "chat" in asked.path]
    assert found.probed == time.strftime("%Y-%m-%d")
    return found


@pytest.mark.parametrize(
    ("paths", "server", "window", "trained"),
    [
        (kinds.VLLM, "vLLM", 40960, None),
        (kinds.SGLANG, "SGLang", 65536, None),
        (kinds.LLAMA, "llama.cpp", 2048, 131072),  # of one slot
        (kinds.ollama(), "Ollama", 4096, 131072),
        (kinds.LM_STUDIO, "LM Studio", 8192, 262144),
        (kinds.LM_STUDIO_OLD, "LM Studio", 4096, 131072),
        (kinds.OPENROUTER, "OpenRouter", 131072, None),
        (kinds.LITELLM, "LiteLLM", 200000, None),
        (kinds.TGI, "TGI", 16384, None),
        (kinds.PLAIN, "", None, None),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
async def test_kind_and_window_are_known_by_what_is_answered(
    paths: Mapping[str, Any], server: str, window: int | None, trained: int | None
):
    found = await told(paths)
    assert (found.server, found.context_window, found.trained_window) == (server, window, trained)
    assert found.window_from == ("server" if window else "")
    assert found.models == ("m",)


async def test_abilities_and_ways_to_count():
    llama, ollama = await told(kinds.LLAMA), await told(kinds.ollama())
    assert (llama.tools, llama.reasoning, llama.images, llama.tokenizer) == (True, True, False, "llama.cpp")
    assert (ollama.tools, ollama.reasoning, ollama.images, ollama.tokenizer) == (True, True, False, "")
    assert (await told(kinds.VLLM)).tokenizer == "vllm"
    assert (await told(kinds.VLLM)).version == "0.33.0"


async def test_routers_tell_prices_and_output_caps():
    router, proxy = await told(kinds.OPENROUTER), await told(kinds.LITELLM)
    assert router.price
    assert (router.price.input, router.price.output, router.price.cached) == pytest.approx((0.4, 1.6, 0.1))
    assert (router.tools, router.max_output) == (True, 65536)
    assert (proxy.price, proxy.max_output) == (Price(1.0, 2.0), 8192)


async def test_a_list_that_tells_the_window_is_all_that_is_asked():
    async with kinds.kind({"/v1/models": kinds.listed(max_model_len=1000)}) as server:
        await probed(server.url)
    assert [asked.path for asked in server.asked] == ["/v1/models"]


async def test_a_model_that_is_not_loaded_has_the_window_of_its_modelfile_or_none():
    paths = kinds.ollama(loaded=lambda: False)
    assert (found := await told(paths)).context_window is None
    assert not found.loaded
    set_ = {**paths["/api/show"]({}), "parameters": "num_ctx                        16384"}
    assert (await told({**paths, "/api/show": lambda _body: set_})).context_window == 16384


async def test_a_name_in_the_table_gives_a_window_where_the_server_gives_none():
    async with kinds.kind({"/v1/models": {"data": [{"id": "org/GLM-5.1"}]}}) as server:
        found = await probed(server.url, "org/GLM-5.1")
    assert (found.context_window, found.window_from) == (200000, "table")


async def test_nothing_there_is_an_empty_profile_that_is_not_dated():
    assert await probed("http://127.0.0.1:9/v1") == Profile()


async def test_a_server_that_hangs_costs_no_more_than_the_limit():
    async with serving(silent(5)) as server:
        began = time.monotonic()
        assert await probed(server.url, limit=0.1) == Profile()
    assert time.monotonic() - began < 1


@pytest.mark.parametrize(
    "say", [error(401, "key"), answer("<html>"), answer("[" * 9999), answer('{"data": [1, {}]}'), HELLO]
)
async def test_answers_that_say_nothing(say: Any):
    async with serving(say) as server:
        found = await probed(server.url)
    assert (found.server, found.context_window) == ("", None)
    assert found.probed


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["data", "models", "id", "name", "meta", "model_info", "context_length", "pricing", "prompt"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(JSON)
async def test_no_answer_of_any_shape_is_an_error(value: Any):
    async def post(_path: str, _body: Any) -> Any:
        return value

    from harness.providers.kinds import KINDS, from_list

    from_list([entry for entry in [value] if isinstance(entry, dict)], "m")
    for one in KINDS:
        await one.read(value if isinstance(value, dict) else {"models": value, "data": value}, "m", post)


def test_it_is_cached_with_its_date(tmp_path: Path):
    file = tmp_path / "learnt.json"
    known = Profile(
        "vLLM", models=("m",), context_window=5, window_from="server", price=Price(1, 2), probed="2026-01-02"
    )
    profiles.save(file, "http://a/v1", "m", known)
    assert profiles.load(file, "http://a/v1", "m") == known
    assert profiles.load(file, "http://a/v1", "n") is None
    assert not known.fresh


@pytest.mark.parametrize("damage", [5, {"context_window": "x", "models": 3, "price": {"input": "a"}}, {"loaded": None}])
def test_a_damaged_cache_is_as_none_of_it(tmp_path: Path, damage: Any):
    file = tmp_path / "learnt.json"
    file.write_text(json.dumps({"http://a/v1 m": {"profile": damage}}))
    assert profiles.load(file, "http://a/v1", "m") in {None, Profile()}
