"""Bounded memory of unbounded output: head and tail stay here, all of it goes to a file up to a cap."""

import codecs
from collections import deque
from pathlib import Path
from typing import BinaryIO

WHOLE = 128 << 10  # bytes kept in memory from the start; also what is kept of the end
SAVED_CAP = 64 << 20
FULL_MARK = b"\n[harness: output beyond 64 MiB is not saved]\n"


class Capture:
    """Feed it the bytes; then ask for the text.

    `file` is made only when the output outgrows memory or the bound that is asked for, or is wanted live.
    """

    def __init__(self, file: Path) -> None:
        self.total = 0
        self._path = file
        self._head = bytearray()
        self._tail: deque[bytes] = deque()
        self._tail_size = 0
        self._file: BinaryIO | None = None
        self._saved = 0
        self._live = False
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def live(self) -> None:
        """From now on the file has everything, as it comes. Raises OSError where it cannot be written."""
        self._live = True
        self._save(b"")

    def feed(self, data: bytes) -> None:
        self.total += len(data)
        room = WHOLE - len(self._head)
        if room > 0:
            self._head += data[:room]
            if self._live:
                self._save(data[:room])
            data = data[room:]
        if not data:
            return
        self._save(data)
        self._tail.append(data)
        self._tail_size += len(data)
        while self._tail_size - len(self._tail[0]) >= WHOLE:
            self._tail_size -= len(self._tail.popleft())

    def decode(self, data: bytes, *, final: bool = False) -> str:
        """The text of the next bytes for live display; a character cut in two waits for its rest."""
        return self._decoder.decode(data, final)

    def text(self, limit: int) -> tuple[str, Path | None]:
        """The output within `limit` characters, and the file with all of it where it had to be cut.

        Cut, it is head and tail on whole lines where lines are short, with a line between that says what is
        missing. Raises OSError where the file cannot be written.
        """
        tail = b"".join(self._tail)
        if self.total == len(self._head) + len(tail):
            whole = (bytes(self._head) + tail).decode(errors="replace")
            if len(whole) <= limit:
                self._ended()
                return whole, None
            first, last = whole, whole
        else:
            first = self._head.decode(errors="replace")
            last = tail[-WHOLE:].decode(errors="replace")
        self._save(b"")
        self._ended()
        first, last = _head_of(first, limit // 2), _tail_of(last, limit // 2)
        missing = max(0, self.total - len(first.encode()) - len(last.encode()))
        return f"{first}\n[... {missing:,} bytes not shown ...]\n{last}", self._path

    def close(self) -> None:
        if self._file:
            self._file.close()
            self._file = None

    def _ended(self) -> None:
        if not self._live:
            self.close()

    def _save(self, data: bytes) -> None:
        if self._saved >= SAVED_CAP:
            return
        if self._file is None and not self._saved:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self._path.open("wb")
            self._saved = self._file.write(self._head)
        if self._file is None:
            return
        data = data[: SAVED_CAP - self._saved]
        self._saved += self._file.write(data)
        if self._saved >= SAVED_CAP:
            self._file.write(FULL_MARK)
        if self._live:
            self._file.flush()


def _head_of(text: str, limit: int) -> str:
    cut = text[:limit]
    end = cut.rfind("\n")
    return cut[:end] if end > limit // 2 else cut


def _tail_of(text: str, limit: int) -> str:
    cut = text[-limit:]
    start = cut.find("\n")
    return cut[start + 1 :] if 0 <= start < limit // 2 else cut
