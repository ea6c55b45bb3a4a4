"""What is said: messages, their parts, and the deltas they arrive in. Pure values, no I/O.

`User`, `Assistant` and `ToolResult` are the history that a model is sent; everything else is made of them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

Mode = Literal["default", "acceptEdits", "plan", "auto", "dontAsk", "bypassPermissions"]
MODES: tuple[Mode, ...] = ("default", "acceptEdits", "plan", "auto", "dontAsk", "bypassPermissions")

# Names that models and people know a tool by from elsewhere, and ours for it.
TOOL_ALIASES: Mapping[str, str] = {
    "Task": "Agent", "BashOutput": "TaskOutput", "KillShell": "TaskStop", "KillBash": "TaskStop",
}  # fmt: skip


def tool_names(name: str) -> frozenset[str]:
    """All names of that tool: whichever of them a rule, a matcher or a list says, it means the tool."""
    ours = TOOL_ALIASES.get(name, name)
    return frozenset({ours, *(other for other, own in TOOL_ALIASES.items() if own == ours)})


# How much a model is to think; each server takes its own words for it. `xhigh` is another name for `max`.
EFFORTS = ("none", "low", "medium", "high", "max", "xhigh")

# Why a model stopped, in the Messages-API words that people's scripts know.
Stop = Literal["end_turn", "tool_use", "max_tokens", "refusal", "stop_sequence"]


@dataclass(frozen=True, slots=True)
class Text:
    text: str


@dataclass(frozen=True, slots=True)
class Thinking:
    """Reasoning. `field` is the wire field that carried it, so that it is sent back under the same name."""

    text: str
    field: str = "reasoning_content"


@dataclass(frozen=True, slots=True)
class Image:
    media_type: str
    data: str  # base64


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call the model asked for.

    `arguments` is valid JSON text, always: what later requests send back, byte for byte. `input` is that text
    parsed, or None where what the model wrote was no usable object; `problem` then says what was wrong, and
    the call is answered with it and never executed.
    """

    id: str
    name: str
    arguments: str
    input: Mapping[str, Any] | None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one request, or of several added up. `input_tokens` counts cached ones too."""

    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    reasoning_tokens: int = 0

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.cached_tokens + other.cached_tokens,
            self.reasoning_tokens + other.reasoning_tokens,
        )


UserPart = Text | Image
AssistantPart = Text | Thinking | ToolCall


@dataclass(frozen=True, slots=True)
class User:
    parts: tuple[UserPart, ...]

    @property
    def text(self) -> str:
        return joined_text(self.parts)


@dataclass(frozen=True, slots=True)
class Assistant:
    """A whole message of the model. `usage` is None where the server told none."""

    id: str
    parts: tuple[AssistantPart, ...]
    stop: Stop = "end_turn"
    usage: Usage | None = None
    model: str = ""

    @property
    def text(self) -> str:
        return joined_text(self.parts)

    @property
    def calls(self) -> tuple[ToolCall, ...]:
        return tuple(part for part in self.parts if isinstance(part, ToolCall))


@dataclass(frozen=True, slots=True)
class ToolResult:
    """The answer to one call. `data` is the structured form for hooks and SDKs (`tool_use_result`)."""

    call_id: str
    parts: tuple[UserPart, ...]
    is_error: bool = False
    data: Mapping[str, Any] | str | None = field(default=None, compare=False)

    @property
    def text(self) -> str:
        return joined_text(self.parts)


HistoryMessage = User | Assistant | ToolResult

# A history made of another one: stretches of it that stay, by their indices, and messages that are new.
Splice = tuple[range | HistoryMessage, ...]


def splice(before: Sequence[HistoryMessage], after: Sequence[HistoryMessage]) -> Splice:
    """How `after` is made of `before`: the messages that are the same objects, in the same order, stay."""
    places = {id(message): index for index, message in enumerate(before)}
    made: list[range | HistoryMessage] = []
    for message in after:
        index = places.get(id(message))
        last = made[-1] if made else None
        if index is None:
            made.append(message)
        elif isinstance(last, range) and last.stop == index:
            made[-1] = range(last.start, index + 1)
        else:
            made.append(range(index, index + 1))
    return tuple(made)


def spliced(before: Sequence[HistoryMessage], how: Splice) -> list[HistoryMessage]:
    """The history that `how` makes of `before`."""
    made: list[HistoryMessage] = []
    for part in how:
        made += before[part.start : part.stop] if isinstance(part, range) else [part]
    return made


def joined_text(parts: tuple[UserPart, ...] | tuple[AssistantPart, ...]) -> str:
    return "".join(part.text for part in parts if isinstance(part, Text))


@dataclass(frozen=True, slots=True)
class TextDelta:
    text: str


@dataclass(frozen=True, slots=True)
class ThinkingDelta:
    text: str


@dataclass(frozen=True, slots=True)
class ToolInputDelta:
    """A piece of a call's arguments. `index` tells calls of one message apart; `name` is there from the first."""

    index: int
    call_id: str
    name: str
    fragment: str


Delta = TextDelta | ThinkingDelta | ToolInputDelta
