"""Strategies for messages: everything that a history may hold, the odd and the broken included."""

import json

from hypothesis import strategies as st

from harness.events import (
    AssistantMessage,
    Denial,
    Event,
    HookPermissionResult,
    Notice,
    PermissionRequest,
    PreventContinuation,
    Progress,
    Result,
    Stopped,
    StopReason,
    StreamEvent,
    StreamRequestStart,
    System,
    ToolProgress,
    UserMessage,
)
from harness.messages import (
    Assistant,
    Delta,
    Image,
    Text,
    TextDelta,
    Thinking,
    ThinkingDelta,
    ToolCall,
    ToolInputDelta,
    ToolResult,
    Usage,
    User,
)


def _whole_characters(text: str) -> str:
    """Halves of a character that stand side by side are that character, to every reader of JSON."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")


texts = st.text(st.characters(exclude_categories=()), max_size=20).map(_whole_characters)
ids = st.sampled_from(["", "call_0", "call_1", "chatcmpl-1", "é\u2028"])
scalars = st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False, allow_infinity=False)
values = st.recursive(
    scalars | texts, lambda v: st.lists(v, max_size=2) | st.dictionaries(texts, v, max_size=2), max_leaves=4
)
inputs = st.dictionaries(texts, values, max_size=3)
images = st.builds(Image, st.sampled_from(["image/png", "image/jpeg"]), st.sampled_from(["", "aGk="]))
user_parts = st.lists(st.builds(Text, texts) | images, max_size=4).map(tuple)
good_calls = st.builds(lambda i, n, given: ToolCall(i, n, json.dumps(given), given), ids, texts, inputs)
bad_calls = st.builds(lambda i, n, text, why: ToolCall(i, n, json.dumps(text), None, why), ids, texts, texts, texts)
thoughts = st.builds(Thinking, texts, st.sampled_from(["reasoning_content", "reasoning", "thinking"]))
assistant_parts = st.lists(st.builds(Text, texts) | thoughts | good_calls | bad_calls, max_size=5).map(tuple)
counts = st.integers(0, 10**9)
usages = st.none() | st.builds(Usage, counts, counts, counts, counts)
stops = st.sampled_from(["end_turn", "tool_use", "max_tokens", "refusal", "stop_sequence"])
assistants = st.builds(Assistant, ids, assistant_parts, stops, usages, texts)
results = st.builds(ToolResult, ids, user_parts, st.booleans(), st.none() | texts | inputs)
users = st.builds(User, user_parts)
histories = st.lists(users | assistants | results, max_size=8)


def _events() -> st.SearchStrategy[Event]:
    """Every kind of event, with texts as hostile as they come."""
    calls = good_calls | bad_calls
    deltas: st.SearchStrategy[Delta] = st.builds(TextDelta, texts) | st.builds(ThinkingDelta, texts)
    deltas |= st.builds(ToolInputDelta, st.integers(0, 2), ids, texts, texts)
    retry = {"attempt": 1, "max_retries": 3, "retry_delay_ms": 500, "error_status": 503, "error": "server_error"}
    system = st.builds(lambda text: System(subtype="api_retry", data={**retry, "message": text}), texts)
    system |= st.builds(lambda data: System(subtype="init", data=data), inputs)
    denials = st.lists(st.builds(Denial, tool_name=texts, tool_use_id=ids, tool_input=inputs), max_size=2).map(tuple)
    subtypes = st.sampled_from(["success", "error_max_turns", "error_during_execution"])
    return st.one_of(
        st.builds(StreamRequestStart, request_id=texts, model=texts),
        st.builds(StreamEvent, delta=deltas),
        st.builds(AssistantMessage, message=assistants),
        st.builds(UserMessage, message=users | results),
        system,
        st.builds(Result, subtype=subtypes, result=texts, usage=usages.filter(bool), permission_denials=denials),
        st.builds(Progress, what=st.just("request")),
        st.builds(Stopped, reason=texts),
        st.builds(StopReason, message_id=texts, reason=stops),
        st.builds(HookPermissionResult, call_id=ids, tool=texts, rule=texts, reason=texts),
        st.builds(PreventContinuation, cause=texts, reason=texts),
        st.builds(ToolProgress, call_id=ids, tool=texts, text=texts),
        st.builds(Notice, cause=texts, text=texts, mend=texts),
        st.builds(PermissionRequest, id=ids, call=calls, reason=texts, suggestions=st.just(())),
    )


events = _events()
