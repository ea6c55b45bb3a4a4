"""`harness wire decode`: captures as users have them, read as the provider reads them."""

import gzip
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from harness.commands.wire import decoded, main
from harness.errors import UsageError
from harness.providers.calls import Offered
from harness.providers.capture import parse_capture
from tests.corpus.wire import body, load, offered

DATA = Path(__file__).parents[1] / "corpus" / "data"
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
STREAM = b'data: {"choices": [{"delta": {"content": "Hi"}, "finish_reason": "stop"}]}\n\ndata: [DONE]\n\n'
CALL = (
    b'data: {"choices": [{"delta": {"tool_calls": [{"index": 0, "id": "c1", "function": {"name": "Read", '
    b'"arguments": "{\\"file_path\\": \\"a\\"}"}}]}, "finish_reason": "tool_calls"}]}\n\n'
)


def wire(capsys: pytest.CaptureFixture[str], file: Path, data: bytes, *flags: str) -> dict[str, Any]:
    file.write_bytes(data)
    assert main(["decode", str(file), *flags]) == 0
    made: dict[str, Any] = json.loads(capsys.readouterr().out)
    return made


def test_through_the_command_line(tmp_path: Path):
    (tmp_path / "a.raw").write_bytes(HEAD + b"\r\n" + CALL)
    command = [sys.executable, "-m", "harness", "wire", "decode", str(tmp_path / "a.raw"), "--server", "vllm"]
    made = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    (call,) = made["calls"]
    assert (call["name"], call["arguments"], call["run"]) == ("Read", {"file_path": "a"}, True)
    assert (made["server"], made["http"]["status"], made["finish"], made["error"]) == ("vllm", 200, "tool_calls", None)


def test_every_case_of_the_corpus_says_what_was_expected():
    cases = [case for case in load(DATA / "cases.jsonl") if "sse_parts" not in case]  # those are megabytes
    made = [decoded(parse_capture(body(case)), offered(case)) for case in cases]
    assert [m["finish"] for m in made] == [case["expect"]["finish"] for case in cases]
    assert [[c["arguments"] for c in m["calls"]] for m in made] == [
        [c["arguments"] for c in case["expect"]["tool_calls"]] for case in cases
    ]
    assert all(bool(m["error"]) or m["finish"] not in {"error", "aborted"} for m in made)
    json.dumps(made, allow_nan=False)


CHUNKED = (
    HEAD
    + b"transfer-encoding: chunked\r\n\r\n"
    + b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (STREAM[:30], STREAM[30:]))
)


@pytest.mark.parametrize(
    "data",
    [
        STREAM,
        HEAD + b"\r\n" + STREAM,
        HEAD.replace(b"\r\n", b"\n") + b"\n" + STREAM,
        CHUNKED + b"0\r\n\r\n",
        CHUNKED,
        HEAD + b"transfer-encoding: chunked\r\n\r\n" + STREAM,
        HEAD + b"content-encoding: gzip\r\n\r\n" + gzip.compress(STREAM),
        HEAD + b"content-encoding: gzip\r\n\r\n" + STREAM,
        b"HTTP/1.1 100 Continue\r\n\r\n" + HEAD + b"\r\n" + STREAM,
    ],
    ids=["bare", "head", "lf", "chunked", "chunked-cut", "dechunked", "gzip", "unzipped", "continue"],
)
def test_whatever_way_it_was_captured(data: bytes):
    made = decoded(parse_capture(data), Offered({}))
    assert (made["text"], made["finish"]) == ("Hi", "stop")


def test_a_refusal_is_classified_with_its_mend(capsys, tmp_path):
    said = b'{"error": {"message": "This model\'s maximum context length is 4096 tokens."}}'
    made = wire(capsys, tmp_path / "f", b"HTTP/1.1 400 Bad Request\r\n\r\n" + said)
    assert (made["finish"], made["error"]["kind"], made["error"]["limit_tokens"]) == ("error", "overflow", 4096)
    assert made["error"]["mend"]


def test_a_stream_that_broke_executes_nothing(capsys, tmp_path):
    made = wire(capsys, tmp_path / "f", CALL.replace(b'"tool_calls"}]', b"null}]"))
    (call,) = made["calls"]
    assert (made["finish"], made["error"]["kind"], call["name"], call["run"]) == ("aborted", "network", "Read", False)


def test_tools_come_from_the_flag_else_the_request_beside_else_are_our_own(capsys, tmp_path):
    printed = b'data: {"choices": [{"delta": {"content": "<tool_call>{\\"name\\": \\"grep\\", \\"arguments\\": {}}'
    printed += b'</tool_call>"}, "finish_reason": "stop"}]}\n\n'
    tools = [{"type": "function", "function": {"name": "grep", "parameters": {"type": "object"}}}]
    (tmp_path / "tools.json").write_text(json.dumps(tools))
    flagged = wire(capsys, tmp_path / "f", printed, "--tools", str(tmp_path / "tools.json"))
    assert [call["problem"] for call in flagged["calls"]] == [""]
    assert flagged["notices"][0]["cause"] == "text_call"
    (tmp_path / "0001.request.json").write_text(json.dumps({"url": "x", "body": {"tools": tools}}))
    assert wire(capsys, tmp_path / "0001.response.raw", printed)["calls"] == flagged["calls"]
    (tmp_path / "0001.request.json").write_text(json.dumps({"url": "x", "body": {"messages": []}}))
    assert wire(capsys, tmp_path / "0001.response.raw", CALL)["calls"][0]["arguments"] == {"file_path": "a"}


def test_what_is_printed_is_json_whatever_was_received(capsys, tmp_path):
    huge = CALL.replace(b'\\"a\\"', b'1e999, \\"x\\": \\"\\\\ud800\\"')
    made = wire(capsys, tmp_path / "f", huge)
    assert made["calls"][0]["arguments"]["file_path"] == "Infinity"


@pytest.mark.parametrize("tools", ["[", "{}", '["x"]', "[1]", '[{"function": {"name": "x", "parameters": 3}}]', "3"])
def test_tools_that_are_none_are_refused_in_words(tmp_path, tools):
    (tmp_path / "f").write_bytes(STREAM)
    (tmp_path / "t").write_text(tools)
    with pytest.raises(UsageError, match=r"holds no tools|is no JSON"):
        main(["decode", str(tmp_path / "f"), "--tools", str(tmp_path / "t")])


@pytest.mark.parametrize("argv", [["decode", "/nowhere"], ["decode"], ["show", "x"], ["decode", "/"]], ids=str)
def test_bad_usage_says_how_to_mend_it(argv):
    with pytest.raises(UsageError) as caught:
        main(argv)
    assert caught.value.mend


def test_a_compression_we_have_not_is_said():
    with pytest.raises(UsageError, match="br"):
        parse_capture(HEAD + b"content-encoding: br\r\n\r\n\x8b\x02")
