"""The profile of the model in use: from the cache at once, else from the server while the first request is made."""

from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio

from harness.providers import profile as profiles
from harness.providers.options import Options
from harness.providers.port import Told
from harness.providers.profile import ASSUMED_WINDOW, Profile

if TYPE_CHECKING:
    from harness.providers.http import httpx

Aside = Callable[[Callable[[], Coroutine[Any, Any, None]]], None]  # starts work that nobody waits for

_NEAR, _FAR = 0.3, 1.0  # seconds that a first request waits for a server on this machine, and elsewhere


class Profiler:
    """`aside` None: what has to be asked is asked when it is needed, and no longer than the first request waits.

    `endpoint` is the base URL without credentials, `base_url` the one to ask.
    """

    def __init__(
        self, options: Options, client: "httpx.AsyncClient", base_url: str, endpoint: str, aside: Aside | None
    ) -> None:
        self._file: Path | None = options.learnt_file
        self._set = (options.context_window, options.max_output)
        self._client, self._base_url, self._endpoint = client, base_url, endpoint
        self._aside = aside
        self._model = ""
        self._found = Profile()
        self._asked: anyio.Event | None = None  # the answer that is awaited, where nothing is cached
        self._asking = False
        self._stale = False  # to be asked again, once the model is loaded

    @property
    def profile(self) -> Profile:
        """What is known now, the person's settings first."""
        window, output = self._set
        shown = self._found.with_window(window, "setting") if window else self._found
        return shown._replace(max_output=output) if output else shown

    @property
    def window(self) -> int:
        """Tokens; assumed where nobody knows."""
        return self.profile.context_window or ASSUMED_WINDOW

    def begin(self, model: str) -> None:
        """Another model is in use, or the first one."""
        self._model = model
        cached = profiles.load(self._file, self._endpoint, model) if self._file else None
        self._found, self._asked = cached or Profile(), None
        self._stale = cached is None or not cached.fresh
        if cached is None:
            self._asked = anyio.Event()
            if self._aside:
                self._aside(self._ask)

    async def ready(self) -> Told | None:
        """Wait, not long, for a profile that is not there yet; what people should know of the window, once."""
        asked = self._asked
        if asked is None:
            return None
        from harness.providers.http import is_loopback  # noqa: PLC0415  httpx is there: the client came from it

        limit = _NEAR if is_loopback(self._base_url) else _FAR
        with anyio.move_on_after(limit):
            await (asked.wait() if self._aside else self._ask())
        self._asked = None  # only now: the asking may not have begun before, and it has to find whom to tell
        if self.profile.context_window:
            return None
        untold = f"{self._endpoint} does not tell the context window of {self._model}"
        mend = "If it is another, set endpoint.contextWindow in settings."
        return Told("window", f"{untold}: {ASSUMED_WINDOW:,} tokens are assumed.", mend)

    def answered(self) -> None:
        """The model has begun to answer, so it is loaded: the time to ask again what was asked long ago or too soon."""
        if self._stale and self._aside and not self._asking:
            self._aside(self._ask)

    def learnt(self, tokens: int) -> None:
        """A refusal has named the limit."""
        self._keep(self._found.with_window(tokens, "error"))

    async def cut(self, sent: int, read: int) -> Profile:
        """The server read `read` of `sent` tokens: what it says of its window now, or `read` where it says nothing."""
        told = self._found.context_window if self._found.window_from == "server" else None
        if told is None or told > sent:
            with anyio.move_on_after(_FAR):
                await self._ask()
        if self._found.window_from != "server":
            self._keep(self._found.with_window(read, "usage"))
        return self._found

    async def _ask(self) -> None:
        model, asked, before = self._model, self._asked, self._found
        self._asking = True
        try:
            from harness.providers.probe import probe  # noqa: PLC0415  seldom needed: the answer is cached

            found = await probe(self._client, self._base_url, model)
        finally:
            self._asking = False
        if found.probed and model == self._model:  # it has answered, and no other model is in use by now
            taught = {"error", "usage"} if before.probed == found.probed else {"error"}  # what is cut may change
            if found.window_from != "server" and before.window_from in taught and before.context_window:
                found = found.with_window(before.context_window, before.window_from)
            self._stale = not found.loaded
            self._keep(found)
        if asked:
            asked.set()

    def _keep(self, profile: Profile) -> None:
        self._found = profile
        if self._file:
            profiles.save(self._file, self._endpoint, self._model, profile)
