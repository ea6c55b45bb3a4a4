"""The given corpora, case by case, and what must hold however a stream is split or cut."""

import json
import random
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.errors import ProviderError
from harness.messages import TextDelta
from harness.providers.calls import Offered
from harness.providers.decode import Decoder
from harness.providers.deltas import Naming
from harness.providers.port import CallReady, MessageEnd
from tests.corpus import errors, wire

# Only what came later shows that text already shown was reasoning.
JUDGED_LATE = {"think_no_open", "harmony_stripped_specials"}

DATA = Path(__file__).parent / "data"
CASES = wire.load(DATA / "cases.jsonl")
SMALL = [case for case in CASES if "sse_parts" not in case]
ERRORS = [json.loads(line) for line in (DATA / "errors.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_stream(case: wire.Case):
    got, _ = wire.decode(case, wire.reads(case))
    assert wire.failures(case, got) == []


@pytest.mark.parametrize("case", ERRORS, ids=lambda case: case["name"])
def test_error_body(case):
    assert errors.failures(case) == []


@pytest.mark.parametrize("case", SMALL, ids=lambda case: case["name"])
def test_any_split_gives_the_same(case: wire.Case):
    data, dice = wire.body(case), random.Random(case["name"])
    whole, _ = wire.decode(case, iter([data]))
    for most in (3, 40, 400):
        cuts = sorted(dice.sample(range(len(data) + 1), min(len(data), max(1, len(data) // most))))
        pieces = (data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True))
        got, events = wire.decode(case, pieces)
        assert got == whole
        shown = "".join(event.text for event in events if isinstance(event, TextDelta))
        if case["name"] not in JUDGED_LATE and got["finish"] not in {"error", "aborted"}:
            assert shown.strip() == got["text"].strip()


@pytest.mark.parametrize("case", SMALL, ids=lambda case: case["name"])
def test_a_stream_that_breaks_off_executes_nothing_else(case: wire.Case):
    """Whatever is cut off: the calls of the whole, or fewer, or none; never others."""
    data = wire.body(case)
    whole, _ = wire.decode(case, iter([data]))
    allowed = [(call.name, call.input) for call in whole["calls"] if call.input is not None]
    for end in range(0, len(data), max(1, len(data) // 60)):
        _, events = wire.decode(case, iter([data[:end]]))
        run = [event.call for event in events if isinstance(event, CallReady) and event.call.input is not None]
        assert all((call.name, call.input) in allowed for call in run)


def soup() -> st.SearchStrategy[bytes]:
    """Bytes that look like streams here and there."""
    words = [
        b"data: ", b"\n", b"\r\n", b"\n\n", b"{", b"}", b"[", b"]", b'"', b":", b",", b"[DONE]", b"event: error\n",
        b'{"choices":[{"index":0,"delta":{"content":"', b'"},"finish_reason":null}]}', b"<tool_call>", b"</tool_call>",
        b'{"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"name":"run","arguments":"', b'"}}]}}]}',
        b'"finish_reason":"stop"', b"null", b"\xff", b"\xe6\x9d", b"\\ud83e", b"<think>", b"</think>", b"```", b"`",
        b'{"error":', b"<function=run>", b"[TOOL_CALLS]", b"<|channel|>", b"\xef\xbb\xbf", b"\\", b"'",
    ]  # fmt: skip
    return st.lists(st.sampled_from(words) | st.binary(max_size=5), max_size=40).map(b"".join)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(soup(), st.integers(1, 50))
def test_any_bytes_end_in_a_message_or_a_typed_error(data: bytes, size: int):
    decode_soup(data, size)


def decode_soup(data: bytes, size: int) -> None:
    decoder = Decoder(Offered.decode(json.dumps(wire.TOOLS).encode()), Naming("m", "m"))
    try:
        for at in range(0, len(data), size):
            decoder.feed(data[at : at + size])
        events = decoder.close()
    except ProviderError:
        return
    assert isinstance(events[-1], MessageEnd)


MARKUP = [
    "<tool_call>", "</tool_call>", "<function=run>", "</function>", "<parameter=cmd>", "</parameter>", "[TOOL_CALLS]",
    "[ARGS]",
    "<|channel|>", "analysis", "<|message|>", "<|end|>", "to=functions.run", "<|open|>", "<|sep|>", "tools",
    "</invoke>", "<think>", "</think>", "run", "ls", "```", "`", "{",
    "}", "\"", "[run(cmd='ls')]", "é", "<|tool_call>", "call:run", "<arg_key>", "<|python_tag|>",
]  # fmt: skip
PIECES = [*MARKUP, "\n", " ", '{"name": "run", "arguments": {"cmd": "ls"}}', '<invoke name="run">']
TEXTS = st.lists(st.sampled_from(PIECES), max_size=30).map("".join)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(TEXTS, st.integers(1, 30))
def test_any_text_reads_the_same_however_it_is_split(text: str, size: int):
    split_reads_the_same(text, size)


def split_reads_the_same(text: str, size: int) -> None:
    def stream(pieces: list[str]) -> wire.Case:
        chunks = [{"choices": [{"index": 0, "delta": {"content": piece}}]} for piece in pieces]
        chunks.append({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
        return {"sse": "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks), "expect": {}}

    whole = stream([text])
    split = stream([text[at : at + size] for at in range(0, len(text), size)])
    expected, _ = wire.decode(whole, iter([wire.body(whole)]))
    got, _ = wire.decode(split, (event + b"\n\n" for event in wire.body(split).split(b"\n\n")))
    assert got == expected


@pytest.mark.long
@pytest.mark.timeout(900)
@settings(max_examples=100_000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(soup(), st.integers(1, 50))
def test_any_bytes_for_long(data: bytes, size: int):
    decode_soup(data, size)


@pytest.mark.long
@pytest.mark.timeout(900)
@settings(max_examples=50_000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(TEXTS, st.integers(1, 30))
def test_any_text_for_long(text: str, size: int):
    split_reads_the_same(text, size)
