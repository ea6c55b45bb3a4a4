"""A recording (`--record DIR`) as a server: each request must be the recorded one, and gets its answer.

What is not compared: headers, the time, the URL; nothing of the body. A key that stood in a body was taken out of the
recording, so there it differs.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.errors import UsageError
from harness.providers.capture import parse_capture
from harness.providers.http import httpx
from harness.rerun.difference import Difference, described

_BODY = b', "body": '


@dataclass(frozen=True, slots=True)
class Exchange:
    """`answer` None: none was recorded (nobody answered, or the person was faster)."""

    number: int
    url: str
    body: bytes
    answer: bytes | None

    @property
    def model(self) -> str:
        return str(json.loads(self.body).get("model") or "")

    @property
    def system(self) -> Any:
        return (json.loads(self.body).get("messages") or [None])[0]


@dataclass(slots=True)
class Cassette(httpx.AsyncBaseTransport):
    """`doubtful` is asked about a request that the session may have been interrupted before: it may be missing."""

    exchanges: list[Exchange]
    doubtful: Callable[[], bool] = lambda: False
    played: int = field(default=0, init=False)

    @staticmethod
    def load(directory: Path) -> "Cassette":
        """Raises UsageError: there is no recording, or it cannot be read."""
        try:
            found = sorted(directory.glob("[0-9][0-9][0-9][0-9]*.request.json"), key=_number)
            exchanges = [_exchange(file) for file in found]
        except (OSError, ValueError) as error:
            raise UsageError(f"--against {directory}: cannot be read: {error}.", "Record the session anew.") from None
        if not exchanges:
            raise UsageError(
                f"--against {directory}: there is no recording.", "Make one: run the session with --record DIR."
            )
        return Cassette(exchanges)

    @property
    def base_url(self) -> str:
        return self.exchanges[0].url.removesuffix("/chat/completions")

    @property
    def server(self) -> str:
        """The kind of the server that answered, as far as a request shows it: an answer is forced in another way by
        each (`providers.forcing`)."""
        bodies = [json.loads(each.body) for each in self.exchanges]
        if any("response_format" in body for body in bodies):
            return "Ollama"
        return "llama.cpp" if any(body.get("tool_choice") == "required" for body in bodies) else ""

    def tools(self) -> list[dict[str, Any]]:
        """The specs in the first request."""
        found = json.loads(self.exchanges[0].body).get("tools") or []
        return [spec for spec in found if isinstance(spec, dict)]

    def without_agents(self) -> None:
        """Leave out what sub-agents asked: each has a system prompt of its own."""
        self.exchanges = [each for each in self.exchanges if each.system == self.exchanges[0].system]

    def left(self) -> None:
        """Raises Difference: the recording has more requests than were made."""
        if self.played < len(self.exchanges):
            number, total = self.exchanges[self.played].number, len(self.exchanges)
            raise Difference(
                f"{total} requests were recorded, and only {self.played} were made: {number:04} is missing."
            )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Raises Difference: it is another request than the recorded one."""
        if request.method != "POST" or not request.url.path.endswith("/chat/completions"):
            return httpx.Response(404)  # what a server is asked besides is not recorded
        body = await request.aread()
        if self.doubtful() and (self.played >= len(self.exchanges) or self.exchanges[self.played].body != body):
            raise httpx.ReadError("not recorded", request=request)
        if self.played >= len(self.exchanges):
            raise Difference(f"{self.played} requests were recorded, and one more was made.")
        exchange = self.exchanges[self.played]
        if exchange.body != body:
            place = f"Request {exchange.number:04} ({self.played + 1} of {len(self.exchanges)})"
            raise Difference(f"{place} differs from the recorded one {described(exchange.body, body)}")
        self.played += 1
        if exchange.answer is None:
            raise httpx.ReadError("no answer was recorded", request=request)
        capture = parse_capture(exchange.answer)
        return httpx.Response(capture.status or 200, headers=dict(capture.headers), content=capture.body)


def _number(file: Path) -> int:
    return int(file.name.partition(".")[0])


def _exchange(file: Path) -> Exchange:
    """The body is taken as it stands: what JSON makes of it could not be compared byte for byte."""
    data = file.read_bytes()
    head, found, rest = data.partition(_BODY)
    about: Any = json.loads(head + b"}")
    body = rest.removesuffix(b"}\n")
    if not found or not isinstance(json.loads(body), dict):
        raise ValueError(f"{file.name} is no recorded request")
    answer = file.with_name(file.name.removesuffix(".request.json") + ".response.raw")
    return Exchange(_number(file), str(about["url"]), body, answer.read_bytes() if answer.exists() else None)
