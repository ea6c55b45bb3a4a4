"""The window of the model in use: when it is asked for, what is assumed, what refusals and usage teach."""

import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest

from harness.messages import Assistant, Text, User
from harness.mux import aside
from harness.providers import Options, connect
from harness.providers.chat import ChatProvider
from harness.providers.port import MessageEnd, ModelEvent, Request, Told
from tests.providers import kinds
from tests.providers.server import STREAM_HEAD, RawServer, Say, error, event, raw, request, silent


@asynccontextmanager
async def connected(server: RawServer, tmp_path: Path, **more: Any) -> AsyncIterator[ChatProvider]:
    options = Options(base_url=server.url, model="m", learnt_file=tmp_path / "learnt.json", **more)
    async with anyio.create_task_group() as tasks:
        provider = await connect(options, lambda _told: None, partial(aside, tasks))
        yield provider
        await provider.aclose()
        tasks.cancel_scope.cancel()


async def asked(provider: ChatProvider, what: Request | None = None) -> list[ModelEvent]:
    return [event async for event in provider.stream(what or request())]


def told(events: list[ModelEvent], cause: str) -> list[Told]:
    return [event for event in events if isinstance(event, Told) and event.cause == cause]


def counts(*read: int) -> Say:
    """Chats whose usage says that so many tokens were read, one figure a request, the last for ever."""
    left = list(read)

    async def say(asked: Any, writer: Any) -> None:
        count = left.pop(0) if len(left) > 1 else left[0]
        usage = {"prompt_tokens": count, "completion_tokens": 2}
        await raw(STREAM_HEAD + event({"content": "ok"}) + event({}, "stop", usage=usage) + b"data: [DONE]\n\n")(
            asked, writer
        )

    return say


WORDS = "word " * 1000


def talk(turns: int = 12, first: str = WORDS, more: str = WORDS) -> list[Any]:
    """A conversation that grows by about a thousand tokens a turn. Turn n's history is `[: 2 * n - 1]` of it."""
    history: list[Any] = [User((Text(first),))]
    for turn in range(1, turns):
        history += [Assistant(f"a{turn}", (Text("ok"),)), User((Text(more),))]
    return history


async def cuts(provider: ChatProvider, history: list[Any]) -> list[list[Told]]:
    """What is told of silent truncation in each turn of the conversation."""
    turns = range(1, len(history) + 1, 2)
    return [told(await asked(provider, request(*history[:n])), "truncation") for n in turns]


async def test_the_first_request_knows_the_window_without_a_cache(tmp_path: Path):
    async with kinds.kind(kinds.LLAMA) as server, connected(server, tmp_path) as provider:
        events = await asked(provider)
        assert provider.model.context_window == 2048
    assert not told(events, "window")


async def test_with_a_cache_nothing_is_asked(tmp_path: Path):
    async with kinds.kind(kinds.LLAMA) as server:
        async with connected(server, tmp_path) as provider:
            await asked(provider)
        before = len(server.asked)
        async with connected(server, tmp_path) as provider:
            assert provider.model.context_window == 2048
            await asked(provider)
    assert [one.path for one in server.asked[before:]] == ["/v1/chat/completions"]


async def test_an_old_cache_is_used_at_once_and_renewed_after_the_first_answer(tmp_path: Path):
    async with kinds.kind(kinds.LLAMA) as server:
        async with connected(server, tmp_path) as provider:
            await asked(provider)
        file = tmp_path / "learnt.json"
        file.write_text(file.read_text().replace(time.strftime("%Y-%m-%d"), "2026-01-01").replace("2048", "1024"))
        before = len(server.asked)
        async with connected(server, tmp_path) as provider:
            assert provider.model.context_window == 1024
            await asked(provider)
            assert server.asked[before].path == "/v1/chat/completions"
            with anyio.fail_after(5):
                while provider.model.context_window != 2048:
                    await anyio.sleep(0.01)


async def test_nobody_knows_so_32k_are_assumed_and_it_is_said_once(tmp_path: Path):
    async with kinds.kind(kinds.PLAIN) as server:
        async with connected(server, tmp_path) as provider:
            said = told([*await asked(provider), *await asked(provider)], "window")
            assert provider.model.context_window == 32768
        async with connected(server, tmp_path) as provider:
            again = told(await asked(provider), "window")
    assert ["32,768 tokens are assumed" in one.text for one in said] == [True]
    assert not again


async def test_a_silent_list_of_models_delays_the_first_request_by_300_ms(tmp_path: Path):
    began = time.monotonic()
    async with kinds.kind({"/v1/models": silent(2)}) as server, connected(server, tmp_path) as provider:
        said = told(await asked(provider), "window")
    assert 0.3 <= time.monotonic() - began < 1.5
    assert said


async def test_the_persons_setting_wins(tmp_path: Path):
    own = {"context_window": 10_000, "max_output": 500}
    async with kinds.kind(kinds.VLLM, counts(50)) as server, connected(server, tmp_path, **own) as provider:
        await asked(provider)
        assert (provider.model.context_window, provider.model.max_output) == (10_000, 500)
    chat = next(one for one in server.asked if "chat" in one.path)
    assert chat.json["max_tokens"] == 500


async def test_an_overflow_teaches_the_window_for_later_sessions(tmp_path: Path):
    refused = error(
        400, "This model's maximum context length is 9000 tokens. However, your prompt contains 9500 tokens"
    )
    async with kinds.kind(kinds.PLAIN, refused) as server:
        async with connected(server, tmp_path) as provider:
            with pytest.raises(Exception, match="9000"):
                await asked(provider)
        async with connected(server, tmp_path) as provider:
            assert provider.model.context_window == 9000


async def test_a_model_that_is_loaded_by_the_first_request_is_asked_about_then(tmp_path: Path):
    chats: list[Any] = []

    async def chat(asked: Any, writer: Any) -> None:
        chats.append(asked)
        await counts(50)(asked, writer)

    paths = kinds.ollama(loaded=lambda: bool(chats))
    async with kinds.kind(paths, chat) as server, connected(server, tmp_path) as provider:
        await asked(provider)
        with anyio.fail_after(5):
            while provider.model.context_window != 4096:
                await anyio.sleep(0.01)


async def test_what_ollama_drops_silently_is_told_once_with_the_mend(tmp_path: Path):
    chat = counts(1300, 2300, 3300, 4050, 3050, 4050)
    async with kinds.kind(kinds.ollama(), chat) as server, connected(server, tmp_path) as provider:
        said = await cuts(provider, talk(7))
    assert [len(one) for one in said[:3]] == [0, 0, 0]
    [only] = [one for turn in said for one in turn]
    assert only.level == "warning"
    assert "Ollama" in only.text
    assert "4,096" in only.text
    for mend in ("OLLAMA_CONTEXT_LENGTH=", "PARAMETER num_ctx", "/api/create"):
        assert mend in only.mend


async def test_a_first_request_cut_to_the_window_is_told(tmp_path: Path):
    async with kinds.kind(kinds.ollama(), counts(4096)) as server, connected(server, tmp_path) as provider:
        said = told(await asked(provider, request(*talk())), "truncation")
    assert "read only 4,096" in said[0].text


async def test_a_figure_that_stays_flat_is_told_and_the_window_learnt(tmp_path: Path):
    chat = counts(10_300, 10_310, 10_290, 10_310)
    async with kinds.kind(kinds.PLAIN, chat) as server, connected(server, tmp_path) as provider:
        said = await cuts(provider, talk(5, WORDS * 10, "word " * 300))
        assert provider.model.context_window == 10_290
    assert [len(one) for one in said] == [0, 0, 1, 0, 0]
    assert "--max-model-len" in said[2][0].mend


@pytest.mark.parametrize("rate", [0.7, 0.9, 1.4])  # tokenizers differ
async def test_honest_figures_raise_no_alarm(tmp_path: Path, rate: float):
    figures = [round((1000 * n + 150) * rate) for n in range(1, 13)]
    async with kinds.kind(kinds.ollama(), counts(*figures)) as server, connected(server, tmp_path) as provider:
        assert not any(await cuts(provider, talk()))


async def test_a_small_constant_figure_is_a_servers_mistake_and_no_cut(tmp_path: Path):
    async with kinds.kind(kinds.PLAIN, counts(10)) as server, connected(server, tmp_path) as provider:
        assert not any(await cuts(provider, talk()))


async def test_the_cost_is_the_routers_price_with_cached_tokens_apart(tmp_path: Path):
    usage = {"prompt_tokens": 1000, "completion_tokens": 100, "prompt_tokens_details": {"cached_tokens": 400}}
    chat = raw(STREAM_HEAD + event({"content": "ok"}, "stop", usage=usage) + b"data: [DONE]\n\n")
    async with kinds.kind(kinds.OPENROUTER, chat) as server, connected(server, tmp_path) as provider:
        end = (await asked(provider))[-1]
    assert isinstance(end, MessageEnd)
    assert end.cost == pytest.approx((600 * 0.4 + 400 * 0.1 + 100 * 1.6) / 1e6)


async def test_a_long_first_request_is_counted_by_the_servers_tokenizer(tmp_path: Path):
    def apply(body: Any) -> Any:
        return {"prompt": json.dumps(body["messages"])}

    paths = {
        **kinds.LLAMA,
        "/apply-template": apply,
        "/tokenize": lambda body: {"tokens": list(range(len(body["content"]) // 4))},
    }
    async with kinds.kind(paths) as server, connected(server, tmp_path) as provider:
        long = request(*talk(20))
        await asked(provider, long)
        sent = next(one for one in server.asked if "chat" in one.path).json["messages"]
        assert provider.estimate(long) == len(json.dumps(sent)) // 4
