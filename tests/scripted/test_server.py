"""The endpoint over real sockets: what a client gets, and what the server says of what it got."""

import asyncio
import http.client
import json
import re
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from harness.scripted.script import steps
from harness.scripted.server import running, serve

USER = {"role": "user", "content": "fix a.py please"}


def client():
    """Without certificates: loading them takes longer than everything else here."""
    return httpx.Client(verify=False, timeout=10)


def ask(server, *messages, **body):
    """One chat request; the answer as httpx read it."""
    body = {"model": "m", "messages": list(messages) or [USER], **body}
    with client() as http_client:
        return http_client.post(f"{server.url}/chat/completions", json=body)


def get(url, **headers):
    with client() as http_client:
        return http_client.get(url, headers=headers)


def stream(server, *messages):
    """A streamed answer's events, parsed, and whether it ended with [DONE]."""
    answer = ask(server, *messages, stream=True, stream_options={"include_usage": True})
    *events, end = [part.removeprefix("data: ") for part in answer.text.strip().split("\n\n")]
    return [json.loads(event) for event in events], end == "[DONE]"


def after(tool, text, *, arguments="{}"):
    """A conversation in which `tool` was called and answered `text`."""
    call = {"id": "c1", "type": "function", "function": {"name": tool, "arguments": arguments}}
    return [
        USER,
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": text},
    ]


def test_whole_answer():
    with running(
        steps({"text": "Hi", "reasoning": "hm", "calls": [{"name": "Read", "arguments": {"n": 1}}]})
    ) as server:
        answer = ask(server).json()
    message = answer["choices"][0]["message"]
    assert (message["content"], message["reasoning_content"]) == ("Hi", "hm")
    assert message["tool_calls"][0]["function"] == {"name": "Read", "arguments": '{"n":1}'}
    assert answer["choices"][0]["finish_reason"] == "tool_calls"


def test_streamed_answer_adds_up():
    step = {
        "text": "naïve ✓",
        "calls": [{"name": "A", "arguments": {"x": "é" * 20}}, {"name": "B"}],
        "pace": {"characters": 3},
    }
    with running(steps(step)) as server:
        events, done = stream(server)
    deltas = [event["choices"][0]["delta"] for event in events if event["choices"]]
    calls = [call for delta in deltas for call in delta.get("tool_calls", [])]
    assert done
    assert "".join(delta.get("content", "") for delta in deltas) == "naïve ✓"
    assert json.loads("".join(call["function"]["arguments"] for call in calls if call["index"] == 0)) == {"x": "é" * 20}
    assert [call["id"] for call in calls if "id" in call] == ["call_1_0", "call_1_1"]
    assert events[-1]["usage"]["prompt_tokens"] > 0


def test_usage_only_for_who_asks_and_growing():
    with running(steps({"text": "a", "times": "always"})) as server:
        quiet = ask(server, stream=True).text
        sizes = [
            ask(server, {"role": "user", "content": "x" * n}).json()["usage"]["prompt_tokens"] for n in (1, 100, 1000)
        ]
    assert "usage" not in quiet
    assert sizes == sorted(set(sizes))


def test_usage_as_told_and_none():
    told = {"prompt_tokens": 9, "completion_tokens": 2, "cached_tokens": 4}
    with running(steps({"usage": told}, {"usage": False})) as server:
        usage = ask(server).json()["usage"]
        assert "usage" not in ask(server).json()
    assert (usage["total_tokens"], usage["prompt_tokens_details"]) == (11, {"cached_tokens": 4})


def test_arguments_come_from_what_was_read():
    edit = {
        "when": {"tool": "Read", "result": r"(?m)^(?P<n>\d+)\t(?P<old>.*bug.*)$", "user": r"fix (?P<file>\S+)"},
        "calls": [{"name": "Edit", "arguments": {"file": "{{file}}", "line": "{{n|int}}", "old": "{{old}}"}}],
    }
    with running(steps(edit)) as server:
        answer = ask(server, *after("Read", "1\tfine\n2\t  a bug {{here}}\n")).json()
    arguments = answer["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"]
    assert json.loads(arguments) == {"file": "a.py", "line": 2, "old": "  a bug {{here}}"}


@pytest.mark.parametrize(
    ("when", "answered"),
    [
        ({"request": 1}, True),
        ({"request": 2}, False),
        ({"last": "tool"}, True),
        ({"last": "user"}, False),
        ({"messages": 3}, True),
        ({"messages": 2}, False),
        ({"tool": "Bash"}, True),
        ({"tool": "Read"}, False),
        ({"tool": "Bash", "result": "2 passed"}, True),
        ({"result": ["passed", "failed"]}, False),
        ({"any_result": "passed"}, True),
        ({"user": "please$"}, True),
        ({"any_user": ["please", "^."]}, True),
        ({"any_user": "passed"}, False),
        ({"system": "."}, False),
    ],
)
def test_conditions(when, answered):
    with running(steps({"when": when})) as server:
        assert (ask(server, *after("Bash", "2 passed")).status_code == 200) is answered


def test_any_result_takes_the_newest():
    step = {"when": {"any_result": r"v(?P<v>\d)"}, "text": "{{v}}"}
    conversation = after("Read", "v1") + after("Read", "v2")[1:]
    with running(steps(step)) as server:
        assert ask(server, *conversation).json()["choices"][0]["message"]["content"] == "2"


def test_any_user_takes_the_newest_and_finds_older_ones_too():
    told = [{"role": "user", "content": text} for text in ("at 1 of a", "at 2", "go on")]
    both = {"when": {"any_user": [r"at (?P<at>\d)", r"of (?P<of>\w)"]}, "text": "{{at}} of {{of}}"}
    with running(steps(both)) as server:
        assert ask(server, *told).json()["choices"][0]["message"]["content"] == "2 of a"


def test_steps_are_used_up_in_order():
    with running(steps({"text": "a", "times": 2}, {"text": "b"})) as server:
        texts = [ask(server).json()["choices"][0]["message"]["content"] for _ in range(3)]
        end = ask(server)
    assert texts == ["a", "a", "b"]
    assert end.status_code == 400
    assert "no step answers request 4" in end.json()["error"]["message"]
    assert [received.step for received in server.requests] == ["step 1", "step 1", "step 2", None]
    assert server.failures == [end.json()["error"]["message"]]


@pytest.mark.parametrize(
    ("expect", "why"),
    [
        ({"contains": "a.py"}, None),
        ({"contains": ["a.py", "b.py"]}, "expected 'b.py' in a message"),
        ({"lacks": "please"}, "did not expect 'please'"),
        ({"tools": "Read"}, "expected the tool Read to be offered"),
        ({"fields": {"stream_options.include_usage": True}}, "to be True, not absent"),
        ({"fields": {"model": "m"}}, None),
        ({"headers": {"Content-Type": "json$"}}, None),
        ({"headers": {"Authorization": "."}}, "expected the header authorization"),
    ],
)
def test_expectations(expect, why):
    with running(steps({"expect": expect})) as server:
        answer = ask(server)
    assert answer.status_code == (400 if why else 200)
    assert not why or why in answer.json()["error"]["message"]
    assert len(server.failures) == bool(why)


def test_capture_that_is_no_number_is_a_failure():
    with running(steps({"calls": [{"name": "A", "arguments": {"n": "{{user|int}}"}}]})) as server:
        assert "no whole number" in ask(server).json()["error"]["message"]


def test_malformed_conversation_is_refused():
    with running(steps({})) as server:
        answer = ask(server, *after("Read", "x", arguments="{"))
    assert answer.status_code == 400
    assert "arguments must be the JSON text of an object" in server.failures[0]


def test_fault_with_headers_then_success():
    busy = {"http": {"status": 429, "headers": {"Retry-After": "1"}, "error": "slow down"}}
    with running(steps(busy, {"text": "ok"})) as server:
        first, second = ask(server), ask(server)
    assert (first.status_code, first.headers["retry-after"]) == (429, "1")
    assert first.json()["error"]["message"] == "slow down"
    assert second.status_code == 200


def test_raw_body():
    page = {"http": {"body": "<html>Sign in, {{user}}</html>", "content_type": "text/html"}}
    with running(steps(page)) as server:
        answer = ask(server, stream=True)
    assert answer.headers["content-type"] == "text/html"
    assert answer.text == "<html>Sign in, fix a.py please</html>"


def test_closes_in_the_middle():
    with running(steps({"text": "x" * 1000, "http": {"close_after": 300}})) as server:
        got = b""
        body = {"model": "m", "messages": [USER], "stream": True}
        with client() as http_client, http_client.stream("POST", f"{server.url}/chat/completions", json=body) as answer:
            pieces = answer.iter_bytes()
            while len(got) < 300:
                got += next(pieces)
            with pytest.raises(httpx.RemoteProtocolError, match="incomplete chunked read"):
                next(pieces)
    assert len(got) == 300
    assert server.requests[0].sent is None


def test_closes_without_a_byte():
    with running(steps({"http": {"drop": True}})) as server, pytest.raises(httpx.RemoteProtocolError):
        ask(server)


@pytest.mark.parametrize("http", [{"silence": True}, {"stall_after": 0}, {"stall_after": 50}])
def test_never_ends_until_the_client_goes(http):
    with running(steps({"text": "x" * 100, "http": http}, {})) as server:
        with client() as http_client, pytest.raises(httpx.ReadTimeout):
            http_client.post(f"{server.url}/chat/completions", json={"model": "m", "messages": [USER]}, timeout=0.1)
        assert ask(server).status_code == 200


def test_same_bytes_whatever_their_split():
    with running(steps(*({"text": "é✓" * 30, "pace": {"bytes": size}} for size in (1, 7, 4096)))) as server:
        texts = [ask(server, stream=True).text for _ in range(3)]
    assert (
        len({re.sub(r'"id":"chatcmpl-\d","object":"chat.completion.chunk","created":\d+', "", text) for text in texts})
        == 1
    )
    assert all(text.endswith("data: [DONE]\n\n") for text in texts)


def test_pace():
    with running(steps({"text": "abc", "pace": {"first_byte": 0.1, "between": 0.02, "characters": 1}})) as server:
        began = time.monotonic()
        ask(server, stream=True)
    received = server.requests[0]
    assert began <= received.arrived
    assert received.sent is not None
    assert received.sent - received.arrived >= 0.1 + 5 * 0.02


def test_models_and_unknown_ones():
    with running(steps({}, models=["big"], context_window=4096)) as server:
        listed = get(f"{server.url}/models").json()["data"]
        missing = ask(server)
        assert ask(server, model="big").status_code == 200
    assert [(model["id"], model["max_model_len"]) for model in listed] == [("big", 4096)]
    assert (missing.status_code, missing.json()["error"]["type"]) == (404, "model_not_found")


def test_key_is_asked_for():
    with running(steps({}, api_key="k")) as server:
        assert ask(server).status_code == 401
        assert get(f"{server.url}/models", Authorization="Bearer k").status_code == 200


def test_other_paths_are_not_here():
    with running(steps({})) as server:
        assert get(f"{server.url}/chat/completions").status_code == 404
        assert get(f"{server.url}/responses").status_code == 404


def test_connection_is_kept_and_chunked_requests_are_read():
    body = json.dumps({"model": "m", "messages": [USER]}).encode()
    with running(steps({"text": "a"}, {"text": "b"})) as server:
        connection = http.client.HTTPConnection(server.url.split("/")[2], timeout=5)
        for _ in range(2):
            pieces = iter([body[:10], body[10:]])
            connection.request(
                "POST", "/v1/chat/completions", pieces, {"Content-Type": "application/json"}, encode_chunked=True
            )
            assert connection.getresponse().read().startswith(b'{"id"')
        connection.close()
    assert len(server.requests) == 2


@pytest.mark.parametrize(
    "sent",
    [
        b"HELLO\r\n\r\n",
        b"POST /v1/chat/completions HTTP/1.1\r\ncontent-length: x\r\n\r\n",
        b"POST /v1/chat/completions HTTP/1.1\r\ncontent-length: -1\r\n\r\n",
        b"POST /v1/chat/completions HTTP/1.1\r\ncontent-length: 99999999999\r\n\r\n",
        b"POST /v1/chat/completions HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        b"GET / HTTP/1.1\r\nx: " + b"y" * 100_000 + b"\r\n\r\n",
    ],
)
async def test_bytes_that_are_no_request(sent):
    async with serve(steps({})) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(server.url.split(":")[2].split("/")[0]))
        writer.write(sent)
        answer = await reader.read()
        writer.close()
        await writer.wait_closed()
    assert answer.startswith(b"HTTP/1.1 400 Bad Request")


def test_clients_side_by_side():
    slow = {"text": "ok", "times": "always", "pace": {"first_byte": 0.2}}
    with running(steps(slow)) as server, ThreadPoolExecutor(8) as pool:
        began = time.monotonic()
        answers = list(pool.map(lambda _: ask(server).status_code, range(8)))
    assert answers == [200] * 8
    assert time.monotonic() - began < 1.2


def test_stops_with_clients_connected():
    with running(steps({"http": {"silence": True}})) as server:
        connection = http.client.HTTPConnection(server.url.split("/")[2], timeout=5)
        connection.request("POST", "/v1/chat/completions", json.dumps({"model": "m", "messages": [USER]}))
        while not server.requests:
            time.sleep(0.01)
    with pytest.raises(ConnectionError):
        connection.getresponse()
    connection.close()


def test_address_in_use_is_an_error():
    with running(steps({})) as server:
        port = int(server.url.split(":")[2].split("/")[0])
        with pytest.raises(OSError, match="in use"), running(steps({}), port=port):
            pass
