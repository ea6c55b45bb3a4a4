"""The provider for any server that speaks chat-completions.

What reads answers is imported when the first answer begins: start-up waits for what makes a request only.
"""

import random
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING

import anyio

from harness.errors import ProviderError
from harness.messages import Usage
from harness.providers import quirks as quirk_store
from harness.providers.attempt import Attempt, NoAnswer
from harness.providers.counting import Counter, Cut
from harness.providers.encode import Encoder, dump
from harness.providers.http import client
from harness.providers.options import Options, checked_key, shown_url
from harness.providers.port import MessageEnd, Model, ModelEvent, Request, Retrying, Told
from harness.providers.prefix import Prefix
from harness.providers.profile import Profile
from harness.providers.profiler import Aside, Profiler
from harness.providers.quirks import Quirks, learn, wire_effort

if TYPE_CHECKING:
    import httpx

    from harness.providers.calls import Offered
    from harness.providers.decode import Decoder

_FIRST_DELAY = 0.5  # seconds; doubled each time
_LONGEST_DELAY = 32.0
_LONGEST_WAIT = 300.0  # a server that asks for more is not waited for
_FALL_BACK = {"overloaded", "rate_limit", "quota", "not_found"}


class ChatProvider:
    """One endpoint, one model at a time. `sleep`, `dice` and `transport` are for who plays time or server."""

    def __init__(
        self,
        options: Options,
        base_url: str,
        model: str,
        *,
        sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
        dice: Callable[[], float] = random.random,
        transport: "httpx.AsyncBaseTransport | None" = None,
    ) -> None:
        key = checked_key(options)
        headers = {**options.headers, **({"authorization": f"Bearer {key}"} if key else {})}
        self._options = options
        self._base_url = base_url
        self._model = Model(model, shown_url(base_url))
        self._fallbacks = list(options.fallback_models)
        self._client = client(base_url, headers, options.ca_file, options.proxy, transport)
        self._attempt = Attempt(self._client, base_url, options)
        self._encoder = Encoder(self._known_quirks())
        self._counter = Counter()
        self._prefix = Prefix()
        self._profiler: Profiler | None = None
        self._told_cut = False
        self._offered: tuple[bytes, Offered] | None = None
        self._sleep = sleep
        self._dice = dice

    def use_profile(self, aside: Aside | None) -> None:
        """Know the server and the model: by the cache, else by asking; `aside` starts what nobody waits for."""
        self._profiler = Profiler(self._options, self._client, self._base_url, self._model.endpoint, aside)
        self._profiler.begin(self._model.id)

    @property
    def model(self) -> Model:
        if self._profiler is None:
            return self._model
        window, output = self._profiler.window, self._profiler.profile.max_output
        if (self._model.context_window, self._model.max_output) != (window, output):
            self._model = replace(self._model, context_window=window, max_output=output)
        return self._model

    @property
    def profile(self) -> Profile | None:
        """What is known of the server and the model; None where nobody wanted to know."""
        return self._profiler.profile if self._profiler else None

    @property
    def priced(self) -> bool:
        from harness.providers.prices import price_of  # noqa: PLC0415  asked for where there is a budget

        return price_of(self._model.id, self.profile, self._options.prices) is not None

    @property
    def only_offered(self) -> bool:
        return self._server == "llama.cpp"

    @property
    def _server(self) -> str:
        return self.profile.server if self.profile else self._options.server

    @property
    def quirks(self) -> Quirks:
        """What is known of this server and model; for `harness doctor`."""
        return self._encoder.quirks

    def estimate(self, request: Request) -> int:
        return self._counter.estimate(request)

    async def ready(self) -> Told | None:
        return await self._profiler.ready() if self._profiler else None

    def weigh(self, request: Request) -> Sequence[float]:
        return self._counter.weigh(request)

    async def models(self) -> list[str]:
        """The ids of the models that the server has.

        Raises:
            ProviderError: it cannot be asked.
        """
        from harness.providers.models import list_models  # noqa: PLC0415  seldom needed

        return await list_models(self._client, self._base_url)

    async def aclose(self) -> None:
        await self._client.aclose()

    async def stream(self, request: Request) -> AsyncGenerator[ModelEvent, None]:
        """Ask; see `Provider.stream`."""
        tries = 0
        while True:
            streamed = False
            if told := await self.ready():
                yield told
            if self._profiler:
                await self._recount(request)
            try:
                body = self._body(request)
                if told := self._checked(request):
                    yield told
                async with aclosing(self._answer(request, body)) as events:
                    async for event in events:
                        streamed = True
                        yield event
                return
            except ProviderError as error:
                failure = error
            request, told = self._adapted(request, failure)
            if told is None and not self._worth_retrying(failure, tries):
                told = self._fall_back(failure)
                if told is None:
                    from harness.providers.explain import explained  # noqa: PLC0415  only when all failed

                    raise await explained(failure, self._options, self._model, self.models) from failure
                tries = 0
            if told is not None:
                yield told
            delay = self._delay(failure, tries) if told is None else 0.0
            tries += told is None
            if streamed or told is None:  # what was streamed is void, and only this says so
                yield Retrying(tries, self._options.max_retries, delay, failure.what, failure.kind, failure.status)
            await self._sleep(delay)

    async def _answer(self, request: Request, body: bytes) -> AsyncGenerator[ModelEvent, None]:
        decoder: Decoder | None = None

        def begin() -> "Decoder":
            nonlocal decoder
            decoder = self._decoder(request)
            if self._profiler:
                self._profiler.answered()
            return decoder

        async with aclosing(self._attempt.stream(body, begin)) as events:
            async for event in events:
                if not isinstance(event, MessageEnd):
                    yield event
                    continue
                if decoder:
                    self._encoder.extras.update(decoder.extras)
                usage = event.message.usage
                if usage and (cut := self._counter.counted(request, usage)) and (told := await self._cut(cut)):
                    yield told
                yield replace(event, cost=self._cost(usage))

    def _cost(self, usage: Usage | None) -> float | None:
        if usage is None:
            return None
        from harness.providers.prices import cost, price_of  # noqa: PLC0415  once there is something to price

        price = price_of(self._model.id, self.profile, self._options.prices)
        return cost(usage, price) if price else None

    def _decoder(self, request: Request) -> "Decoder":
        from harness.providers.calls import Offered  # noqa: PLC0415  while the server thinks
        from harness.providers.decode import Decoder  # noqa: PLC0415
        from harness.providers.deltas import Naming  # noqa: PLC0415

        if self._offered is None or self._offered[0] != request.tools:
            self._offered = (request.tools, Offered.decode(request.tools))
        naming = Naming(f"msg_{request.id}", self._model.id, self._encoder.call_ids)
        return Decoder(self._offered[1], naming, apart=self._options.apart)

    # Windows

    async def _recount(self, request: Request) -> None:
        """A first request that may be near the window is counted, not guessed, where that can be had."""
        if self._counter.anchored or self.estimate(request) * 2 < (self.model.context_window or 0):
            return
        from harness.providers.recount import recounted  # noqa: PLC0415  long first requests are rare

        count = await recounted(self._client, self._base_url, self.profile, request, self._body(request))
        if count:
            self._counter.anchor(request, count)

    async def _cut(self, cut: Cut) -> Told | None:
        """The server did not read all of the request and did not say so: once, people are told."""
        if self._told_cut or self._profiler is None:
            return None
        self._told_cut = True
        from harness.providers.mends import larger_window  # noqa: PLC0415  hopefully never

        known = await self._profiler.cut(cut.sent, cut.read)
        at, name = self._model.endpoint, self._model.id
        window = f" Its window holds {known.context_window:,}." if known.context_window else ""
        return Told(
            "truncation",
            f"{known.server or 'The server'} at {at} read only {cut.read:,} of about {cut.sent:,} tokens: "
            f"the rest was dropped, and it did not say so.{window}",
            larger_window(known, at, name, cut.sent),
            "warning",
        )

    # The request

    def _body(self, request: Request) -> bytes:
        quirks = self._encoder.quirks
        system, tools = request.system, request.tools if request.tools != b"[]" else b""
        if quirks.text_tools:
            from harness.providers.textmode import with_tools  # noqa: PLC0415  few servers need it

            system, tools = with_tools(system, tools), b""
        elif quirks.plain_schemas and tools:
            from harness.providers.schemas import plain_tools  # noqa: PLC0415  few servers need it

            tools = plain_tools(tools)
        effort = wire_effort(quirks, self._options.effort)
        output = request.max_output or self._options.max_output
        fields = {
            "model": dump(self._model.id),
            "messages": self._encoder.messages(system, request.messages),
            "tools": tools,
            "stream": b"true",
            "stream_options": b'{"include_usage":true}',
            quirks.output_limit: dump(output) if output else b"",
            "reasoning_effort": dump(effort) if effort else b"",
        }
        if forced := self._forced(request):
            fields[forced[0]] = forced[1]
        sent = (dump(k) + b":" + v for k, v in fields.items() if v and k not in quirks.dropped)
        return b"{" + b",".join(sent) + b"}"

    def _forced(self, request: Request) -> tuple[str, bytes] | None:
        if not request.force:
            return None
        from harness.providers.forcing import forced  # noqa: PLC0415  seldom asked for

        return forced(request, self._encoder.quirks, self._server)

    def _checked(self, request: Request) -> Told | None:
        """A request that does not begin with the one before costs the server its cache: never unsaid."""
        if request.side:
            return None
        where = self._prefix.broken(request.tools, self._encoder.runs, declared=request.rewritten)
        if not where:
            return None
        return Told("prefix", f"This request differs from the last one in {where}: the server's cache starts anew.")

    # What goes wrong

    def _adapted(self, request: Request, failure: ProviderError) -> tuple[Request, Told | None]:
        """What the refusal teaches; None where it teaches nothing."""
        from harness.providers.errors import ServerError  # noqa: PLC0415  only when something failed

        if not isinstance(failure, ServerError):
            return request, None
        limit, used = failure.limit_tokens, failure.used_tokens
        if failure.kind == "overflow" and limit and self._profiler:
            self._profiler.learnt(limit)
        if failure.kind == "overflow" and failure.reduce and limit and used and limit - used > 64:
            room = limit - used - 64
            if request.max_output is None or room < request.max_output:
                told = Told("max_output", f"The answer is limited to {room} tokens: the window holds {limit}.")
                return replace(request, max_output=room), told
        fix = failure.fix
        if forced := self._forced(request):
            from harness.providers.forcing import refused  # noqa: PLC0415

            fix = f"drop_param:{forced[0]}" if refused(failure, forced[0]) else fix
        learnt = learn(self._encoder.quirks, fix)
        if learnt is None:
            return request, None
        self._encoder.quirks, what = learnt
        self._prefix.forget()  # it is said below
        if self._options.learnt_file:
            quirk_store.save(self._options.learnt_file, self._model.endpoint, self._model.id, learnt[0])
        return request, Told("adapted", f"{self._model.endpoint}: {what} from now on ({failure.what}).")

    def _worth_retrying(self, failure: ProviderError, tries: int) -> bool:
        if failure.retry is None or (failure.retry.after or 0) > _LONGEST_WAIT:
            return False
        most = self._options.max_retries
        if isinstance(failure, NoAnswer):
            most = min(most, failure.tries - 1)
        elif failure.kind == "bad_request":
            most = min(most, 1)
        return tries < most

    def _delay(self, failure: ProviderError, tries: int) -> float:
        if failure.retry and failure.retry.after is not None:
            return failure.retry.after
        return min(_LONGEST_DELAY, _FIRST_DELAY * 2.0**tries) * (0.75 + 0.5 * self._dice())

    def _fall_back(self, failure: ProviderError) -> Told | None:
        if failure.kind not in _FALL_BACK or not self._fallbacks:
            return None
        before, after = self._model.id, self._fallbacks.pop(0)
        self._model = replace(self._model, id=after, context_window=None, max_output=None)
        self._encoder.quirks = self._known_quirks()
        self._counter = Counter()
        self._prefix.forget()
        if self._profiler:
            self._profiler.begin(after)
        return Told("fallback", f"{before} failed ({failure.what}); going on with {after}.", level="warning")

    def _known_quirks(self) -> Quirks:
        file = self._options.learnt_file
        return quirk_store.load(file, self._model.endpoint, self._model.id) if file else Quirks()
