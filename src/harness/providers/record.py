"""`--record DIR`: each request and its answer as files, for bug reports. Keys are taken out.

`NNNN.request.json` holds time, URL, headers and the body as it was sent; `NNNN.response.raw` an HTTP head and the
body as it came, which `harness wire decode` reads. Writing that fails ends the recording, never the run.
"""

import json
import os
import re
import time
from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import aclosing
from pathlib import Path

from harness.errors import UsageError
from harness.providers.options import shown_url
from harness.providers.port import Told

REMOVED = b"(removed)"
_SECRET_HEADER = re.compile(r"auth|key|token(?!s)|secret|cookie|passw|credential|session", re.IGNORECASE)
_SHORTEST_SECRET = 8  # what is shorter is a dummy, such as "none", and may stand anywhere
# What is said of the body's travel is not true of the body as we have it.
_TRAVEL = {"transfer-encoding", "content-encoding", "content-length", "connection", "keep-alive"}


class Recorder:
    """Records one endpoint's chat requests into a directory; numbers go on where earlier runs ended."""

    def __init__(self, directory: Path, url: str, headers: Mapping[str, str], key: str | None) -> None:
        """Make the directory. Raises UsageError where nothing can be written there."""
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            names = [path.name for path in directory.iterdir()]
            if not os.access(directory, os.W_OK | os.X_OK):
                raise PermissionError(13, os.strerror(13))
        except OSError as error:
            raise UsageError(
                f"--record {directory}: cannot be written: {error.strerror}.", "Name a directory of yours."
            ) from None
        self._directory = directory
        self._number = max((int(name[:4]) for name in names if re.match(r"\d{4}\.", name)), default=0)
        hidden = [value for name, value in headers.items() if _SECRET_HEADER.search(name)]
        words = [word for value in (*hidden, key or "") for word in value.split()]
        self._secrets = [word.encode() for word in words if len(word) >= _SHORTEST_SECRET]
        self._about = {"url": shown_url(url), "headers": _public(headers.items())}
        self._problem: Told | None = None
        self._failed = False

    def request(self, body: bytes) -> "Exchange":
        """Write a request; its answer goes to what is returned."""
        about = json.dumps({"time": time.strftime("%Y-%m-%dT%H:%M:%S%z"), **self._about}).encode()
        descriptor = self._new("request.json")
        self.write(descriptor, _Scrub(self._secrets).whole(about[:-1] + b', "body": ' + body + b"}\n"))
        self.close(descriptor)
        return Exchange(self, self._number, self._secrets)

    def problem(self) -> Told | None:
        """What people should know, once: the recording has ended."""
        problem, self._problem = self._problem, None
        return problem

    def response(self, number: int) -> int | None:
        return self._open(f"{number:04}.response.raw")

    def write(self, descriptor: int | None, data: bytes) -> None:
        while data and descriptor is not None and not self._failed:
            try:
                data = data[os.write(descriptor, data) :]
            except OSError as error:
                self._fail(error)

    def close(self, descriptor: int | None) -> None:
        if descriptor is not None:
            try:
                os.close(descriptor)
            except OSError as error:  # some file systems notice a full disk only now
                self._fail(error)

    def _new(self, kind: str) -> int | None:
        """The first file of the next free number: another run may record here, too."""
        while not self._failed:
            self._number += 1
            descriptor = self._open(f"{self._number:04}.{kind}")
            if descriptor is not None:
                return descriptor
        return None

    def _open(self, name: str) -> int | None:
        """A new file that only we can read; None where there is one, or none can be made."""
        if self._failed:
            return None
        try:
            return os.open(self._directory / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        except FileExistsError:
            return None
        except OSError as error:
            self._fail(error)
            return None

    def _fail(self, error: OSError) -> None:
        self._failed = True
        what = f"The recording in {self._directory} ended: {error.strerror}."
        self._problem = Told("record", what, "Free some space, or --record into another directory.", "warning")


class Exchange:
    """The answer to one recorded request, written as it comes."""

    def __init__(self, recorder: Recorder, number: int, secrets: Iterable[bytes]) -> None:
        self._recorder, self._number = recorder, number
        self._scrub = _Scrub(secrets)

    async def copied(
        self, chunks: AsyncGenerator[bytes, None], status: int, headers: Iterable[tuple[str, str]]
    ) -> AsyncGenerator[bytes, None]:
        """The same chunks, each written before it is given out."""
        recorder, scrub = self._recorder, self._scrub
        descriptor = recorder.response(self._number)
        kept = _public((name, value) for name, value in headers if name.lower() not in _TRAVEL)
        head = "".join(f"{name}: {value}\r\n" for name, value in kept.items())
        recorder.write(descriptor, scrub.whole(f"HTTP/1.1 {status}\r\n{head}\r\n".encode("utf-8", "replace")))
        try:
            async with aclosing(chunks):
                async for data in chunks:
                    recorder.write(descriptor, scrub.feed(data))
                    yield data
        finally:
            recorder.write(descriptor, scrub.rest())
            recorder.close(descriptor)


class _Scrub:
    """Takes secrets out of bytes that come in pieces; holds back only what may be the beginning of one."""

    def __init__(self, secrets: Iterable[bytes]) -> None:
        self._secrets = sorted(set(secrets), key=len, reverse=True)
        self._pattern = re.compile(b"|".join(map(re.escape, self._secrets)) or b"(?!)")
        self._held = b""

    def whole(self, data: bytes) -> bytes:
        return self._pattern.sub(REMOVED, data)

    def feed(self, data: bytes) -> bytes:
        data = self.whole(self._held + data)
        held = max((_overlap(data, secret) for secret in self._secrets), default=0)
        self._held = data[len(data) - held :]
        return data[: len(data) - held]

    def rest(self) -> bytes:
        held, self._held = self._held, b""
        return held


def _overlap(data: bytes, secret: bytes) -> int:
    """How many bytes at the end of `data` are the beginning of `secret`."""
    sizes = range(min(len(data), len(secret) - 1), 0, -1)
    return next((size for size in sizes if data.endswith(secret[:size])), 0)


def _public(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    return {name: REMOVED.decode() if _SECRET_HEADER.search(name) else value for name, value in headers}
