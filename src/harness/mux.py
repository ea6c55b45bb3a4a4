"""Merge async generators into one stream, each pumped by a task of its own.

The only module that starts tasks. A generator must not yield inside a task group or a cancel scope (PEP 789),
so the scopes live in the pumps and the task group belongs to the session.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from types import TracebackType
from typing import Generic, TypeVar

import anyio
import anyio.lowlevel
from anyio.abc import TaskGroup

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Ended:
    error: Exception | None = None


class Mux(Generic[T]):
    """Iterate what all added generators yield, in the order it comes.

    Leaving the block, by whatever way, cancels the pumps and waits until each has ended: when a consumer
    breaks off, no source outlives the block.
    """

    def __init__(self, tasks: TaskGroup) -> None:
        self._tasks = tasks
        self._send, self._receive = anyio.create_memory_object_stream[T | _Ended](0)
        self._scopes: list[anyio.CancelScope] = []
        self._live = 0
        self.interrupted = False

    def add(self, source: AsyncGenerator[T, None]) -> anyio.CancelScope:
        """Pump `source`; cancelling the scope returned ends it alone. After `interrupt` it is closed unstarted."""
        scope = anyio.CancelScope()
        if self.interrupted:
            scope.cancel()
        self._scopes.append(scope)
        self._live += 1
        self._tasks.start_soon(self._pump, source, scope)
        return scope

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
        self._send.close()
        self._receive.close()

    def __aiter__(self) -> "Mux[T]":
        return self

    async def __anext__(self) -> T:
        while self._live:
            item = await self._next()
            if not isinstance(item, _Ended):
                return item
            if item.error:
                raise item.error
        raise StopAsyncIteration

    async def _next(self) -> T | _Ended:
        item = await self._receive.receive()
        self._live -= isinstance(item, _Ended)
        return item

    def _cancel(self) -> None:
        for scope in self._scopes:
            scope.cancel()

    async def _pump(self, source: AsyncGenerator[T, None], scope: anyio.CancelScope) -> None:
        ended = _Ended()
        try:
            with scope:
                async with aclosing(source):
                    await anyio.lowlevel.checkpoint_if_cancelled()
                    async for item in source:
                        await self._send.send(item)
        except Exception as error:  # noqa: BLE001  the consumer raises it, in its own task
            ended = _Ended(error)
        finally:
            with anyio.CancelScope(shield=True):
                await self._send.send(ended)
