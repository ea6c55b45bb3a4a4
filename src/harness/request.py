"""One request to the model: held to its contract, interruptible, with signs of life while it is silent."""

import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

import anyio

from harness.errors import ProviderError
from harness.events import Event, Progress
from harness.providers.port import MessageEnd, ModelEvent, Provider, Request

AHEAD = 0.05  # seconds: a server that answers sooner leaves no time to make anything ready


class Interrupt:
    """A wish to stop that is never lost: it ends what runs now, or else what would run next."""

    def __init__(self) -> None:
        self.requested = False
        self._end: Callable[[], None] | None = None

    def request(self) -> None:
        self.requested = True
        if self._end:
            self._end()

    def attach(self, end: Callable[[], None] | None) -> None:
        self._end = end
        if end and self.requested:
            end()


async def answer(provider: Provider, request: Request) -> AsyncGenerator[ModelEvent, None]:
    """The provider's stream, held to its contract: without a whole message at its end a step would wait for ever."""
    whole = False
    async with aclosing(provider.stream(request)) as events:
        async for event in events:
            whole = isinstance(event, MessageEnd)
            yield event
    if not whole:
        raise ProviderError("protocol", "The model's answer ended without a whole message.", "Try again.")


async def heartbeat(
    what: str, began: float, every: float, ahead: Callable[[], None] | None = None
) -> AsyncGenerator[Event, None]:
    """Signs of life. `ahead` is done once the request is on its way: what follows its answer can be made ready."""
    beat = anyio.current_time() + every
    if ahead and every > AHEAD:
        await anyio.sleep(AHEAD)
        ahead()
    while True:
        await anyio.sleep_until(beat)
        yield Progress(what=what, elapsed=round(time.monotonic() - began, 1))
        beat = anyio.current_time() + every
