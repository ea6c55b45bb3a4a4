"""Everything that happens in a turn, as frozen values: what is stored, streamed, asserted in tests and drawn.

The thirteen tags of the loop, by these exact names; `permission_request`, the one event that waits for an answer;
and `subagent`, which holds the events of a sub-agent. `harness events` prints this list with its fields; `docs` of
each class is its first line.
"""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, Literal

from harness.messages import Assistant, Delta, Mode, Stop, ToolCall, ToolResult, Usage, User


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamRequestStart:
    """A model request begins."""

    type: ClassVar[str] = "stream_request_start"
    request_id: str
    model: str
    endpoint: str
    estimated_input_tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamEvent:
    """A decoded delta of the model's answer: text, thinking, or tool input."""

    type: ClassVar[str] = "stream_event"
    delta: Delta


@dataclass(frozen=True, slots=True, kw_only=True)
class AssistantMessage:
    """A whole model message with all its blocks and usage; its cost in US dollars, None where nobody knows it."""

    type: ClassVar[str] = "assistant"
    message: Assistant
    cost: float | None = None
    interrupted: bool = False
    uuid: str = ""  # of its last entry in the session file


@dataclass(frozen=True, slots=True, kw_only=True)
class UserMessage:
    """Input recorded: the prompt, steering, a queued message, or one tool's result."""

    type: ClassVar[str] = "user"
    message: User | ToolResult
    source: Literal["prompt", "steering", "queued", "tool", "harness"]
    uuid: str = ""  # of its entry in the session file


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """About the session: init (tools, mode, model, cwd), compaction boundary, retry, status, hooks, background jobs."""

    type: ClassVar[str] = "system"
    subtype: Literal[
        "init",
        "compact_boundary",
        "api_retry",
        "status",
        "hook_started",
        "hook_response",
        "task_started",
        "task_updated",
        "task_notification",
        "checkpoint",
        "rewind",
    ]
    data: dict[str, Any] = field(default_factory=dict)
    fold: dict[str, Any] = field(default_factory=dict)  # for the session file: what it does to the history


@dataclass(frozen=True, slots=True, kw_only=True)
class Denial:
    """A call that was not permitted, as `permission_denials` lists it."""

    tool_name: str
    tool_use_id: str
    tool_input: dict[str, Any]


ResultSubtype = Literal[
    "success",
    "error_max_turns",
    "error_during_execution",
    "error_max_budget_usd",
    "error_max_structured_output_retries",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """The turn's final result, exactly one. Durations are in milliseconds, cost in US dollars."""

    type: ClassVar[str] = "result"
    subtype: ResultSubtype
    is_error: bool
    result: str
    num_turns: int
    duration_ms: int
    duration_api_ms: int
    usage: Usage
    model: str
    stop_reason: str | None  # the model's `Stop`, or that a call was deferred
    terminal_reason: str
    permission_denials: tuple[Denial, ...] = ()
    errors: tuple[str, ...] = ()
    api_error_status: int | None = None
    total_cost_usd: float = 0.0
    cost_known: bool = False
    exit_code: int = 0
    structured_output: Any = None
    deferred_tool_use: dict[str, Any] | None = None  # `id`, `name` and `input` of a call that waits for the next turn
    context_window: int | None = None
    max_output: int | None = None
    context: dict[str, Any] | None = None  # what the conversation holds, see `context.account`
    sandbox: str = ""  # the level that held the commands
    by_model: dict[str, tuple[Usage, float]] = field(default_factory=dict)  # usage and cost of each that answered

    def held_by(self, level: str) -> "Result":
        """The same, with the level of the sandbox that held the turn's commands."""
        return replace(self, sandbox=level)


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """A heartbeat of something long: a request, compaction, indexing. `elapsed` is in seconds."""

    type: ClassVar[str] = "progress"
    what: str
    elapsed: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopped:
    """Generation stopped; exactly one per turn, just before the result."""

    type: ClassVar[str] = "stop"
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StopReason:
    """Why the model stopped: once per model message."""

    type: ClassVar[str] = "stopReason"
    message_id: str
    reason: Stop


@dataclass(frozen=True, slots=True, kw_only=True)
class HookPermissionResult:
    """A permission decision, with its source: rule, mode, hook, user, sandbox, classifier, headless."""

    type: ClassVar[str] = "hookPermissionResult"
    call_id: str
    tool: str
    decision: Literal["allow", "ask", "deny"]
    source: str
    rule: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PreventContinuation:
    """Something forbids the next step: hook, budget, turn limit, stuck detector; with its cause."""

    type: ClassVar[str] = "preventContinuation"
    cause: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolProgress:
    """Live output of a running tool: new text, bytes so far, seconds since it began."""

    type: ClassVar[str] = "tool_progress"
    call_id: str
    tool: str
    text: str
    total_bytes: int
    elapsed: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """A notice for people: retry, repair, truncation warning, fallback. `mend` says what to do about it."""

    type: ClassVar[str] = "message"
    level: Literal["info", "warning", "error"]
    cause: str
    text: str
    mend: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PermissionRequest:
    """A question to the person; the turn waits until it is answered by its id.

    `suggestions` are rules that would have allowed it, `examples` what each would match and what near it would not;
    `savable`: they may be kept for later sessions. `again` says what is new, where something like it was allowed.
    """

    type: ClassVar[str] = "permission_request"
    id: str
    call: ToolCall
    mode: Mode
    reason: str
    suggestions: tuple[str, ...] = ()
    examples: tuple[tuple[str, str], ...] = ()
    savable: bool = False
    again: str = ""
    cwd: Path = field(default_factory=Path)
    agent_id: str = ""  # the sub-agent whose call it is


@dataclass(frozen=True, slots=True, kw_only=True)
class SubagentEvent:
    """An event of a sub-agent, inside the call that started it; its questions come by themselves."""

    type: ClassVar[str] = "subagent"
    call_id: str
    agent_id: str
    event: "Event"


Event = (
    StreamRequestStart
    | StreamEvent
    | AssistantMessage
    | UserMessage
    | System
    | Result
    | Progress
    | Stopped
    | StopReason
    | HookPermissionResult
    | PreventContinuation
    | ToolProgress
    | Notice
    | PermissionRequest
    | SubagentEvent
)

# What a journal keeps. Deltas, heartbeats and live output are for the moment only.
DURABLE = (
    AssistantMessage,
    UserMessage,
    System,
    Result,
    HookPermissionResult,
    PreventContinuation,
    Notice,
)
