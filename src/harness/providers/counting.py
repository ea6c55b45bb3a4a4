"""How long a request will be: an estimate anchored on what the server last counted.

The same figures show a server that reads less than it was sent and says nothing.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import is_

from harness.messages import Assistant, HistoryMessage, Image, Text, Thinking, Usage
from harness.providers.port import Request
from harness.providers.tokens import MARGIN, PER_IMAGE, PER_MESSAGE, tokens

_SMALLEST_WINDOW = 1000  # tokens: a server that says it read fewer counts wrongly, it does not cut
_SURE = 500  # tokens that must be missing: less may be another tokenizer or template


@dataclass(frozen=True, slots=True)
class Cut:
    """The server read `read` tokens of about `sent`."""

    sent: int
    read: int


class Counter:
    """Keeps each message's estimate; what the server counted replaces the estimates of what it counted."""

    def __init__(self) -> None:
        self._known: list[HistoryMessage] = []
        self._costs: list[float] = []
        self._loose: list[float] = []  # of the same, what servers may count otherwise or leave out
        self._fixed: dict[tuple[str, bytes], float] = {}
        self._anchored = 0  # messages within the anchor
        self._anchor = 0.0
        self._ratio = MARGIN
        self._owed = 0.0  # tokens by which the server's figure lags behind what was added
        self._lags = 0  # requests in a row that lagged

    @property
    def anchored(self) -> bool:
        return self._anchored > 0

    def estimate(self, request: Request) -> int:
        """Tokens of the request, roughly."""
        self._take(request.messages)
        if 0 < self._anchored <= len(self._known):
            return round(self._anchor + self._ratio * sum(self._costs[self._anchored :]))
        return round(self._ratio * (self._prefix(request) + sum(self._costs)))

    def weigh(self, request: Request) -> Sequence[float]:
        """Of each message, without a margin."""
        self._take(request.messages)
        return tuple(self._costs)

    def counted(self, request: Request, usage: Usage) -> Cut | None:
        """The server has counted the request. What it did not read in full is no anchor, and is returned."""
        self._take(request.messages)
        read = usage.input_tokens
        if cut := self._cut(request, read, usage.cached_tokens):
            return cut
        self.anchor(request, read)
        return None

    def anchor(self, request: Request, count: int) -> None:
        """The request has exactly `count` tokens."""
        self._take(request.messages)
        guess = self._prefix(request) + sum(self._costs)
        if count and guess:
            self._anchor = float(count)
            self._anchored = len(self._known)
            self._ratio = min(3.0, max(0.5, count / guess))

    def _cut(self, request: Request, read: int, cached: int) -> Cut | None:
        """Only what every server must count is compared: no margin, no thinking, no images; of the first also no
        tools, which some templates write much shorter."""
        if read < _SMALLEST_WINDOW:
            return None
        if not self._anchored:
            sure, least = tokens(request.system) + sum(self._costs) - sum(self._loose), 0.6
        else:
            new = slice(self._anchored, None)
            grown = min(1.0, self._ratio) * (sum(self._costs[new]) - sum(self._loose[new]))
            sure, least = self._anchor - self._ratio * sum(self._loose[: self._anchored]) + grown, 0.7
            if lag := self._lag(read, grown):
                return Cut(round(read + lag), read)
        if read < least * sure and sure - read > _SURE and read + cached < least * sure:
            return Cut(round(sure), read)
        return None

    def _lag(self, read: int, grown: float) -> float:
        """How far a figure that stays flat while the conversation grows has fallen behind; 0 where it has not."""
        told = read - self._anchor
        if grown <= 0 or any(self._loose) or told > 0.5 * grown:  # old thinking that is left out makes prompts shrink
            self._owed = self._lags = 0
            return 0.0
        self._owed += grown - told
        self._lags += 1
        return self._owed if self._lags > 1 and self._owed > _SURE else 0.0

    def _prefix(self, request: Request) -> float:
        key = (request.system, request.tools)
        if key not in self._fixed:
            text = request.system + request.tools.decode("utf-8", "replace")
            self._fixed = {key: tokens(text) + PER_MESSAGE}
        return self._fixed[key]

    def _take(self, history: Sequence[HistoryMessage]) -> None:
        before: dict[int, tuple[float, float]] = {}
        if len(history) < len(self._known) or not all(map(is_, self._known, history)):
            # What stays of a compacted history is not counted again. The old messages live as long as these ids count.
            gone = list(self._known)
            before = {id(m): (cost, loose) for m, cost, loose in zip(gone, self._costs, self._loose, strict=True)}
            self._known.clear()
            self._costs.clear()
            self._loose.clear()
            self._anchored = 0
            self._owed = self._lags = 0
        fresh = history[len(self._known) :]
        self._known.extend(fresh)
        for message in fresh:
            if known := before.get(id(message)):
                cost, loose = known
            else:
                sure, loose = _cost(message)
                cost = sure + loose
            self._costs.append(cost)
            self._loose.append(loose)


def whole(request: Request, count: Callable[[str], float]) -> float:
    """Tokens of a request by another rule for text."""
    fixed = count(request.system) + count(request.tools.decode("utf-8", "replace")) + PER_MESSAGE
    return fixed + sum(sum(_cost(message, count)) for message in request.messages)


def _cost(message: HistoryMessage, count: Callable[[str], float] = tokens) -> tuple[float, float]:
    """Tokens of what every server counts alike, and of the rest."""
    cost, loose = float(PER_MESSAGE), 0.0
    keeps_thinking = isinstance(message, Assistant) and bool(message.calls)
    for part in message.parts:
        if isinstance(part, Text):
            cost += count(part.text)
        elif isinstance(part, Thinking):
            loose += count(part.text) if keeps_thinking else 0.0
        elif isinstance(part, Image):
            loose += PER_IMAGE
        else:
            cost += count(part.name) + count(part.arguments) + PER_MESSAGE
    return cost, loose
