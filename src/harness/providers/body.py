"""Answers that are no event stream: a whole JSON body, JSON lines, an HTML page; and JSON that is broken."""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

from harness.errors import ProviderError
from harness.providers.errors import classify

_BOM = b"\xef\xbb\xbf"
_DECODER = json.JSONDecoder(strict=False)
# The decoder without its checks for space, which are half of what a small chunk costs.
_SCAN: Callable[[str, int], tuple[Any, int]] = _DECODER.scan_once  # type: ignore[attr-defined]  # typeshed has it not
_BROKEN_ERROR = re.compile(r'\s*\{\s*"error"\s*:\s*"?(.*)', re.DOTALL)


def read_json(text: str) -> Any:
    """The JSON value that `text` is, None where it is none."""
    try:
        value, end = _SCAN(text, 0)
    except (StopIteration, ValueError, RecursionError):
        pass  # space around it, or no JSON
    else:
        if end == len(text):
            return value
    try:
        return _DECODER.decode(text)
    except (ValueError, RecursionError):
        return None


def broken_error(text: str, event: str) -> str | None:
    """The message of an error that is no valid JSON: quotes and newlines unescaped (transformers serve)."""
    if match := _BROKEN_ERROR.match(text):
        return match[1].rstrip('"} \n') or "unknown error"
    return text.strip() if event == "error" else None


def recognise(head: bytes) -> bool | None:
    """Whether an answer that begins so is one whole body; None where that cannot be told yet.

    JSON and HTML begin with a bracket, no event stream does.
    """
    head = head.removeprefix(_BOM).lstrip()
    if not head or _BOM.startswith(head):
        return None
    return head[:1] in {b"{", b"[", b"<"}


# What a completion, or an error in one of its forms, has.
_SAYS = frozenset({"choices", "error", "message", "detail"})


class WholeBody:
    """Bytes that turn out to be one body; `chunks` are the completions in it."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def feed(self, data: bytes) -> None:
        self._pieces.append(data)

    def chunks(self) -> Iterator[dict[str, Any]]:
        """Whole completions, or the chunks of a stream without its `data:`.

        Raises:
            ProviderError: the body is an error, or nothing of this protocol.
        """
        text = b"".join(self._pieces).decode("utf-8-sig", "replace").strip()
        value = read_json(text)
        values = [value] if value is not None else [read_json(line) for line in text.splitlines()]
        if not values or not all(isinstance(value, dict) and _SAYS.intersection(value) for value in values):
            raise ProviderError(
                "protocol",
                f"The server answered something else than a chat completion: {_excerpt(text)}",
                "Check the base URL: it should end where /chat/completions follows, mostly in /v1.",
            )
        for value in values:
            if not {"choices", "error"}.intersection(value):
                raise classify(200, {}, text)
            yield value


def _excerpt(text: str) -> str:
    title = re.search(r"<title[^>]*>(.*?)</title", text[:20_000], re.IGNORECASE | re.DOTALL)
    return " ".join((f"an HTML page titled {title[1].strip()!r}" if title else text).split())[:200]
