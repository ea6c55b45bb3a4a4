"""The one port between the loop and any model server."""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from harness.messages import Assistant, Delta, HistoryMessage, ToolCall


@dataclass(frozen=True, slots=True)
class Model:
    """The model in use. Windows are in tokens; None where nobody knows."""

    id: str
    endpoint: str  # base URL, without credentials
    context_window: int | None = None
    max_output: int | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """What the model is asked. `tools` is the JSON array of function specs, already encoded and frozen.

    `messages` is append-only from one request to the next (only compaction replaces the list), so that a
    provider may keep what it has encoded.
    """

    id: str
    system: str
    messages: Sequence[HistoryMessage]
    tools: bytes = b"[]"
    max_output: int | None = None
    rewritten: bool = False  # on purpose, and said: it does not begin with the request before
    side: bool = False  # beside the conversation: the next request does not continue this one
    force: str = ""  # the tool whose call the answer must be, where the server can be held to it


@dataclass(frozen=True, slots=True)
class CallReady:
    """One call of the message is whole; the message may still be going on."""

    call: ToolCall


@dataclass(frozen=True, slots=True)
class Retrying:
    """The attempt failed and is made again after `delay` seconds: whatever it had streamed is void."""

    attempt: int
    max_retries: int
    delay: float
    error: str
    kind: str = "network"
    status: int | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """Something for people: a repair, a parameter dropped, a fallback."""

    cause: str
    text: str
    mend: str = ""
    level: Literal["info", "warning", "error"] = "info"


@dataclass(frozen=True, slots=True)
class MessageEnd:
    """The whole message; the last thing a stream yields. `cost` is in US dollars, None where nobody knows."""

    message: Assistant
    cost: float | None = None


ModelEvent = Delta | CallReady | Retrying | Told | MessageEnd


class Provider(Protocol):
    """A model behind an endpoint."""

    @property
    def model(self) -> Model: ...

    @property
    def priced(self) -> bool:
        """Whether anybody knows what the model's tokens cost here."""
        ...

    @property
    def only_offered(self) -> bool:
        """Whether the server keeps the model to the tools that the request offers (by a grammar)."""
        ...

    def estimate(self, request: Request) -> int:
        """How many tokens the request will hold, roughly; used where the server has not told yet."""
        ...

    async def ready(self) -> Told | None:
        """Wait, not long and only once, until the window is known; what people should know of it."""
        ...

    def weigh(self, request: Request) -> Sequence[float]:
        """Tokens of each of the request's messages, roughly."""
        ...

    def stream(self, request: Request) -> AsyncGenerator[ModelEvent, None]:
        """Ask, and yield the answer as it comes; ends with exactly one `MessageEnd`.

        Raises:
            ProviderError: after the retries, or where retrying cannot help.
        """
        ...

    async def aclose(self) -> None: ...
