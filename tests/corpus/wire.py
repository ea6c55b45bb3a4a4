"""Run a file of stream cases through the product's decoder: `python tests/corpus/wire.py FILE.jsonl`.

Prints each case that failed and why; ends with `N passed, M failed`; exit 1 if any failed.
"""

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from harness.errors import ProviderError
from harness.messages import Thinking, ToolCall, Usage
from harness.providers.calls import Offered
from harness.providers.decode import Decoder
from harness.providers.deltas import Naming
from harness.providers.port import MessageEnd, ModelEvent

Case = dict[str, Any]

TOOLS = json.loads((Path(__file__).parent / "data" / "tools.json").read_text())
KINDS = {"overflow": "context_overflow", "quota": "rate_limit"}  # the corpus's words for ours
FINISHES = {"end_turn": "stop", "tool_use": "tool_calls", "max_tokens": "length", "refusal": "content_filter"}
COUNTS = {
    "prompt_tokens": "input_tokens",
    "completion_tokens": "output_tokens",
    "cached_tokens": "cached_tokens",
    "reasoning_tokens": "reasoning_tokens",
}


def body(case: Case) -> bytes:
    """The bytes on the wire; generated ones are written as parts."""
    if "sse_parts" in case:
        parts = (part["s"] if "s" in part else part["repeat"] * part["n"] for part in case["sse_parts"])
        return "".join(parts).encode("utf-8", "surrogatepass")
    return bytes(case["sse"].encode("utf-8", "surrogatepass"))


def reads(case: Case) -> Iterator[bytes]:
    """The body as the case wants it split."""
    data, chunking = body(case), case.get("chunking") or {}
    if size := chunking.get("bytes"):
        yield from (data[at : at + size] for at in range(0, len(data), size))
    elif mark := chunking.get("after", "").encode():
        yield from (part for part in re.split(b"(?<=" + re.escape(mark) + b")", data) if part)
    else:
        yield data


def offered(case: Case) -> Offered:
    return Offered.decode(json.dumps(case.get("tools", TOOLS)).encode())


def decode(case: Case, pieces: Iterator[bytes]) -> tuple[dict[str, Any], list[ModelEvent]]:
    """What the product makes of it, in the corpus's words; and the events."""
    decoder = Decoder(offered(case), Naming("msg_1", "m"))
    events = [event for piece in pieces for event in decoder.feed(piece)]
    error: ProviderError | None = None
    try:
        events += decoder.close()
    except ProviderError as raised:
        error = raised
    if error is None:
        last = events[-1]
        assert isinstance(last, MessageEnd)
        message = last.message
        text, calls, usage = message.text, list(message.calls), message.usage
        reasoning = "".join(part.text for part in message.parts if isinstance(part, Thinking))
        finish = FINISHES[message.stop]
        told = {"kind": "content_filter", "retryable": False} if finish == "content_filter" else None
    else:
        received = decoder.received()
        text, reasoning, usage = received.text, received.thinking, decoder.usage
        calls = [call for call, _ in received.calls]
        finish = "error" if error.kind != "network" else "aborted"
        told = {"kind": KINDS.get(error.kind, error.kind), "retryable": error.retry is not None}
    result = {"text": text, "reasoning": reasoning, "calls": calls, "finish": finish, "usage": usage, "error": told}
    return result, events


def failures(case: Case, got: dict[str, Any]) -> list[str]:
    """What is not as expected."""
    expect, wrong = case["expect"], []
    if expect["text"] is None:
        if len(got["text"]) != case["text_len"]:
            wrong.append(f"{len(got['text'])} characters of text, not {case['text_len']}")
    elif got["text"] != expect["text"]:
        wrong.append(f"text {got['text'][:200]!r}, not {expect['text'][:200]!r}")
    wrong += [f"{k} {got[k]!r}, not {expect[k]!r}" for k in ("reasoning", "finish") if got[k] != expect[k]]
    if len(got["calls"]) != len(expect["tool_calls"]):
        wrong.append(f"{len(got['calls'])} calls, not {len(expect['tool_calls'])}: {got['calls']}")
    wrong += [f"call {c}, not {x}" for c, x in zip(got["calls"], expect["tool_calls"], strict=False) if not same(c, x)]
    if not same_usage(got["usage"], expect.get("usage")):
        wrong.append(f"usage {got['usage']}, not {expect['usage']}")
    told, wanted = got["error"] or {}, expect.get("error") or {}
    if bool(told) != bool(wanted) or any(told.get(key) != value for key, value in wanted.items()):
        wrong.append(f"error {told}, not {wanted}")
    return wrong


def same(call: ToolCall, expected: dict[str, Any]) -> bool:
    """Name and arguments as expected; what must not be executed has no input."""
    valid = json.loads(call.arguments)  # goes into history, so it is JSON whatever the model wrote
    return call.name == expected["name"] and call.input == expected["arguments"] and isinstance(valid, dict)


def same_usage(usage: Usage | None, expected: dict[str, int] | None) -> bool:
    if usage is None or not expected:
        return usage is None and not expected
    return all(getattr(usage, COUNTS[name]) == count for name, count in expected.items())


def load(file: Path) -> list[Case]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]


def main(file: str) -> int:
    failed = 0
    cases = load(Path(file))
    for case in cases:
        got, _ = decode(case, reads(case))
        if wrong := failures(case, got):
            failed += 1
            print(f"{case['name']}: {'; '.join(wrong)}")  # noqa: T201  this is what it is for
    print(f"{len(cases) - failed} passed, {failed} failed")  # noqa: T201
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
