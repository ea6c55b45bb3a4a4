"""Questions to the person, answered by id: any surface, in this process or beyond a pipe, can answer."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import anyio

from harness.events import PermissionRequest


@dataclass(frozen=True, slots=True)
class Answer:
    """`allow` with `rules` allows what matches them for the rest of the session too.

    `save` keeps those rules in the project's local settings, for later sessions.
    `updated_input` replaces the call's input; `updates` are permission updates as SDKs write them.
    `stop`: the person said no without a reason, so the turn ends; with a `reason` the model reads it and goes on.
    """

    decision: Literal["allow", "deny"]
    reason: str = ""
    rules: tuple[str, ...] = ()
    save: bool = False
    stop: bool = False
    updated_input: Mapping[str, Any] | None = None
    updates: tuple[Mapping[str, Any], ...] = ()


class Asks:
    """Open questions. A question is asked (`open`), shown by a surface, answered, and waited for (`wait`).

    `put`, where it is set, puts each to a program besides, and gives what calls that off.
    """

    def __init__(self) -> None:
        self._open: dict[str, tuple[anyio.Event, list[Answer]]] = {}
        self.put: Callable[[PermissionRequest], Callable[[], None]] | None = None

    @contextmanager
    def open(self, question: PermissionRequest) -> Iterator[None]:
        """Within the block the question can be answered and waited for; however it is left, it is open no more."""
        self._open[question.id] = (anyio.Event(), [])
        call_off = self.put(question) if self.put else None
        try:
            yield
        finally:
            del self._open[question.id]
            if call_off:
                call_off()

    def answer(self, question_id: str, answer: Answer) -> bool:
        """Answer once; False where no such question is open (answered already, or interrupted)."""
        event, box = self._open.get(question_id, (None, []))
        if event is None or box:
            return False
        box.append(answer)
        event.set()
        return True

    async def wait(self, question_id: str) -> Answer:
        event, box = self._open[question_id]
        await event.wait()
        return box[0]
