"""One answer of a server, bytes to model events. No I/O: the same bytes give the same result, however split.

Wire facts: a turn has ended when a `finish_reason` or `[DONE]` was seen; neither alone is reliable. Neither
seen means that the connection broke, and nothing of it may be executed.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from harness.errors import ProviderError, Retry
from harness.messages import Assistant, AssistantPart, Stop, Text, TextDelta, Thinking, ToolCall, Usage
from harness.providers.body import WholeBody, broken_error, read_json, recognise
from harness.providers.calls import Offered
from harness.providers.deltas import Deltas, Naming, Received
from harness.providers.errors import classify_event
from harness.providers.finish import USAGE_KEYS, Finish, read_finish, read_usage
from harness.providers.port import CallReady, MessageEnd, ModelEvent, Told
from harness.providers.sse import Sse, SseReader

MAX_ANSWER = 256 * 1024 * 1024  # bytes of one answer

_STOPS: Mapping[Finish, Stop] = {"length": "max_tokens", "content_filter": "refusal"}


class Decoder:
    """Feed it what each network read gave; then `close`.

    Consecutive deltas of one kind within one `feed` come out as one event, unless they are wanted `apart`.
    """

    def __init__(self, offered: Offered, naming: Naming, *, apart: bool = False) -> None:
        self._naming = naming
        self._deltas = Deltas(offered, naming, apart=apart)
        self._sse = SseReader()
        self._head = b""
        self._is_body: bool | None = None  # whether the answer is one body and no event stream
        self._body: WholeBody | None = None
        self._size = 0
        self._recognised = False  # something of the protocol was seen
        self._usage: Usage | None = None
        self._finish: Finish | None = None
        self._done = False
        self._error: ProviderError | None = None

    @property
    def ended(self) -> bool:
        """Nothing more need be read."""
        return self._done or self._error is not None

    @property
    def finished(self) -> bool:
        """The answer is whole, even if the connection breaks now."""
        return self._done or self._finish is not None

    def feed(self, data: bytes) -> list[ModelEvent]:
        """Take bytes. An error in them is kept for `close`, so that what came before it is not lost."""
        if self.ended:
            return []
        try:
            self._take(data)
        except ProviderError as error:
            self._error = error
        return self._deltas.flush()

    def close(self) -> list[ModelEvent]:
        """The end of the bytes: the last events, `MessageEnd` at the end.

        Raises:
            ProviderError: the server told of an error, or the answer is not whole.
        """
        if not self.ended:
            self._last_bytes()
        if self._error is not None:
            raise self._error
        if self._finish == "failed":
            raise ProviderError(
                "overloaded", "The server gave up in the middle of its answer.", "Ask again.", retry=Retry()
            )
        if self._finish == "overflow":
            raise classify_event({"message": "context_length_exceeded", "code": "context_length_exceeded"})
        if not self.finished:
            raise self._unfinished()
        return self._end()

    # The bytes

    def _take(self, data: bytes) -> None:
        self._size += len(data)
        if self._size > MAX_ANSWER:
            raise ProviderError("protocol", f"The answer is longer than {MAX_ANSWER >> 20} MiB.", "Ask for less.")
        if self._is_body is None:
            self._head += data
            self._is_body = recognise(self._head)
            if self._is_body:
                self._body, data = WholeBody(), self._head
        if self._body is not None:
            self._body.feed(data)
            return
        for event in self._sse.feed(data):
            self._event(event)
            if self.ended:
                return

    def _last_bytes(self) -> None:
        try:
            if self._body is not None:
                for chunk in self._body.chunks():
                    self._chunk(chunk)
                self._done = self._recognised
                return
            for event in self._sse.close():
                self._event(event)
        except ProviderError as error:
            self._error = error

    def _unfinished(self) -> ProviderError:
        if self._recognised:
            what, mend = "The connection broke in the middle of the answer.", "Ask again."
        elif self._head.lstrip()[:1] in {b"", b":"}:  # nothing, or signs of life only
            what, mend = "The server closed the connection without an answer.", "Look into the server's log."
        else:
            return ProviderError("protocol", "The answer is no chat-completions stream.", "Check the base URL.")
        return ProviderError("network", what, mend, retry=Retry())

    def _event(self, event: Sse) -> None:
        for payload in self._payloads(event):
            if isinstance(payload, dict):
                if event.name == "error" and "choices" not in payload:
                    payload.setdefault("error", dict(payload))
                self._chunk(payload)

    def _payloads(self, event: Sse) -> Iterable[Any]:
        text = event.lines[0] if len(event.lines) == 1 else "\n".join(event.lines)
        value = read_json(text)
        return (value,) if value is not None else self._odd_payloads(event, text)

    def _odd_payloads(self, event: Sse, text: str) -> Iterator[Any]:
        """What an event holds that is no JSON."""
        if len(event.lines) > 1 and not event.lines[0].startswith('{"error"'):
            for line in event.lines:  # a server that leaves out the blank lines
                yield from self._payloads(Sse(event.name, [line]))
        elif text.strip() == "[DONE]":
            self._done = self._recognised = True
        elif (error := broken_error(text, event.name)) is not None:
            yield {"error": error}

    # The chunks

    def _chunk(self, chunk: Mapping[str, Any]) -> None:
        if chunk.get("error"):
            self._recognised = True
            self._error = classify_event(chunk["error"])
            return
        if chunk.keys() & USAGE_KEYS:
            self._use(chunk)
        choices = chunk.get("choices")
        if not isinstance(choices, list):
            return
        self._recognised = True
        for choice in choices:
            if isinstance(choice, dict) and not choice.get("index"):
                self._choice(choice)

    def _use(self, holder: Mapping[str, Any]) -> None:
        if usage := read_usage(holder):
            self._usage = usage
            self._recognised = True

    def _choice(self, choice: Mapping[str, Any]) -> None:
        delta = choice.get("delta") or choice.get("message")
        if isinstance(delta, dict):
            self._deltas.take(delta)
        if "usage" in choice:
            self._use(choice)
        if choice.get("error"):
            self._error = classify_event(choice["error"])
        elif choice.get("finish_reason"):
            self._finish = read_finish(choice["finish_reason"])

    # The end

    def received(self) -> Received:
        """What came, as far as it came; once only, instead of `close` or after it raised."""
        usual = self.finished and self._finish in {None, "stop", "tool_calls"}
        return self._deltas.close(cut=not usual, recover=usual)

    def _end(self) -> list[ModelEvent]:
        self._deltas.flush()
        received = self.received()
        calls = [call for call, _ in received.calls]
        if self._finish == "content_filter":
            calls = []  # what the provider took back is not to be done
        events: list[ModelEvent] = []
        shown = self._deltas.shown
        if received.text.startswith(shown) and len(received.text) > len(shown):
            events.append(TextDelta(received.text[len(shown) :]))
        events += _told(received, calls, self._usage)
        events += [CallReady(call) for call in calls[self._deltas.announced :]]
        stop: Stop = "tool_use" if calls else "refusal" if received.refused else "end_turn"
        stop = _STOPS.get(self._finish or "stop", stop)
        message = Assistant(self._naming.message_id, _parts(received, calls), stop, self._usage, self._naming.model)
        return [*events, MessageEnd(message)]

    @property
    def usage(self) -> Usage | None:
        return self._usage

    @property
    def finish(self) -> Finish | None:
        return self._finish

    @property
    def extras(self) -> Mapping[str, Mapping[str, Any]]:
        """By call id: unknown keys of a call, to be sent back as they came."""
        return self._deltas.extras


def _parts(received: Received, calls: list[ToolCall]) -> tuple[AssistantPart, ...]:
    # An empty reasoning field has to be sent back beside calls, too (DeepSeek), so it is kept.
    parts: list[AssistantPart] = []
    if received.thinking or (received.field and calls):
        parts.append(Thinking(received.thinking, received.field))
    if received.text:
        parts.append(Text(received.text))
    return (*parts, *calls)


def _told(received: Received, calls: list[ToolCall], usage: Usage | None) -> list[ModelEvent]:
    if received.dialect and calls:
        names = ", ".join(call.name for call in calls)
        return [Told("text_call", f"The model printed its calls as text ({received.dialect}): {names}.")]
    mended = [call.name for call, raw in received.calls if call.input and call.arguments != raw]
    if mended:
        return [Told("repaired_arguments", f"The model's JSON was damaged and could be read: {', '.join(mended)}.")]
    if not (received.text.strip() or received.thinking.strip() or calls):
        prompt = f" for a prompt of {usage.input_tokens} tokens" if usage and usage.input_tokens else ""
        return [
            Told(
                "empty_response",
                f"The server answered nothing{prompt}.",
                "If this repeats, the prompt may exceed the window that the model was loaded with.",
                "warning",
            )
        ]
    return []
