"""Events as stream-json lines (`conventions.md` 1.5): what `-p --output-format stream-json` prints.

docs/events.md holds the table that this module implements: which tag becomes which line.
"""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

from harness.codec import Json, message_json, plain, result_json
from harness.events import (
    AssistantMessage,
    Event,
    HookPermissionResult,
    Notice,
    Result,
    Stopped,
    StreamEvent,
    StreamRequestStart,
    System,
    ToolProgress,
    UserMessage,
)
from harness.messages import TextDelta, ThinkingDelta, ToolInputDelta, ToolResult

HEARTBEAT = 30.0  # seconds between `tool_progress` lines of one call (`conventions.md` 1.5)


class StreamLines:
    """One session's encoder. `partial` adds the deltas, as Messages-API stream events."""

    def __init__(self, session_id: str, *, partial: bool = False) -> None:
        self._session_id = session_id
        self._partial = _Partial() if partial else None
        self._beats: dict[str, float] = {}  # call id -> seconds at its last line

    def of(self, event: Event) -> Iterator[Json]:
        """The lines of one event: none for some, several for others."""
        for line in self._bare(event):
            yield {**line, "session_id": self._session_id, "uuid": str(uuid4())}

    def _bare(self, event: Event) -> Iterator[Json]:
        if self._partial:
            for raw in self._partial.of(event):
                yield {"type": "stream_event", "event": raw, "parent_tool_use_id": None}
        match event:
            case StreamEvent():
                pass  # partial messages only, above
            case AssistantMessage(message=message, interrupted=interrupted):
                line = {"type": "assistant", "message": message_json(message), "parent_tool_use_id": None}
                yield {**line, "aborted": True} if interrupted else line
            case UserMessage(message=ToolResult() as result):
                line = {"type": "user", "message": message_json(result), "parent_tool_use_id": None}
                yield line if result.data is None else {**line, "tool_use_result": result.data}
            case UserMessage():
                pass  # a prompt is echoed only to those who ask for a replay
            case System(subtype=subtype, data=data):
                yield {"type": "system", "subtype": subtype, **data}
            case Notice(level=level, text=text, mend=mend, cause=cause):
                content = f"{text}\n{mend}" if mend else text
                yield {"type": "system", "subtype": "informational", "level": level, "content": content, "cause": cause}
            case ToolProgress():
                yield from self._heartbeat(event)
            case Result():
                yield result_json(event)
            case _:
                yield plain(event)
                if isinstance(event, HookPermissionResult) and event.decision == "deny":
                    yield _denied(event)

    def _heartbeat(self, event: ToolProgress) -> Iterator[Json]:
        """A sign of life at once and then every `HEARTBEAT` seconds, however much the tool prints."""
        last = self._beats.get(event.call_id)
        if last is not None and event.elapsed - last < HEARTBEAT:
            return
        self._beats[event.call_id] = event.elapsed
        beat = {"tool_use_id": event.call_id, "tool_name": event.tool, "elapsed_time_seconds": round(event.elapsed, 1)}
        yield {"type": "tool_progress", **beat, "total_bytes": event.total_bytes, "heartbeat": True}


def _denied(event: HookPermissionResult) -> Json:
    return {
        "type": "system",
        "subtype": "permission_denied",
        "tool_name": event.tool,
        "tool_use_id": event.call_id,
        "decision_reason_type": event.source,
        "decision_reason": event.rule or event.reason,
        "message": event.reason,
    }


class _Partial:
    """Deltas as the Messages API streams them: message_start, blocks opened and closed in turn, message_stop."""

    def __init__(self) -> None:
        self._open: tuple[str, int] | None = None  # kind of the open block and the call's index, if a call
        self._index = -1
        self._started = False
        self._id = self._model = ""

    def of(self, event: Event) -> Iterator[Json]:
        match event:
            case StreamRequestStart(request_id=request_id, model=model):
                self._id, self._model, self._started, self._index, self._open = request_id, model, False, -1, None
            case StreamEvent(delta=delta):
                yield from self._delta(delta)
            case AssistantMessage(message=message) if self._started:
                yield from self._close()
                output = {"output_tokens": message.usage.output_tokens if message.usage else 0}
                yield {"type": "message_delta", "delta": {"stop_reason": message.stop}, "usage": output}
                yield {"type": "message_stop"}
                self._started = False
            case System(subtype="api_retry") | Stopped() if self._started:
                # What was streamed is void: close it, so that readers which add deltas up begin anew.
                yield from self._close()
                yield {"type": "message_stop"}
                self._started = False

    def _delta(self, delta: TextDelta | ThinkingDelta | ToolInputDelta) -> Iterator[Json]:
        if not self._started:
            self._started = True
            self._index, self._open = -1, None
            usage = {"input_tokens": 0, "output_tokens": 0}
            start = {"id": self._id, "type": "message", "role": "assistant", "model": self._model}
            yield {"type": "message_start", "message": {**start, "content": [], "stop_reason": None, "usage": usage}}
        match delta:
            case TextDelta(text):
                yield from self._block(("text", -1), {"type": "text", "text": ""})
                yield self._piece({"type": "text_delta", "text": text})
            case ThinkingDelta(text):
                yield from self._block(("thinking", -1), {"type": "thinking", "thinking": "", "signature": ""})
                yield self._piece({"type": "thinking_delta", "thinking": text})
            case ToolInputDelta(index, call_id, name, fragment):
                opened = {"type": "tool_use", "id": call_id, "name": name, "input": {}}
                yield from self._block(("tool_use", index), opened)
                yield self._piece({"type": "input_json_delta", "partial_json": fragment})

    def _block(self, kind: tuple[str, int], opened: dict[str, Any]) -> Iterator[Json]:
        if self._open == kind:
            return
        yield from self._close()
        self._open = kind
        self._index += 1
        yield {"type": "content_block_start", "index": self._index, "content_block": opened}

    def _piece(self, delta: dict[str, Any]) -> Json:
        return {"type": "content_block_delta", "index": self._index, "delta": delta}

    def _close(self) -> Iterator[Json]:
        if self._open:
            yield {"type": "content_block_stop", "index": self._index}
        self._open = None
