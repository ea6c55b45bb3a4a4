"""The deltas of one answer put together: what can be shown at once, and what it all was in the end."""

from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass
from typing import Any

from harness.messages import TextDelta, ThinkingDelta, ToolCall, ToolInputDelta
from harness.providers import dialects
from harness.providers.calls import Building, CallAssembler, Offered, described
from harness.providers.content import Content, ContentReader
from harness.providers.dialects.entry import PrintedCall, is_certain
from harness.providers.ids import Ids
from harness.providers.port import CallReady, ModelEvent
from harness.providers.repair import mended

_REASONING_FIELDS = ("reasoning_content", "reasoning", "reasoning_text")


@dataclass(frozen=True, slots=True)
class Naming:
    """What an answer is called: ids that are unique in the session are made from these."""

    message_id: str
    model: str
    taken: Container[str] = ()  # ids of calls in the history


@dataclass(frozen=True, slots=True)
class Received:
    """What came. `calls` has each call with its raw arguments; `dialect` names how they were printed as text."""

    text: str
    thinking: str
    field: str  # the wire field, or the tag, that held the thinking; "" where there was none
    calls: list[tuple[ToolCall, str]]
    dialect: str = ""
    refused: bool = False


class Deltas:
    """Takes deltas; `flush` gives the events of all that came since, one for each run of one kind, or `apart`."""

    def __init__(self, offered: Offered, naming: Naming, *, apart: bool = False) -> None:
        self._apart = apart
        self._offered = offered
        self._ids = Ids(naming.message_id, naming.taken)
        self._assembler = CallAssembler(offered, self._ids)
        self._content = ContentReader(offered)
        self._out: list[ModelEvent] = []
        self._run: list[str] = []  # pieces of one kind, not yet an event
        self._end_of: Callable[[str], None] = self._said  # makes an event of the run
        self._building: Building | None = None
        self._thinking: list[str] = []
        self._field = ""
        self._shown: list[str] = []
        self._half = ""  # a surrogate half, waiting for the other
        self._announced = 0  # calls that were told of as ready
        self._refused = False

    def take(self, delta: Mapping[str, Any]) -> None:
        """Take a `delta`, or a whole `message`, of choice 0."""
        if len(delta) == 1 and type(text := delta.get("content")) is str:  # nearly all of a long answer
            if text:
                self._take_run(self._said, text)
            return
        for name in _REASONING_FIELDS:
            if isinstance(piece := delta.get(name), str) and self._field in {"", name}:
                self._field = name
                if piece:
                    self._take_run(self._reasoned, piece)
        content = delta.get("content")
        if content:
            self._parts(content)
        if isinstance(refusal := delta.get("refusal"), str) and refusal:
            self._refused = True
            self._take_run(self._said, refusal)
        calls = delta.get("tool_calls") or delta.get("function_call")
        for fragment in calls if isinstance(calls, list) else [calls]:
            if isinstance(fragment, dict):
                self._fragment(fragment)

    def _parts(self, content: Any) -> None:
        """Content as text, or as a list of parts (Mistral)."""
        if isinstance(content, str):
            self._take_run(self._said, content)
            return
        for part in content if isinstance(content, list) else ():
            if not isinstance(part, dict):
                continue
            if isinstance(part.get("text"), str):
                self._take_run(self._said, part["text"])
            elif isinstance(thought := part.get("thinking"), str):
                self._take_run(self._reasoned, thought)
            elif isinstance(thought, list):
                for inner in thought:
                    if isinstance(inner, dict) and isinstance(inner.get("text"), str):
                        self._take_run(self._reasoned, inner["text"])

    def _fragment(self, fragment: Mapping[str, Any]) -> None:
        before = len(self._assembler.calls)
        call, piece = self._assembler.add(fragment)
        if call is not self._building:
            self._end_run()
            self._building = call
        if len(self._assembler.calls) > before:
            self._announce(before)
        if piece:
            self._take_run(self._argued, piece)

    # Runs: consecutive pieces of one kind become one event

    def _take_run(self, end_of: Callable[[str], None], piece: str) -> None:
        if self._end_of != end_of:
            self._end_run()
            self._end_of = end_of
        self._run.append(piece)
        if self._apart:
            self._end_run()

    def _end_run(self) -> None:
        if self._run:
            text = "".join(self._run)
            self._run.clear()
            self._end_of(text)

    def flush(self) -> list[ModelEvent]:
        self._end_run()
        out, self._out = self._out, []
        return out

    def _said(self, text: str) -> None:
        text, self._half = _paired(self._half + text)
        for kind, piece in self._content.feed(text):
            self._out.append(TextDelta(piece) if kind == "text" else ThinkingDelta(piece))
            if kind == "text":
                self._shown.append(piece)

    def _reasoned(self, text: str) -> None:
        self._thinking.append(text)
        self._out.append(ThinkingDelta(mended(text)))

    def _argued(self, text: str) -> None:
        if call := self._building:
            index = self._assembler.calls.index(call)
            self._out.append(ToolInputDelta(index, call.id, call.name, mended(text)))

    def _announce(self, until: int) -> None:
        """Tell of the calls that nothing can change any more, in order."""
        for call in self._assembler.calls[self._announced : until]:
            if not self._assembler.ready(call):
                return
            self._out.append(CallReady(self._assembler.finish(call, whole=True)))
            self._announced += 1

    # The end

    def close(self, *, cut: bool, recover: bool) -> Received:
        """What it all was. `cut`: the answer hit its limit. `recover`: calls may be looked for in reasoning."""
        self._end_run()
        if self._half:
            half, self._half = self._half, ""
            for _ in self._content.feed(mended(half)):
                pass
        calls = [call for call in self._assembler.calls if call.name or call.fragments]
        thinking = mended("".join(self._thinking))
        content = self._content.close(structured=bool(calls), reasoned=bool(thinking), cut=cut)
        if calls:
            made = [(self._assembler.finish(call, whole=not cut), call.raw) for call in calls]
            text = content.text if content.text.strip() else ""
            return self._received(text, thinking, content, made)
        if content.calls:
            return self._received(content.text, thinking, content, [self._printed(call) for call in content.calls])
        if recover and not content.text.strip() and (found := self._in_reasoning(thinking or content.thinking)):
            made = [self._printed(call) for call in found.calls]
            return Received("", found.text.strip(), self._field or content.tag, made, found.dialect)
        return self._received(content.text, thinking, content, [])

    def _received(self, text: str, thinking: str, content: Content, calls: list[tuple[ToolCall, str]]) -> Received:
        both = "\n".join(part for part in (thinking, content.thinking) if part)
        return Received(text, both, self._field or content.tag, calls, content.dialect, self._refused)

    def _in_reasoning(self, thinking: str) -> dialects.Extracted | None:
        """Calls where the model never closed its thinking: only if it ends with them and each is certain."""
        found = dialects.extract(thinking, self._offered, cut=True, whole=False) if self._offered else None
        if found and found.calls and all(is_certain(call, self._offered) for call in found.calls):
            return found if not found.after.strip() else None
        return None

    def _printed(self, call: PrintedCall) -> tuple[ToolCall, str]:
        building = Building(self._ids.take(call.given_id), call.given_id, call.name, [call.arguments or ""])
        made = self._assembler.finish(building, whole=True)
        if call.arguments is None:
            problem = described("the call is cut off or cannot be read", call.raw)
            made = ToolCall(made.id, made.name, "{}", None, problem)
        return made, call.raw if call.arguments is None else call.arguments

    @property
    def shown(self) -> str:
        """The text that was given out as deltas."""
        return "".join(self._shown)

    @property
    def extras(self) -> Mapping[str, Mapping[str, Any]]:
        """By call id: keys beside those we know, which some servers want back (Gemini's signatures)."""
        return {call.id: call.extra for call in self._assembler.calls if call.extra}

    @property
    def announced(self) -> int:
        """How many calls were told of as ready."""
        return self._announced


def _paired(text: str) -> tuple[str, str]:
    """Text with its surrogate pairs joined, and a half at its end that may still find its other."""
    if text and "\ud800" <= text[-1] <= "\udbff":
        return mended(text[:-1]), text[-1]
    return mended(text), ""
