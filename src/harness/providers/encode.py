"""History to chat-completions messages, as bytes. What was encoded once is kept and joined.

A history only grows, so a request at turn 400 costs what is new in it. The unit is a run: neighbours that
make up one side's turn, because strict templates want the roles to alternate.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from operator import is_
from typing import Any

from harness.messages import Assistant, HistoryMessage, Image, Text, Thinking, ToolCall, ToolResult, User, UserPart
from harness.providers.ids import nine
from harness.providers.quirks import Quirks

NO_RESULT = "[no result: the call was interrupted]"


def dump(value: Any) -> bytes:
    """JSON as it goes on the wire. A lone surrogate, which UTF-8 cannot hold, becomes `?`."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


@dataclass(slots=True)
class _Run:
    messages: list[HistoryMessage]
    encoded: bytes = b""


@dataclass(slots=True)
class Encoder:
    """Keeps what it has encoded, by identity of the messages. `extras` has keys to be sent back, by call id."""

    quirks: Quirks
    extras: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    call_ids: set[str] = field(default_factory=set)  # of all calls in the history last encoded
    runs: list[bytes] = field(default_factory=list)  # of the request last encoded, the system message first
    _known: list[HistoryMessage] = field(default_factory=list)
    _runs: list[_Run] = field(default_factory=list)
    _system: str = ""
    _system_bytes: bytes = b""
    _made_for: Quirks | None = None

    def messages(self, system: str, history: Sequence[HistoryMessage]) -> bytes:
        """The request's `messages` array."""
        if self._made_for != self.quirks:  # what a server taught us changes what was encoded
            self._forget()
        if not self._system_bytes or self._system != system:
            self._system, self._system_bytes = system, dump({"role": "system", "content": system})
        self._take(history)
        runs = [run.encoded for run in self._runs if run.encoded]
        self.runs = [self._system_bytes, *runs] if system else runs
        return b"[" + b",".join(self.runs) + b"]"

    def _forget(self) -> None:
        self._known.clear()
        self.call_ids.clear()
        self._runs.clear()
        self._made_for = self.quirks

    def _take(self, history: Sequence[HistoryMessage]) -> None:
        if len(history) < len(self._known) or not all(map(is_, self._known, history)):
            self._forget()
        fresh = history[len(self._known) :]
        changed = len(self._runs)
        for message in fresh:
            if isinstance(message, Assistant):
                self.call_ids.update(call.id for call in message.calls)
            last = self._runs[-1] if self._runs else None
            if last and isinstance(message, Assistant) == isinstance(last.messages[0], Assistant):
                last.messages.append(message)
                changed = min(changed, len(self._runs) - 1)
            else:
                self._runs.append(_Run([message]))
        for place in range(changed, len(self._runs)):
            before = self._runs[place - 1].messages if place else []
            self._runs[place].encoded = b",".join(map(dump, self._encode(self._runs[place].messages, before)))
        self._known.extend(fresh)

    def _encode(self, run: Sequence[HistoryMessage], before: Sequence[HistoryMessage]) -> Iterator[Mapping[str, Any]]:
        if isinstance(run[0], Assistant):
            yield self._assistant([message for message in run if isinstance(message, Assistant)])
            return
        calls = [call for message in before if isinstance(message, Assistant) for call in message.calls]
        results = {message.call_id: message for message in run if isinstance(message, ToolResult)}
        parts: list[UserPart] = []
        for call in calls:  # every call is answered, once and in order, before anything else
            result = results.pop(call.id, None)
            text = _result_text(result)
            if self.quirks.text_tools:
                parts.append(Text(f"<tool_response>\n{text}\n</tool_response>"))
            else:
                yield {"role": "tool", "tool_call_id": self._id(call.id), "content": text}
            parts += [part for part in result.parts if isinstance(part, Image)] if result else []
        for orphan in results.values():
            parts.append(Text(f"[result of an earlier call] {orphan.text}"))
        for message in run:
            if isinstance(message, User):
                parts += message.parts
        if parts:
            if calls and self.quirks.bridge and not self.quirks.text_tools:
                yield {"role": "assistant", "content": "Understood."}
            yield {"role": "user", "content": _content(parts, images=self.quirks.images)}

    def _id(self, call_id: str) -> str:
        return nine(call_id) if self.quirks.nine_char_ids else call_id

    def _assistant(self, run: Sequence[Assistant]) -> Mapping[str, Any]:
        calls = [call for message in run for call in message.calls]
        text = "\n\n".join(message.text for message in run if message.text.strip())
        thoughts = [part for message in run for part in message.parts if isinstance(part, Thinking)]
        encoded: dict[str, Any] = {"role": "assistant", "content": text}
        if not calls:
            return encoded
        if thoughts and thoughts[0].field.isidentifier() and thoughts[0].field not in self.quirks.dropped:
            encoded[thoughts[0].field] = "\n".join(part.text for part in thoughts)
        elif self.quirks.reasoning:
            encoded[self.quirks.reasoning] = ""
        if self.quirks.text_tools:
            encoded["content"] = "\n".join(filter(None, (text, *map(_printed, calls))))
            return encoded
        if not text:
            encoded["content"] = None if self.quirks.null_content else ""
        encoded["tool_calls"] = [self._call(call) for call in calls]
        return encoded

    def _call(self, call: ToolCall) -> Mapping[str, Any]:
        return {
            "id": self._id(call.id),
            "type": "function",
            "function": {"name": call.name, "arguments": call.arguments},
            **self.extras.get(call.id, {}),
        }


def _result_text(result: ToolResult | None) -> str:
    if result is None:
        return NO_RESULT
    has_image = any(isinstance(part, Image) for part in result.parts)
    return result.text or ("[the image follows]" if has_image else "")


def _printed(call: ToolCall) -> str:
    return f'<tool_call>\n{{"name": "{call.name}", "arguments": {call.arguments}}}\n</tool_call>'


def _content(parts: Sequence[UserPart], *, images: bool) -> str | list[Mapping[str, Any]]:
    texts = [part.text for part in parts if isinstance(part, Text) and part.text]
    pictures = [part for part in parts if isinstance(part, Image)]
    if not pictures:
        return "\n\n".join(texts)
    if not images:
        return "\n\n".join([*texts, f"[{len(pictures)} image(s) left out: the model reads none]"])
    return [
        *({"type": "text", "text": text} for text in texts),
        *(
            {"type": "image_url", "image_url": {"url": f"data:{part.media_type};base64,{part.data}"}}
            for part in pictures
        ),
    ]
