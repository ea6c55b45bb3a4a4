"""Which calls of a message may start now."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class _Waiting:
    call_id: str
    free: bool
    early: bool


class Schedule:
    """First come, first served. `free` calls, which only read and need no one's yes, run together, at most `limit`
    at once; those that are `early`, too, may start while the model still speaks. Any other call runs alone, so that
    an answer counts for the questions after it, and not before the message is whole, so that a stream that breaks
    can be asked for again without harm.
    """

    def __init__(self, limit: int = 10) -> None:
        self._limit = limit
        self._waiting: deque[_Waiting] = deque()
        self._running: dict[str, bool] = {}  # call id -> free
        self.complete = False

    def push(self, call_id: str, *, free: bool, early: bool = True) -> None:
        self._waiting.append(_Waiting(call_id, free, early))

    def done(self, call_id: str) -> None:
        self._running.pop(call_id, None)

    def withdraw(self, call_id: str) -> None:
        """A call that is not wanted any more: it neither starts nor holds up others."""
        self._waiting = deque(call for call in self._waiting if call.call_id != call_id)
        self.done(call_id)

    def clear(self) -> None:
        """Forget everything: the stream is asked for again."""
        self._waiting.clear()
        self._running.clear()

    def ready(self) -> Iterator[str]:
        while self._waiting and self._may_start(self._waiting[0]):
            call = self._waiting.popleft()
            self._running[call.call_id] = call.free
            yield call.call_id

    def _may_start(self, call: _Waiting) -> bool:
        if not call.free:
            return self.complete and not self._running
        return (call.early or self.complete) and all(self._running.values()) and len(self._running) < self._limit
