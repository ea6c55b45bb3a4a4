"""`harness wire decode FILE`: what Harness makes of a captured answer of a model server, as JSON."""

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, NoReturn

from harness import tools
from harness.errors import EXIT_OK, ProviderError, UsageError
from harness.messages import Assistant, Thinking, ToolCall, Usage
from harness.providers.calls import Offered
from harness.providers.capture import Capture, parse_capture
from harness.providers.decode import Decoder
from harness.providers.deltas import Naming
from harness.providers.errors import ServerError, classify
from harness.providers.port import MessageEnd, ModelEvent, Told

_DESCRIPTION = """\
Read a captured answer (raw bytes, with or without an HTTP head) and print what Harness makes of it as JSON.
Captures come from --record DIR on any run, or from `curl -isN`. A call is executed where `run` is true."""
_FINISHES = {"end_turn": "stop", "tool_use": "tool_calls", "max_tokens": "length", "refusal": "content_filter"}


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"harness wire: {message}.", "Try: harness wire decode FILE [--tools tools.json]")


def main(argv: Sequence[str]) -> int:
    """Decode a capture and print it; returns the exit code: 0 whatever the capture holds.

    Raises:
        UsageError: a file that cannot be read, or tools that are none.
    """
    p = _Parser(
        prog="harness wire",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    p.add_argument("what", choices=["decode"])
    p.add_argument("file", metavar="FILE", type=Path, help="the capture")
    p.add_argument(
        "--tools",
        metavar="FILE",
        type=Path,
        help="the tools that were offered: a JSON array, or a request with `tools` (default: the .request.json "
        "beside the capture, else Harness's own)",
    )
    p.add_argument("--server", metavar="NAME", help="named in what is printed; all servers are read alike")
    given = p.parse_args(argv)
    capture = parse_capture(_content(given.file))
    made = decoded(capture, _offered(given.file, given.tools))
    made = json.loads(json.dumps(made), parse_constant=str)  # 1e999 is JSON, the Infinity that it becomes is none
    print(json.dumps({"file": given.file.name, "server": given.server, **made}, indent=2))  # noqa: T201
    return EXIT_OK


def decoded(capture: Capture, offered: Offered) -> dict[str, Any]:
    """What the provider makes of an answer, as a value for JSON."""
    http = {"status": capture.status, "headers": dict(capture.headers)} if capture.status is not None else None
    if capture.status not in {None, 200}:
        refusal = classify(capture.status, capture.headers, capture.body.decode("utf-8", "replace"))
        return {"http": http, **_message("", "", [], None, "error", []), "error": _error(refusal)}
    decoder = Decoder(offered, Naming("msg_1", ""))
    events = decoder.feed(capture.body)
    try:
        events += decoder.close()
    except ProviderError as error:
        received = decoder.received()
        finish = "aborted" if error.kind == "network" else "error"
        made = _message(received.text, received.thinking, received.calls, decoder.usage, finish, events)
        return {"http": http, **made, "error": _error(error)}
    message = next(event.message for event in events if isinstance(event, MessageEnd))
    return {"http": http, **_whole(message, events), "error": None}


def _whole(message: Assistant, events: Sequence[ModelEvent]) -> dict[str, Any]:
    thinking = "".join(part.text for part in message.parts if isinstance(part, Thinking))
    calls = [(call, call.arguments) for call in message.calls]
    return _message(message.text, thinking, calls, message.usage, _FINISHES[message.stop], events)


def _message(
    text: str,
    thinking: str,
    calls: Sequence[tuple[ToolCall, str]],
    usage: Usage | None,
    finish: str,
    events: Sequence[ModelEvent],
) -> dict[str, Any]:
    return {
        "text": text,
        "thinking": thinking,
        "calls": [
            {
                "id": call.id,
                "name": call.name,
                "arguments": call.input,
                "raw": raw,
                "problem": call.problem,
                "run": call.input is not None and finish in _FINISHES.values(),
            }
            for call, raw in calls
        ],
        "usage": asdict(usage) if usage else None,
        "finish": finish,
        "notices": [asdict(event) for event in events if isinstance(event, Told)],
    }


def _error(error: ProviderError) -> dict[str, Any]:
    told = {
        "kind": error.kind,
        "message": error.what,
        "mend": error.mend,
        "status": error.status,
        "retryable": error.retry is not None,
        "retry_after": error.retry.after if error.retry else None,
    }
    if isinstance(error, ServerError):
        told |= {"limit_tokens": error.limit_tokens, "used_tokens": error.used_tokens, "fix": error.fix or None}
    return told


# The files


def _offered(file: Path, named: Path | None) -> Offered:
    """The tools in the file that is named, in the request beside the capture, or our own."""
    beside = file.with_name(file.name.removesuffix(".response.raw") + ".request.json")
    source = named or (beside if file.name.endswith(".response.raw") and beside.exists() else None)
    if source is None:
        return Offered.decode(tools.SPECS)
    try:
        value = json.loads(_content(source))
    except (ValueError, RecursionError) as error:
        raise UsageError(f"harness wire: {source} is no JSON: {error}.", "Give a JSON array of tools.") from None
    specs = _specs(value)
    if specs is None and not named:
        return Offered.decode(tools.SPECS)  # where the server takes no tools they are told in words
    try:
        offered = Offered.decode(json.dumps(specs).encode())
    except (AttributeError, KeyError, TypeError):
        offered = None
    if offered is None or not all(isinstance(schema, dict) for schema in offered.schemas.values()):
        raise UsageError(
            f"harness wire: {source} holds no tools.",
            'Give a JSON array like [{"type": "function", "function": {"name": "Read", "parameters": {...}}}].',
        )
    return offered


def _specs(value: Any) -> Any:
    """The array itself, that of a request, or that of a recorded request."""
    for key in ("body", "tools"):
        if isinstance(value, dict):
            value = value.get(key, value if key == "body" else None)
    return value


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise UsageError(f"harness wire: {file} cannot be read: {error.strerror}.", "Name a file.") from None
