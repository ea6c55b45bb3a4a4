"""What a journal says that has to be fed again: prompts, steering, results, and what a session finds out by itself.

The environment block and hooks' words are in the prompts as they were kept, memory is the message before the first,
and what compactions took from the disk is in their texts.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from harness.errors import UsageError
from harness.events import AssistantMessage, HookPermissionResult, PreventContinuation, Result, System, UserMessage
from harness.journal.events import BACK, Kept
from harness.messages import Assistant, ToolResult, User

# Turns that end by themselves. All other ends (limits, hooks, the person) come from outside, and are played.
BY_ITSELF = frozenset({"completed", "stuck", "malformed_tool_use_exhausted", "prompt_too_long", "rapid_refill_breaker"})


@dataclass(slots=True)
class Step:
    """One model message and its results, with the state that they changed.

    `steering` and `endings` (of background jobs) were said before it was asked for; with `sent_back` a hook made the
    model go on after it.
    """

    message: Assistant
    interrupted: bool = False
    steering: list[User] = field(default_factory=list)
    endings: list[str] = field(default_factory=list)
    sent_back: str | None = None
    results: dict[str, ToolResult] = field(default_factory=dict)  # by call id
    states: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    denied: set[str] = field(default_factory=set)


@dataclass(slots=True)
class Turn:
    """A prompt and what followed. `said` is what Harness had put before it; `end` None: nobody knows how it ended."""

    prompt: User
    said: list[User] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    late: list[User] = field(default_factory=list)  # steering that no message answered
    cause: str = ""  # why its continuation was prevented
    reason: str = ""
    end: Result | None = None
    state: Mapping[str, Any] = field(default_factory=dict)

    @property
    def model(self) -> str:
        return str(self.state.get("model") or "")

    @property
    def ends_by_itself(self) -> bool:
        return self.end is not None and self.end.terminal_reason in BY_ITSELF


@dataclass(frozen=True, slots=True)
class Compaction:
    """One that the person asked for."""

    focus: str = ""


@dataclass(slots=True)
class Plan:
    """`texts` are those of each compaction, in order; `moved` the files of results that were moved out."""

    turns: list[Turn | Compaction] = field(default_factory=list)
    texts: list[list[str]] = field(default_factory=list)
    moved: list[str] = field(default_factory=list)
    cwd: str = ""

    @property
    def uses_agents(self) -> bool:
        steps = (step for turn in self.turns if isinstance(turn, Turn) for step in turn.steps)
        return any(call.name in {"Agent", "Task"} for step in steps for call in step.message.calls)

    @staticmethod
    def of(events: Iterable[Kept]) -> "Plan":
        """Raises UsageError: the session did what cannot be done again."""
        reading = _Reading(Plan())
        for each in events:
            reading.take(each)
        if not reading.plan.turns:
            raise UsageError("The session has no prompt, so there is nothing to run again.", "Choose another one.")
        return reading.plan


@dataclass(slots=True)
class _Reading:
    plan: Plan
    turn: Turn | None = None  # that goes on
    said: list[User] = field(default_factory=list)
    steering: list[User] = field(default_factory=list)
    endings: list[str] = field(default_factory=list)
    denied: set[str] = field(default_factory=set)

    def take(self, kept: Kept) -> None:
        match kept.event:
            case UserMessage(message=User() as message, source=source):
                self._user(message, source, kept.state)
            case UserMessage(message=ToolResult() as result):
                self._result(result, kept.state)
            case AssistantMessage(message=message, interrupted=interrupted):
                if self.turn:
                    self.turn.steps.append(Step(message, interrupted, self.steering, self.endings))
                    self.steering, self.endings = [], []
            case HookPermissionResult(decision="deny", call_id=call_id):
                self.denied.add(call_id)
            case PreventContinuation(cause=cause, reason=reason) if self.turn:
                self.turn.cause, self.turn.reason = cause, reason
            case System(subtype="compact_boundary", data=data, fold=fold):
                self._compacted(data, fold)
            case System(subtype="init", data=data):
                self.plan.cwd = self.plan.cwd or str(data.get("cwd") or "")
            case System(subtype="rewind", data=data) if BACK in data:
                raise UsageError(
                    "The session's conversation was rewound: it can be shown, but not run again.", "Drop --against."
                )
            case Result(deferred_tool_use=dict()):
                raise UsageError(
                    "A hook deferred a call: the session can be shown, but not run again.", "Drop --against."
                )
            case Result() as result if self.turn:
                self.turn.end, self.turn.late = result, self.steering
                self.turn, self.steering = None, []

    def _user(self, message: User, source: str, state: Mapping[str, Any]) -> None:
        match source:
            case "harness" if self.turn is None:
                self.said.append(message)
            case "harness" if self.turn:
                if message.text.startswith("<task-notification>"):
                    self.endings.append(message.text)
                elif not message.text.startswith("<reminder>") and self.turn.steps:  # which the loop finds by itself
                    self.turn.steps[-1].sent_back = message.text
            case "steering":
                self.steering.append(message)
            case _:
                self.turn = Turn(message, self.said, state=state)
                self.said = []
                self.plan.turns.append(self.turn)

    def _result(self, result: ToolResult, state: Mapping[str, Any]) -> None:
        if self.turn and self.turn.steps:
            step = self.turn.steps[-1]
            step.results[result.call_id] = result
            step.states[result.call_id] = state
            if result.call_id in self.denied:
                step.denied.add(result.call_id)

    def _compacted(self, data: Mapping[str, Any], fold: Mapping[str, Any]) -> None:
        match fold:
            case {"moved": list(moves)}:
                texts = (move[1] for move in moves if isinstance(move, list) and len(move) == 2)
                self.plan.moved += [str(text).rpartition("Read ")[2].removesuffix("]") for text in texts]
            case {"texts": list(texts)}:
                self.plan.texts.append([str(text) for text in texts])
                if self.turn is None:
                    self.plan.turns.append(Compaction(str(fold.get("focus") or "")))
