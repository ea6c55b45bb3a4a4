"""Server-sent events out of bytes, however they are split.

Source: WHATWG HTML, "Server-sent events", 9.2.6. Departures that real servers need: the last event counts
without its blank line, and an answer may be very long on one line.
"""

from dataclasses import dataclass

from harness.errors import ProviderError

MAX_LINE = 64 * 1024 * 1024  # bytes


@dataclass(slots=True)
class Sse:
    """One event: the `event:` name ('' where none) and its `data:` lines."""

    name: str
    lines: list[str]


class SseReader:
    """Bytes in, events out. Linear in time; memory is bounded by the longest line."""

    def __init__(self) -> None:
        self._partial: list[bytes] = []  # an unfinished line; joined once, when its end comes
        self._partial_size = 0
        self._after_cr = False  # the last byte was a CR that ended a line: a LF next belongs to it
        self._first = True
        self._name = ""
        self._data: list[str] = []

    def feed(self, chunk: bytes) -> list[Sse]:
        """Take what one network read gave; return the events it completes.

        Raises:
            ProviderError: a line longer than MAX_LINE.
        """
        if self._after_cr and chunk:
            self._after_cr = False
            chunk = chunk.removeprefix(b"\n")
        end = max(chunk.rfind(b"\n"), chunk.rfind(b"\r")) + 1
        if not end:
            self._keep(chunk)
            return []
        block = b"".join((*self._partial, chunk[:end]))
        self._partial.clear()
        self._partial_size = 0
        self._keep(chunk[end:])
        self._after_cr = end == len(chunk) and chunk.endswith(b"\r")
        return self._lines(block)

    def close(self) -> list[Sse]:
        """The end of the bytes: what was left unfinished counts as it stands."""
        events = self._lines(b"".join((*self._partial, b"\n\n")))
        self._partial.clear()
        return events

    def _keep(self, rest: bytes) -> None:
        if rest:
            self._partial.append(rest)
            self._partial_size += len(rest)
        if self._partial_size > MAX_LINE:
            raise ProviderError(
                "protocol",
                f"The server sent a line of more than {MAX_LINE >> 20} MiB.",
                "This is no chat-completions stream; check the base URL.",
            )

    def _lines(self, block: bytes) -> list[Sse]:
        # Whole lines only, so that no UTF-8 sequence is cut here.
        text = block.decode("utf-8", "replace")
        if self._first:
            self._first = False
            text = text.removeprefix("\ufeff")
        if "\r" in text:
            text = text.replace("\r\n", "\n").replace("\r", "\n")
        events: list[Sse] = []
        for line in text[:-1].split("\n"):
            if line.startswith("data:"):
                self._data.append(line[6:] if line.startswith("data: ") else line[5:])
            elif not line:
                if self._data:
                    events.append(Sse(self._name, self._data))
                    self._data = []
                self._name = ""
            elif line.startswith("event:"):
                self._name = line[6:].strip()
        return events
