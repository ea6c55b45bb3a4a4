"""`harness wire decode FILE`: what Harness makes of a captured answer of a model server, as JSON."""

import argparse
import json
import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from harness import tools
from harness.errors import EXIT_OK, ProviderError, UsageError
from harness.messages import Assistant, Thinking, ToolCall, Usage
from harness.providers.calls import Offered
from harness.providers.decode import MAX_ANSWER, Decoder
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


@dataclass(frozen=True, slots=True)
class Capture:
    """An answer as it was captured. `status` None: there is no HTTP head, so it was an answer."""

    body: bytes
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)  # names in small letters


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


def parse_capture(data: bytes) -> Capture:
    """Take the HTTP head off, if there is one, and undo how the body travelled, if it is still so.

    Raises:
        UsageError: a compression that cannot be undone.
    """
    status, headers = None, {}
    while data.startswith(b"HTTP/") and (end := re.search(rb"\r?\n\r?\n", data)):
        lines = data[: end.start()].decode("utf-8", "replace").splitlines()
        found = re.match(r"HTTP/[\d.]+ (\d{3})", lines[0])
        if not found:
            break
        status = int(found[1])  # the last head counts: before it come 100 Continue, and a proxy's own
        pairs = (line.partition(":") for line in lines[1:])
        headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
        data = data[end.end() :]
    if "chunked" in headers.get("transfer-encoding", ""):
        data = _joined(data)
    return Capture(_unpacked(data, headers.get("content-encoding", "")), status, headers)


def _joined(data: bytes) -> bytes:
    """Chunks joined (RFC 9112, 7.1); what is in no chunks was joined before it was captured."""
    whole, at = bytearray(), 0
    while size := re.compile(rb"([0-9a-fA-F]{1,8})[^\r\n]*\r\n").match(data, at):
        length = int(size[1], 16)
        whole += data[size.end() : size.end() + length]
        at = size.end() + length + 2
    return bytes(whole) if at else data


def _unpacked(data: bytes, encoding: str) -> bytes:
    if data.startswith(b"\x1f\x8b") or encoding == "deflate":
        unpacker = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)
        try:
            return unpacker.decompress(data, MAX_ANSWER + 1)  # the decoder refuses what is longer
        except zlib.error:
            return data  # it was unpacked before it was captured
    if encoding in {"br", "zstd"}:
        raise UsageError(
            f"harness wire: the capture is compressed ({encoding}).",
            "Capture with --record, or with `curl --compressed`.",
        )
    return data


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
