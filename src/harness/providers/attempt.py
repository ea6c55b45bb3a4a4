"""One request, one answer: over httpx, with time counted on bytes, every failure a ProviderError."""

import socket
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import aclosing
from typing import TYPE_CHECKING, cast

import anyio

from harness.errors import ProviderError, Retry
from harness.providers.http import httpx
from harness.providers.options import Options, shown_url
from harness.providers.port import ModelEvent
from harness.providers.servers import how_to_start

if TYPE_CHECKING:
    from harness.providers.decode import Decoder
    from harness.providers.record import Exchange, Recorder

_MAX_ERROR_BODY = 1 << 20  # bytes of a refusal that are read
_DRAIN = 0.1  # seconds that the end of a body may take once the answer is whole
_GRACE = 5.0  # seconds that a finished answer is waited on for its usage


class NoAnswer(ProviderError):
    """The network failed. `tries` is how often this is worth trying in all."""

    def __init__(self, what: str, mend: str, *, tries: int) -> None:
        super().__init__("network", what, mend, retry=Retry() if tries > 1 else None)
        self.tries = tries


class Attempt:
    """Sends one body and gives out what comes back."""

    def __init__(self, client: httpx.AsyncClient, base_url: str, options: Options) -> None:
        self._client = client
        self._url = f"{base_url}/chat/completions"
        self._shown = shown_url(base_url)
        self._options = options
        self._recorder = _recorder(options, self._url, client)

    async def stream(self, body: bytes, begin: "Callable[[], Decoder]") -> AsyncGenerator[ModelEvent, None]:
        """Ask; `begin` makes the decoder once the server has begun to answer.

        Raises:
            ProviderError: what was yielded before is then void.
        """
        recorder = self._recorder
        exchange = recorder.request(body) if recorder else None
        response = await self._send(body)
        try:
            if response.status_code != 200:
                raise await self._refused(response, exchange)
            decoder = begin()
            async with aclosing(_bytes(response, exchange)) as chunks:
                limit = self._options.first_byte_timeout
                while (data := await self._read(chunks, decoder, limit)) is not None:
                    for event in decoder.feed(data):
                        yield event
                    if decoder.ended:
                        break
                    limit = _GRACE if decoder.finished else self._options.idle_timeout
                if recorder and (told := recorder.problem()):
                    yield told
                for event in decoder.close():
                    yield event
                await _drain(chunks)
        finally:
            await response.aclose()

    async def _send(self, body: bytes) -> httpx.Response:
        request = self._client.build_request(
            "POST",
            self._url,
            content=body,
            headers={"content-type": "application/json", "accept": "text/event-stream"},
            timeout=httpx.Timeout(None, connect=self._options.connect_timeout),
        )
        try:
            with anyio.fail_after(self._options.first_byte_timeout):
                return await self._client.send(request, stream=True)
        except TimeoutError as error:
            raise self._silent(self._options.first_byte_timeout) from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise no_answer(error, self._shown, self._options.connect_timeout) from error

    async def _read(self, chunks: AsyncIterator[bytes], decoder: "Decoder", limit: float) -> bytes | None:
        """The next bytes, None at the end. An answer that is whole is not spoilt by what breaks after it."""
        try:
            with anyio.fail_after(limit):
                return await anext(chunks)
        except StopAsyncIteration:
            return None
        except TimeoutError as error:
            if decoder.finished:
                return None
            raise self._silent(limit) from error
        except httpx.HTTPError as error:
            if decoder.finished:
                return None
            raise NoAnswer(
                f"The connection to {self._shown} broke in the middle of the answer: {error}",
                "Look into the server's log.",
                tries=99,
            ) from error

    async def _refused(self, response: httpx.Response, exchange: "Exchange | None") -> ProviderError:
        from harness.providers.errors import classify  # noqa: PLC0415  only when something failed

        body = b""
        try:
            with anyio.fail_after(self._options.connect_timeout):
                async with aclosing(_bytes(response, exchange)) as chunks:
                    async for chunk in chunks:
                        body += chunk
                        if len(body) > _MAX_ERROR_BODY:
                            break
        except (TimeoutError, httpx.HTTPError):
            pass  # the status says enough
        if response.has_redirect_location:
            return ProviderError(
                "protocol",
                f"{self._shown} has moved to {response.headers['location']}.",
                "Set the base URL to the new place.",
                status=response.status_code,
            )
        return classify(response.status_code, response.headers, body.decode("utf-8", "replace"))

    def _silent(self, limit: float) -> NoAnswer:
        return NoAnswer(
            f"{self._shown} sent nothing for {limit:g} s.",
            "Raise API_TIMEOUT_MS (first byte) or CLAUDE_STREAM_IDLE_TIMEOUT_MS if it is only slow.",
            tries=2,
        )


def no_answer(error: Exception, shown: str, connect_timeout: float) -> NoAnswer:
    """What httpx's error means for a person. `shown` is the base URL without credentials; seconds."""
    chain = list(_causes(error))
    words = str(error) or type(error).__name__
    if any(isinstance(cause, ConnectionRefusedError) for cause in chain):
        return NoAnswer(f"Nothing listens at {shown}.", how_to_start(shown), tries=4)
    if any(isinstance(cause, socket.gaierror) for cause in chain):
        return NoAnswer(f"The name in {shown} is not known: {words}", "Check OPENAI_BASE_URL and the network.", tries=2)
    if "CERTIFICATE" in words.upper() or "SSL" in words.upper():
        return NoAnswer(
            f"The TLS connection to {shown} failed: {words}",
            "For a private certificate authority set SSL_CERT_FILE or HARNESS_CA_FILE to its PEM file.",
            tries=1,
        )
    if isinstance(error, httpx.ConnectTimeout):
        return NoAnswer(
            f"No connection to {shown} within {connect_timeout:g} s.",
            "Check the address, the network, and proxy variables.",
            tries=3,
        )
    if isinstance(error, httpx.InvalidURL | httpx.UnsupportedProtocol | httpx.LocalProtocolError):
        return NoAnswer(f"{shown} cannot be asked: {words}", "Check OPENAI_BASE_URL.", tries=1)
    return NoAnswer(f"The request to {shown} failed: {words}", "Check that the server runs, and its log.", tries=99)


def _recorder(options: Options, url: str, client: httpx.AsyncClient) -> "Recorder | None":
    if options.record is None:
        return None
    from harness.providers.record import Recorder  # noqa: PLC0415  few runs record

    return Recorder(options.record, url, client.headers, options.api_key)


async def _drain(chunks: AsyncIterator[bytes]) -> None:
    """Read to the end of the body, which is mostly there already: so the connection serves the next request."""
    try:
        with anyio.move_on_after(_DRAIN):
            async for _ in chunks:
                pass
    except httpx.HTTPError:
        pass  # the answer is whole; the next request makes a new connection


def _bytes(response: httpx.Response, exchange: "Exchange | None") -> AsyncGenerator[bytes, None]:
    chunks = cast("AsyncGenerator[bytes, None]", response.aiter_bytes())  # which it is, to be closed
    return exchange.copied(chunks, response.status_code, response.headers.items()) if exchange else chunks


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """The error and all that led to it; a connection is tried on several addresses, so there may be groups."""
    while error is not None:
        yield error
        if isinstance(error, BaseExceptionGroup):
            for inner in error.exceptions:
                yield from _causes(inner)
        error = error.__cause__ or error.__context__
