"""The provider against a real socket: streaming, refusals, retries, time-outs, what is sent."""

import pytest

from harness.errors import ProviderError
from harness.messages import Text, TextDelta, ToolCall, User
from harness.providers.port import CallReady, MessageEnd, Retrying, Told
from tests.providers.server import (
    HELLO,
    STREAM_HEAD,
    TOOLS,
    Clock,
    answer,
    ask,
    error,
    event,
    provider,
    raw,
    request,
    serving,
    silent,
    stream,
    text_of,
)


async def test_text_streams_and_ends_with_the_message():
    async with serving(HELLO) as server:
        events = await ask(provider(server.url))
    assert events[0] == TextDelta("Hello")
    assert text_of(events) == "Hello"
    assert server.asked[0].path == "/v1/chat/completions"


async def test_a_call_is_ready_and_whole():
    call = {"index": 0, "id": "c1", "function": {"name": "Read", "arguments": '{"path": "a"}'}}
    async with serving(stream({"tool_calls": [call]}, finish="tool_calls")) as server:
        events = await ask(provider(server.url), request(tools=TOOLS))
    assert CallReady(ToolCall("c1", "Read", '{"path": "a"}', {"path": "a"})) in events
    assert isinstance(events[-1], MessageEnd)
    assert events[-1].message.stop == "tool_use"


async def test_the_body_holds_what_the_server_needs_in_this_order():
    async with serving(HELLO) as server:
        await ask(provider(server.url), request(tools=TOOLS, max_output=50))
    body = server.asked[0].json
    assert list(body) == ["model", "messages", "tools", "stream", "stream_options", "max_tokens"]
    assert [message["role"] for message in body["messages"]] == ["system", "user"]


async def test_the_key_is_sent_only_where_there_is_one():
    async with serving(HELLO) as server:
        await ask(provider(server.url))
        await ask(provider(server.url, api_key="sk-1"))
    assert "authorization" not in server.asked[0].headers
    assert server.asked[1].headers["authorization"] == "Bearer sk-1"


async def test_a_broken_stream_is_asked_for_again():
    broken = stream({"content": "Hal"}, finish=None, done=False)
    async with serving(broken, HELLO) as server:
        events = await ask(provider(server.url))
    retry = next(event for event in events if isinstance(event, Retrying))
    assert (retry.attempt, retry.kind) == (1, "network")
    assert text_of(events) == "Hello"


async def test_a_connection_reset_in_the_middle_is_asked_for_again():
    half = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: 9999\r\n\r\n"
    async with serving(raw(half + event({"content": "x"})), HELLO) as server:
        assert text_of(await ask(provider(server.url))) == "Hello"


async def test_a_whole_answer_is_kept_when_the_connection_breaks_after_it():
    whole = b"HTTP/1.1 200 OK\r\ncontent-length: 9999\r\n\r\n" + event({"content": "ok"}, "stop")
    async with serving(raw(whole)) as server:
        events = await ask(provider(server.url))
    assert text_of(events) == "ok"
    assert not any(isinstance(event, Retrying) for event in events)


@pytest.mark.parametrize(
    ("headers", "waited"), [({}, [0.5]), ({"retry_after": "7"}, [7.0]), ({"retry_after_ms": "250"}, [0.25])]
)
async def test_an_overloaded_server_is_waited_for(headers: dict[str, str], waited: list[float]):
    clock = Clock()
    async with serving(error(503, "busy", **headers), HELLO) as server:
        assert text_of(await ask(provider(server.url, clock))) == "Hello"
    assert clock.slept == waited


async def test_retries_back_off_and_end():
    clock = Clock()
    async with serving(error(500, "oops")) as server:
        with pytest.raises(ProviderError) as caught:
            await ask(provider(server.url, clock, max_retries=8))
    assert caught.value.kind == "overloaded"
    assert clock.slept == [0.5, 1, 2, 4, 8, 16, 32, 32]


async def test_a_wait_of_an_hour_is_not_waited():
    clock = Clock()
    async with serving(error(429, "slow down", retry_after="3600")) as server:
        with pytest.raises(ProviderError, match="Rate limit"):
            await ask(provider(server.url, clock))
    assert clock.slept == []


async def test_nothing_listening_gives_up_soon_and_says_where_and_how():
    async with serving(HELLO) as server:
        pass
    clock = Clock()
    with pytest.raises(ProviderError) as caught:
        await ask(provider(server.url, clock))
    assert clock.slept == [0.5, 1, 2]
    assert str(server.port) in caught.value.what
    assert "ollama serve" in caught.value.mend
    assert caught.value.exit_code == 75


async def test_a_wrong_key_names_the_variable():
    async with serving(error(401, "bad key")) as server:
        with pytest.raises(ProviderError) as caught:
            await ask(provider(server.url, api_key="sk-x"))
    assert caught.value.kind == "auth"
    assert "OPENAI_API_KEY holds a key that it does not take" in caught.value.mend


async def test_a_wrong_model_lists_those_there_are():
    models = answer('{"data": [{"id": "qwen3"}, {"id": "glm"}]}')
    async with serving(error(404, "The model `m` does not exist."), models) as server:
        with pytest.raises(ProviderError) as caught:
            await ask(provider(server.url))
    assert "no model 'm'" in caught.value.what
    assert "qwen3, glm" in caught.value.mend


async def test_a_wrong_path_points_at_the_base_url():
    async with serving(answer('{"detail": "Not Found"}', 404)) as server:
        with pytest.raises(ProviderError, match="base URL"):
            await ask(provider(server.url))


async def test_a_page_of_html_is_no_answer():
    page = answer("<html><head><title>Sign in</title></head></html>", kind="text/html")
    async with serving(page) as server:
        with pytest.raises(ProviderError, match="Sign in") as caught:
            await ask(provider(server.url))
    assert caught.value.kind == "protocol"


async def test_a_redirect_says_where_to():
    async with serving(answer("", 308, location="https://x.test/v1")) as server:
        with pytest.raises(ProviderError, match=r"https://x\.test/v1"):
            await ask(provider(server.url, max_retries=0))


async def test_a_server_that_never_answers_is_left():
    async with serving(silent(5)) as server:
        with pytest.raises(ProviderError, match=r"sent nothing for 0\.1 s") as caught:
            await ask(provider(server.url, first_byte_timeout=0.1, max_retries=0))
    assert "API_TIMEOUT_MS" in caught.value.mend


async def test_a_stream_that_stalls_is_asked_for_again():
    stalled = silent(5, STREAM_HEAD + event({"content": "x"}))
    async with serving(stalled, HELLO) as server:
        events = await ask(provider(server.url, idle_timeout=0.1))
    assert text_of(events) == "Hello"
    assert "sent nothing for 0.1 s" in next(e.error for e in events if isinstance(e, Retrying))


async def test_comments_count_as_a_sign_of_life():
    async def slow(_asked, writer):
        import asyncio

        writer.write(STREAM_HEAD)
        for _ in range(6):
            writer.write(b": ping\n\n")
            await writer.drain()
            await asyncio.sleep(0.05)
        writer.write(event({"content": "late"}, "stop"))

    async with serving(slow) as server:
        events = await ask(provider(server.url, idle_timeout=0.15, max_retries=0))
    assert text_of(events) == "late"


async def test_what_a_refusal_teaches_is_applied_told_and_remembered(tmp_path):
    refusal = '{"detail": [{"type": "extra_forbidden", "loc": ["body", "stream_options"], "msg": "no"}]}'
    learnt = tmp_path / "learnt.json"
    async with serving(answer(refusal, 422), HELLO) as server:
        events = await ask(provider(server.url, learnt_file=learnt))
        again = await ask(provider(server.url, learnt_file=learnt))
    assert any(isinstance(event, Told) and event.cause == "adapted" for event in events)
    assert "stream_options" not in server.asked[1].json
    assert "stream_options" not in server.asked[2].json
    assert text_of(again) == "Hello"


async def test_a_server_without_tools_gets_them_as_text():
    printed = '<tool_call>\n{"name": "Read", "arguments": {"path": "a"}}\n</tool_call>'
    refusal = error(400, '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set')
    async with serving(refusal, stream({"content": printed})) as server:
        events = await ask(provider(server.url), request(tools=TOOLS))
    assert "tools" not in server.asked[1].json
    assert '"Read"' in server.asked[1].json["messages"][0]["content"]
    assert isinstance(events[-1], MessageEnd)
    assert events[-1].message.calls[0].input == {"path": "a"}


async def test_room_for_the_answer_is_cut_to_what_the_window_has():
    refusal = error(
        400, "maximum context length is 4096 tokens and your request has 3000 input tokens; max_tokens too large"
    )
    async with serving(refusal, HELLO) as server:
        await ask(provider(server.url), request(max_output=2000))
    assert server.asked[1].json["max_tokens"] == 4096 - 3000 - 64


async def test_a_fallback_model_takes_over():
    async with serving(error(503, "busy"), HELLO) as server:
        events = await ask(provider(server.url, max_retries=0, fallback_models=("n",)))
    assert [asked.json["model"] for asked in server.asked] == ["m", "n"]
    assert any(isinstance(event, Told) and event.cause == "fallback" for event in events)


async def test_what_was_streamed_before_a_fallback_is_void():
    broken = stream({"content": "Hal"}, finish="insufficient_system_resource")
    async with serving(broken, HELLO) as server:
        events = await ask(provider(server.url, max_retries=0, fallback_models=("n",)))
    kinds = [type(event) for event in events]
    assert kinds.index(TextDelta) < kinds.index(Told) < kinds.index(Retrying)
    assert text_of(events) == "Hello"


async def test_an_abandoned_stream_closes_its_connection():
    async with serving(silent(5, STREAM_HEAD + event({"content": "x"}))) as server:
        asked = provider(server.url)
        events = asked.stream(request())
        assert await anext(events) == TextDelta("x")
        await events.aclose()
        await asked.aclose()


async def test_a_connection_is_kept_for_the_next_request():
    async def keep(_asked, writer):
        body = event({"content": "a"}, "stop") + b"data: [DONE]\n\n"
        head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
        writer.write(head + b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body))

    async with serving(keep, keep_alive=True) as server:
        asked = provider(server.url)
        for _ in range(3):
            assert [e async for e in asked.stream(request())]
        await asked.aclose()
    assert (server.connections, len(server.asked)) == (1, 3)


async def test_what_was_encoded_stays_byte_for_byte():
    first = User((Text("Hi"),))
    async with serving(HELLO) as server:
        asked = provider(server.url)
        events = [event async for event in asked.stream(request(first))]
        assert isinstance(events[-1], MessageEnd)
        await ask(asked, request(first, events[-1].message, User((Text("Go on"),))))
    before = server.asked[0].body.partition(b'],"stream"')[0]
    assert server.asked[1].body.startswith(before)
