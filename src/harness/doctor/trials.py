"""`--probe`: a few tiny requests, each of which shows one thing that a session needs of a model and its server."""

import json
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field

from harness.doctor import advice
from harness.doctor.check import Check, failed
from harness.doctor.endpoint import Endpoint, loaded_window, text_tools
from harness.errors import ProviderError
from harness.messages import Assistant, HistoryMessage, Text, TextDelta, Thinking, ThinkingDelta, ToolResult, User
from harness.providers.chat import ChatProvider
from harness.providers.mends import larger_window
from harness.providers.port import MessageEnd, Request, Told

_SYSTEM = "This is a test of a connection. Do exactly what is asked, as briefly as you can."
_LONGEST = 1024  # tokens of an answer: reasoning counts, too
_LARGEST_OVERFLOW = 40_000  # tokens: a larger window is not worth filling only to see the refusal
_ANSWER = "4711"
_LOOKUP = {
    "name": "lookup",
    "description": "Looks up the number of a word.",
    "parameters": {
        "type": "object",
        "properties": {"word": {"type": "string", "description": "The word"}},
        "required": ["word"],
        "additionalProperties": False,
    },
}
_TOOLS = json.dumps([{"type": "function", "function": _LOOKUP}]).encode()
_REPORT = "Report it: harness doctor --probe --record DIR keeps what was said."


@dataclass(slots=True)
class _Answer:
    """One whole answer; times in seconds from the request."""

    message: Assistant
    first: float
    whole: float
    told: list[Told] = field(default_factory=list)

    @property
    def thought(self) -> bool:
        return any(isinstance(part, Thinking) and part.text for part in self.message.parts)


class Trials:
    """The requests to one endpoint, one after the other."""

    def __init__(self, provider: ChatProvider, endpoint: Endpoint) -> None:
        self._provider, self._endpoint = provider, endpoint
        self._server = endpoint.profile.server
        self._count = 0
        self._ready: _Answer | None = None
        self._called: list[HistoryMessage] = []

    async def run(self) -> AsyncGenerator[Check, None]:
        """All of them. A server that does not even stream is asked nothing more."""
        try:
            self._ready = await self._ask([_said("Reply with the one word: ready")])
        except ProviderError as error:
            yield failed("stream", error)
            return
        yield _stream(self._ready)
        if not self._endpoint.profile.loaded:
            yield await loaded_window(self._endpoint)
        trials = (
            ("call", self._call),
            ("result", self._result),
            ("parallel", self._parallel),
            ("thinking", self._thinking),
            ("overflow", self._overflow),
        )
        for name, trial in trials:
            try:
                yield await trial()
            except ProviderError as error:
                yield failed(name, error, "fail" if name in {"call", "result"} else "warn")
        if self._provider.quirks.text_tools:
            yield text_tools(self._server)

    async def _call(self) -> Check:
        """One call, which `_result` goes on with."""
        asked = _said("Call the tool lookup with the word alpha. Say nothing else.")
        answer = await self._ask([asked], _TOOLS)
        if not answer.message.calls:  # small models miss now and then
            answer = await self._ask([asked], _TOOLS)
        calls = answer.message.calls
        printed = [told.text for told in answer.told if told.cause == "text_call"]
        if not calls:
            what = f"Told to call a tool, the model called none, twice; it said: {answer.message.text[:80]!r}"
            return Check("call", "fail", what, advice.tool_parser(self._server))
        if calls[0].input != {"word": "alpha"} or calls[0].name != "lookup":
            what = f"The call came wrong: {calls[0].name} {calls[0].arguments[:200]} {calls[0].problem}"
            return Check("call", "warn", what, "Use a larger model, or a chat template that fits this one.")
        self._called = [asked, answer.message]
        if printed and not self._provider.quirks.text_tools:
            return Check("call", "warn", f"{printed[0]} Harness reads that.", advice.tool_parser(self._server))
        return Check("call", "ok", f"one tool call, whole after {answer.whole:.1f} s")

    async def _result(self) -> Check:
        if not self._called:
            return Check("result", "ok", "not tried: there was no call to answer")
        calls = [call for message in self._called if isinstance(message, Assistant) for call in message.calls]
        results = [ToolResult(call.id, (Text(f"The number is {_ANSWER}."),)) for call in calls]
        answer = await self._ask([*self._called, *results], _TOOLS)
        if _ANSWER in answer.message.text:
            return Check("result", "ok", "the result of a tool was read and answered")
        what = f"The result of a tool was taken, but the answer does not show it: {answer.message.text[:80]!r}"
        return Check("result", "warn", what, "Use a larger model, or a chat template that fits this one.")

    async def _parallel(self) -> Check:
        ask = "Call the tool lookup twice in one message: once with the word alpha, once with the word beta."
        answer = await self._ask([_said(ask)], _TOOLS)
        words = [call.input.get("word") for call in answer.message.calls if call.input]
        if sorted(map(str, words)) == ["alpha", "beta"]:
            return Check("parallel", "ok", "two calls in one message")
        return Check("parallel", "ok", f"{len(words)} of two calls in one message: works, with more rounds")

    async def _thinking(self) -> Check:
        """Whether reasoning comes apart from text, and a history that has it is taken."""
        asked = _said("What is 17 times 3? Reply with the number.")
        answer = await self._ask([asked])
        if "<think" in answer.message.text:
            mend = "Switch the server's reasoning parser on (vLLM, SGLang: --reasoning-parser; llama-server --jinja)."
            return Check("thinking", "warn", "Reasoning comes within the text of the answer.", mend)
        if not (answer.thought or (self._ready and self._ready.thought)):
            return Check("thinking", "ok", "no reasoning seen")
        await self._ask([asked, answer.message, _said("And times 2?")])
        return Check("thinking", "ok", "reasoning comes apart from the text, and a history that has it is taken")

    async def _overflow(self) -> Check:
        """What the server says, or does not say, of a request that is longer than its window."""
        window = self._endpoint.profile.context_window
        if window is None or window > _LARGEST_OVERFLOW:
            shown = "unknown" if window is None else f"{window:,} tokens"
            return Check("overflow", "ok", f"not tried: the window is {shown}")
        words = int(window * 1.3)
        mend = larger_window(self._endpoint.profile, self._endpoint.shown, self._endpoint.model, window)
        try:
            answer = await self._ask([_said("word " * words + "\nReply with the one word: ready")])
        except ProviderError as error:
            if error.kind == "overflow":
                return Check("overflow", "ok", f"refused, and understood: {error.what}")
            return Check("overflow", "warn", f"Refused in words that are not understood: {error.what}", _REPORT)
        read = answer.message.usage.input_tokens if answer.message.usage else 0
        if read > words:
            return Check("overflow", "ok", f"{read:,} tokens were taken: the window is larger than {window:,}")
        what = f"Of about {words:,} tokens the server read {read or 'an unknown number'}, and did not say so."
        return Check("overflow", "warn", what, mend)

    async def _ask(self, messages: Sequence[HistoryMessage], tools: bytes = b"[]") -> _Answer:
        self._count += 1
        request = Request(f"doctor{self._count}", _SYSTEM, messages, tools, _LONGEST)
        began, first, told = time.monotonic(), 0.0, list[Told]()
        async with aclosing(self._provider.stream(request)) as events:
            async for event in events:
                if isinstance(event, TextDelta | ThinkingDelta):
                    first = first or time.monotonic() - began
                elif isinstance(event, Told):
                    told.append(event)
                elif isinstance(event, MessageEnd):
                    whole = time.monotonic() - began
                    return _Answer(event.message, first or whole, whole, told)
        raise ProviderError("protocol", "The answer has no end.", "Report this.")


def _said(text: str) -> User:
    return User((Text(text),))


def _stream(answer: _Answer) -> Check:
    message = answer.message
    if not (message.text.strip() or answer.thought):
        what = "The server answered, but with nothing."
        return Check("stream", "fail", what, "Look into the server's log; the chat template may not fit the model.")
    counted = f"{message.usage.input_tokens} tokens read" if message.usage else "no usage told: tokens are estimated"
    return Check("stream", "ok", f"first words after {answer.first:.1f} s, all after {answer.whole:.1f} s, {counted}")
