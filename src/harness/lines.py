"""Events as stream-json lines (`conventions.md` 1.5): what `-p --output-format stream-json` prints.

docs/events.md holds the table that this module implements: which tag becomes which line.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import TypeGuard
from uuid import uuid4

from harness.codec import Json, message_json, plain, result_json
from harness.events import (
    AssistantMessage,
    Event,
    HookPermissionResult,
    Notice,
    Progress,
    Result,
    Stopped,
    StreamEvent,
    StreamRequestStart,
    SubagentEvent,
    System,
    ToolProgress,
    UserMessage,
)
from harness.messages import Assistant, Delta, TextDelta, ThinkingDelta, ToolCall, ToolInputDelta, ToolResult

HEARTBEAT = 30.0  # seconds between `tool_progress` lines of one call (`conventions.md` 1.5)


class StreamLines:
    """One session's encoder. `partial` adds the deltas, as Messages-API stream events; `hooks`, what hooks do
    (those of SessionStart are always told); `subagent_text`, what sub-agents say and think.
    """

    def __init__(
        self, session_id: str, *, partial: bool = False, hooks: bool = False, subagent_text: bool = False
    ) -> None:
        self._subagent_text = subagent_text
        self._session_id = session_id
        self._hooks = hooks
        self._partial = _Partial() if partial else None
        self._beats: dict[str, float] = {}  # call id -> seconds at its last line

    def of(self, event: Event) -> Iterator[Json]:
        """The lines of one event: none for some, several for others."""
        if _about_a_hook(event) and not (self._hooks or event.data["hook_event"] == "SessionStart"):
            return
        lines = self._inside(event) if isinstance(event, SubagentEvent) else self._bare(event)
        for line in lines:
            yield {**line, "session_id": self._session_id, "uuid": _uuid(event, line) or str(uuid4())}

    def _inside(self, nested: SubagentEvent) -> Iterator[Json]:
        """A sub-agent's calls and their results, as its caller's call; what it says only to who asks for it."""
        event = nested.event
        if isinstance(event, AssistantMessage) and not self._subagent_text:
            kept = tuple(part for part in event.message.parts if isinstance(part, ToolCall))
            event = replace(event, message=replace(event.message, parts=kept))
            if not kept:
                return
        if isinstance(event, AssistantMessage | UserMessage):
            for line in StreamLines(self._session_id)._bare(event):
                yield {**line, "parent_tool_use_id": nested.call_id}
        elif isinstance(event, HookPermissionResult) and event.decision == "deny":
            yield {**_denied(event), "agent_id": nested.agent_id}

    def _bare(self, event: Event) -> Iterator[Json]:
        if self._partial:
            for raw in self._partial.of(event):
                yield {"type": "stream_event", "event": raw, "parent_tool_use_id": None}
        match event:
            case StreamEvent():
                pass  # partial messages only, above
            case AssistantMessage():
                yield _assistant(event)
            case UserMessage(message=ToolResult() as result):
                self._beats.pop(result.call_id, None)  # servers use ids again
                line = {"type": "user", "message": message_json(result), "parent_tool_use_id": None}
                yield line if result.data is None else {**line, "tool_use_result": result.data}
            case UserMessage():
                pass  # a prompt is echoed only to those who ask for a replay
            case System(subtype=subtype, data=data):
                yield {"type": "system", "subtype": subtype, **data}
            case Notice(level=level, text=text, mend=mend, cause=cause):
                content = f"{text}\n{mend}" if mend else text
                level = "warning" if level == "error" else level  # readers know no `error` here
                yield {"type": "system", "subtype": "informational", "level": level, "content": content, "cause": cause}
            case Progress() | ToolProgress():
                yield from self._heartbeat(event)
            case Result():
                yield result_json(event)
            case _:
                yield plain(event)
                if isinstance(event, HookPermissionResult) and event.decision == "deny":
                    yield _denied(event)

    def _heartbeat(self, event: Progress | ToolProgress) -> Iterator[Json]:
        """A sign of life at once and then every `HEARTBEAT` seconds, however often one comes."""
        what = event.what if isinstance(event, Progress) else event.call_id
        last = self._beats.get(what)
        if last is not None and last <= event.elapsed < last + HEARTBEAT:
            return
        self._beats[what] = event.elapsed
        if isinstance(event, Progress):
            yield plain(event)
            return
        beat = {"tool_use_id": event.call_id, "tool_name": event.tool, "elapsed_time_seconds": round(event.elapsed, 1)}
        yield {"type": "tool_progress", **beat, "total_bytes": event.total_bytes, "heartbeat": True}


def _uuid(event: Event, line: Json) -> str:
    """The line of a message has the name of its entry in the session file: a conversation can be cut there."""
    match event:
        case AssistantMessage(uuid=uuid) | UserMessage(uuid=uuid) if line["type"] == event.type:
            return uuid
    return ""


def _about_a_hook(event: Event) -> TypeGuard[System]:
    return isinstance(event, System) and event.subtype.startswith("hook_")


def _assistant(event: AssistantMessage) -> Json:
    line: Json = {"type": "assistant", "message": message_json(event.message), "parent_tool_use_id": None}
    if event.cost is not None:
        line["cost_usd"] = event.cost
    if event.interrupted:  # the model did not stop by itself
        line["message"]["stop_reason"] = None
        line["aborted"] = True
    return line


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
    """Deltas as the Messages API streams them: message_start, blocks opened and closed, message_delta, message_stop.

    A text or a thought is closed when another block begins. Calls stay open until the message ends, because
    servers may send the pieces of several calls in turn.
    """

    def __init__(self) -> None:
        self._id = self._model = ""
        self._open: dict[tuple[str, int], int] | None = None  # (kind, the call's index) -> block; None: no message
        self._next = 0

    def of(self, event: Event) -> Iterator[Json]:
        match event:
            case StreamRequestStart(request_id=request_id, model=model):
                self._id, self._model = request_id, model
            case StreamEvent(delta=delta):
                yield from self._delta(delta)
            case AssistantMessage(message=message, interrupted=interrupted):
                told = message.usage.output_tokens if message.usage else 0
                yield from self._end(None if interrupted else message.stop, told)
            case System(subtype="api_retry") | Stopped():
                # What was streamed is void: close it, so that readers which add deltas up begin anew.
                yield from self._end(None, 0)

    def _delta(self, delta: Delta) -> Iterator[Json]:
        if self._open is None:
            self._open, self._next = {}, 0
            message = {**message_json(Assistant(self._id, (), model=self._model)), "stop_reason": None}
            yield {"type": "message_start", "message": message}
        key, opened, piece = _pieces(delta)
        if key not in self._open:
            yield from self._close([other for other in self._open if other[0] != "tool_use"])
            self._open[key] = self._next
            self._next += 1
            yield {"type": "content_block_start", "index": self._open[key], "content_block": opened}
        yield {"type": "content_block_delta", "index": self._open[key], "delta": piece}

    def _close(self, keys: list[tuple[str, int]]) -> Iterator[Json]:
        for key in keys:
            yield {"type": "content_block_stop", "index": (self._open or {}).pop(key)}

    def _end(self, stop: str | None, output_tokens: int) -> Iterator[Json]:
        if self._open is None:
            return
        yield from self._close(list(self._open))
        self._open = None
        delta = {"stop_reason": stop, "stop_sequence": None}
        yield {"type": "message_delta", "delta": delta, "usage": {"output_tokens": output_tokens}}
        yield {"type": "message_stop"}


def _pieces(delta: Delta) -> tuple[tuple[str, int], Json, Json]:
    """Which block a delta belongs to, how that block begins, and what the delta adds."""
    match delta:
        case TextDelta(text):
            return ("text", 0), {"type": "text", "text": ""}, {"type": "text_delta", "text": text}
        case ThinkingDelta(text):
            empty = {"type": "thinking", "thinking": "", "signature": ""}
            return ("thinking", 0), empty, {"type": "thinking_delta", "thinking": text}
        case ToolInputDelta(index, call_id, name, fragment):
            opened = {"type": "tool_use", "id": call_id, "name": name, "input": {}}
            return ("tool_use", index), opened, {"type": "input_json_delta", "partial_json": fragment}
