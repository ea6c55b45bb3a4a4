"""Merge async generators into one stream, each pumped by a task of its own.

The only module that starts tasks. A generator must not yield inside a task group or a cancel scope (PEP 789),
so the scopes live in the pumps and the task group belongs to the session.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import aclosing
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Generic, TypeVar

import anyio
import anyio.lowlevel
from anyio.abc import TaskGroup

T = TypeVar("T")


# How many items may wait for the consumer. A fast stream is then taken in batches: handing over each delta of it
# by itself would cost two turns of the event loop a piece.
BUFFER = 256


@dataclass(frozen=True, slots=True)
class _Ended:
    error: Exception | None = None


class Source:
    """One generator being pumped."""

    def __init__(self, *, paced: bool) -> None:
        self.scope = anyio.CancelScope()
        self.dropped = False
        self.paced = paced
        self.taken = anyio.Event()

    def drop(self) -> None:
        """End it alone; nothing of it arrives any more, not even what had been yielded and not yet taken."""
        self.dropped = True
        self.scope.cancel()


class Mux(Generic[T]):
    """Iterate what all added generators yield, in the order it comes.

    Leaving the block, by whatever way, cancels the pumps and waits until each has ended: when a consumer
    breaks off, no source outlives the block.
    """

    def __init__(self, tasks: TaskGroup) -> None:
        self._tasks = tasks
        # A queue of our own: a memory object stream loses the item that reaches a receiver as it is cancelled, and
        # were that the end of a source, leaving the block would wait for it for ever.
        self._items: deque[tuple[Source, T | _Ended]] = deque()
        self._arrived, self._room = anyio.Event(), anyio.Event()
        self._sources: list[Source] = []
        self._last: Source | None = None  # whose item the consumer is working on
        self._live = 0
        self.interrupted = False

    def add(self, generator: AsyncGenerator[T, None], *, paced: bool = True) -> Source:
        """Pump `generator`. After `interrupt` it is closed unstarted.

        A `paced` one goes on only when the consumer has dealt with its last item and asks for the next: what it
        says has been written down before it acts on it. One that only speaks may run ahead.
        """
        source = Source(paced=paced)
        if self.interrupted:
            source.scope.cancel()
        self._sources.append(source)
        self._live += 1
        self._tasks.start_soon(self._pump, generator, source)
        return source

    def interrupt(self) -> None:
        """End every source at its next await; iteration then ends as if they had finished."""
        self.interrupted = True
        self._cancel()

    async def __aenter__(self) -> "Mux[T]":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._cancel()
        with anyio.CancelScope(shield=True):
            while self._live:
                await self._next()

    def __aiter__(self) -> "Mux[T]":
        return self

    async def __anext__(self) -> T:
        if self._last:
            self._last.taken.set()
            self._last = None
        while self._live:
            item = await self._next()
            if not isinstance(item, _Ended):
                return item
            if item.error:
                raise item.error
        raise StopAsyncIteration

    async def _next(self) -> T | _Ended:
        while True:
            while not self._items:
                self._arrived = anyio.Event()
                await self._arrived.wait()
            source, item = self._items.popleft()
            self._room.set()
            if isinstance(item, _Ended):
                self._live -= 1
                return item
            if not source.dropped:
                self._last = source
                return item

    def _cancel(self) -> None:
        for source in self._sources:
            source.scope.cancel()

    async def _pump(self, generator: AsyncGenerator[T, None], source: Source) -> None:
        ended = _Ended()
        try:
            with source.scope:
                async with aclosing(generator):
                    await anyio.lowlevel.checkpoint_if_cancelled()
                    async for item in generator:
                        await self._put(source, item)
                        if source.paced:
                            await source.taken.wait()
                            source.taken = anyio.Event()
        except Exception as error:  # noqa: BLE001  the consumer raises it, in its own task
            ended = _Ended(error)
        finally:
            self._add(source, ended)

    async def _put(self, source: Source, item: T) -> None:
        while len(self._items) >= BUFFER:
            if self._room.is_set():
                self._room = anyio.Event()
            await self._room.wait()
        self._add(source, item)

    def _add(self, source: Source, item: T | _Ended) -> None:
        self._items.append((source, item))
        self._arrived.set()


async def apart(generator: AsyncGenerator[T, None]) -> AsyncGenerator[T, None]:
    """Iterate `generator` in a task of its own: it may hold scopes open, whatever its consumer does meanwhile."""
    handed: asyncio.Queue[T | _Ended] = asyncio.Queue(1)

    async def pump() -> None:
        ended = _Ended()
        try:
            async with aclosing(generator):
                async for item in generator:
                    await handed.put(item)
        except Exception as error:  # noqa: BLE001  the consumer raises it, in its own task
            ended = _Ended(error)
        await handed.put(ended)

    task = asyncio.create_task(pump())
    try:
        while not isinstance(item := await handed.get(), _Ended):
            yield item
        if item.error:
            raise item.error
    finally:
        task.cancel()
        await asyncio.wait({task})


def aside(tasks: TaskGroup, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Do something that nobody waits for; it ends with the session, at the latest. It must not raise."""
    tasks.start_soon(work)
