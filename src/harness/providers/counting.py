"""How long a request will be: an estimate anchored on what the server last counted."""

from collections.abc import Sequence
from operator import is_

from harness.messages import Assistant, HistoryMessage, Image, Text, Thinking, Usage
from harness.providers.port import Request
from harness.providers.tokens import MARGIN, PER_IMAGE, PER_MESSAGE, tokens


class Counter:
    """Keeps each message's estimate; what the server counted replaces the estimates of what it counted."""

    def __init__(self) -> None:
        self._known: list[HistoryMessage] = []
        self._costs: list[float] = []
        self._fixed: dict[tuple[str, bytes], float] = {}
        self._anchored = 0  # messages within the anchor
        self._anchor = 0.0
        self._ratio = MARGIN

    def estimate(self, request: Request) -> int:
        """Tokens of the request, roughly."""
        self._take(request.messages)
        if 0 < self._anchored <= len(self._known):
            return round(self._anchor + self._ratio * sum(self._costs[self._anchored :]))
        return round(self._ratio * (self._prefix(request) + sum(self._costs)))

    def counted(self, request: Request, usage: Usage) -> None:
        """The server has counted the request."""
        self._take(request.messages)
        guess = self._prefix(request) + sum(self._costs)
        if usage.input_tokens and guess:
            self._anchor = float(usage.input_tokens)
            self._anchored = len(self._known)
            self._ratio = min(3.0, max(0.5, usage.input_tokens / guess))

    def _prefix(self, request: Request) -> float:
        key = (request.system, request.tools)
        if key not in self._fixed:
            text = request.system + request.tools.decode("utf-8", "replace")
            self._fixed = {key: tokens(text) + PER_MESSAGE}
        return self._fixed[key]

    def _take(self, history: Sequence[HistoryMessage]) -> None:
        if len(history) < len(self._known) or not all(map(is_, self._known, history)):
            self._known.clear()
            self._costs.clear()
            self._anchored = 0
        fresh = history[len(self._known) :]
        self._known.extend(fresh)
        self._costs.extend(map(_cost, fresh))


def _cost(message: HistoryMessage) -> float:
    cost = float(PER_MESSAGE)
    keeps_thinking = isinstance(message, Assistant) and bool(message.calls)
    for part in message.parts:
        if isinstance(part, Text) or (isinstance(part, Thinking) and keeps_thinking):
            cost += tokens(part.text)
        elif isinstance(part, Image):
            cost += PER_IMAGE
        elif not isinstance(part, Thinking):
            cost += tokens(part.name) + tokens(part.arguments) + PER_MESSAGE
    return cost
