"""Answers as they were captured: raw bytes, with or without an HTTP head, as `--record` or `curl -isN` leave them."""

import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from harness.errors import UsageError
from harness.providers.decode import MAX_ANSWER


@dataclass(frozen=True, slots=True)
class Capture:
    """An answer as it was captured. `status` None: there is no HTTP head, so it was an answer."""

    body: bytes
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)  # names in small letters


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
            f"The capture is compressed ({encoding}).",
            "Capture with --record, or with `curl --compressed`.",
        )
    return data
