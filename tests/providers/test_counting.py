"""Estimates of tokens."""

from pathlib import Path
from typing import Literal

import anyio
import pytest

from harness.messages import Assistant, Text, Usage, User
from harness.providers.counting import Counter, whole
from harness.providers.http import client
from harness.providers.recount import by_server, by_vocabulary
from harness.providers.tokens import tokens
from tests.providers.server import TOOLS, answer, request, serving, silent

PROSE = "The quick brown fox jumps over the lazy dog and runs into the forest. " * 20


def test_prose_is_about_a_token_a_word():
    assert 0.8 < tokens(PROSE) / len(PROSE.split()) < 1.4


def test_digits_and_chinese_count_by_the_character():
    assert tokens("1234567890") > 7
    assert tokens("中文字符") > 2.5


def test_an_estimate_holds_system_tools_and_messages():
    counter = Counter()
    small = counter.estimate(request(User((Text("Hi"),))))
    large = counter.estimate(request(User((Text(PROSE),)), tools=TOOLS))
    assert large > small + tokens(PROSE)


def test_what_the_server_counted_is_the_anchor():
    counter = Counter()
    first = request(User((Text("Hi"),)))
    counter.counted(first, Usage(5000, 10))
    more = [*first.messages, Assistant("m", (Text("ok"),)), User((Text("again"),))]
    assert 5000 < counter.estimate(request(*more)) < 5100


def test_another_history_starts_afresh():
    counter = Counter()
    counter.counted(request(User((Text("Hi"),))), Usage(5000, 10))
    assert counter.estimate(request(User((Text("Hi"),)))) != 5000


def test_without_a_whole_vocabulary_on_disk_there_is_no_count_and_no_download(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path))
    assert by_vocabulary(request()) is None
    damaged = tmp_path / "fb374d419588a4632f3f557e76b4b70aebbca790"
    damaged.write_bytes(b"YQ== 0\n")  # tiktoken would remove it and fetch another
    assert by_vocabulary(request()) is None
    assert damaged.exists()


def test_another_rule_counts_the_same_parts():
    assert whole(request(User((Text("abcd"),)), system="xy"), len) == 2 + 2 + 4 + 4 + 4


@pytest.mark.parametrize("route", ["vllm", "llama.cpp"])
@pytest.mark.parametrize("body", ['{"count": 0}', '{"tokens": []}', '{"prompt": 5}', "[]", "<html>", '{"count": "x"}'])
async def test_an_answer_that_is_no_count_is_none(route: Literal["vllm", "llama.cpp"], body: str):
    async with serving(answer(body)) as server, client(server.url, {}, None) as asking:
        assert await by_server(asking, server.url.removesuffix("/v1"), route, {"messages": []}) is None


async def test_vllm_counts_messages_and_tools():
    async with serving(answer('{"count": 42}')) as server, client(server.url, {}, None) as asking:
        body = {"model": "m", "messages": [], "tools": [], "stream": True}
        assert await by_server(asking, server.url.removesuffix("/v1"), "vllm", body) == 42
    assert server.asked[0].path == "/tokenize"
    assert server.asked[0].json == {"model": "m", "messages": [], "tools": [], "add_generation_prompt": True}


async def test_a_slow_tokenizer_is_not_waited_for():
    async with serving(silent(5)) as server, client(server.url, {}, None) as asking:
        with anyio.fail_after(3):
            assert await by_server(asking, server.url.removesuffix("/v1"), "vllm", {}) is None
