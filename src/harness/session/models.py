"""The models that a session speaks to, one at a time."""

from collections.abc import Awaitable, Callable

from harness.errors import HarnessError
from harness.providers.port import Provider


class Models:
    """`connect` makes a provider for a model's name (None: the first one again); None where there is no other."""

    def __init__(self, provider: Provider) -> None:
        self.now = provider
        self.connect: Callable[[str | None], Awaitable[Provider]] | None = None
        self._former: list[Provider] = []  # may still be answering

    async def change(self, model: str | None) -> Provider:
        """Raises HarnessError: it cannot be connected to."""
        if self.connect is None:
            raise HarnessError("This session was opened with a model of its own, which cannot be changed.")
        found = await self.connect(model)
        self._former.append(self.now)
        self.now = found
        return found

    async def current(self) -> Provider:
        return self.now

    async def aclose(self) -> None:
        for provider in (*self._former, self.now):
            await provider.aclose()
