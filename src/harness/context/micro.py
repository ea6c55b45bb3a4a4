"""Micro-compaction: stale, massive results give way to a line that says where all of their text is. Pure.

Done in batches, since each rewrites the conversation and so costs the server its cached prefix.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from harness.context.account import cost
from harness.messages import Assistant, HistoryMessage, ToolCall, ToolResult, User

MASSIVE = 2_000  # characters
RECENT = 20  # results that stay, if the task at hand is so long
_SHOWN = 160  # characters of the beginning


@dataclass(frozen=True, slots=True)
class Stale:
    """The result at `index` of the history, and the call that it answers."""

    index: int
    call: ToolCall
    result: ToolResult

    @property
    def saving(self) -> float:
        return cost(self.result) - 60


def stale(messages: Sequence[HistoryMessage]) -> Iterator[Stale]:
    """Results that may go: long ones from before the task at hand, but no errors and no file's last reading."""
    border = _border(messages)
    calls: dict[str, ToolCall] = {}
    found: list[Stale] = []
    last_read: dict[str, int] = {}
    for index, message in enumerate(messages):
        if isinstance(message, Assistant):
            calls |= {call.id: call for call in message.calls}
        elif isinstance(message, ToolResult) and (call := calls.get(message.call_id)):
            if call.name == "Read" and not message.is_error:
                last_read[_path(call)] = index
            long = len(message.text) >= MASSIVE and not message.is_error
            if index < border and long and not message.text.startswith(MOVED):
                found.append(Stale(index, call, message))
    kept = set(last_read.values())
    yield from (each for each in found if each.index not in kept)


MOVED = "[Moved out of the conversation: "


def digest(each: Stale, place: str) -> str:
    """What the result says from now on."""
    text = each.result.text
    begins = " ".join(text[:_SHOWN].split())
    where = f"In parts, all of it: Read {place}]"
    return f"{MOVED}{len(text):,} characters of {each.call.name}, beginning: {begins} ... {where}"


def _border(messages: Sequence[HistoryMessage]) -> int:
    """Where the task at hand begins: the person's last message, or the last results if it is long."""
    prompts = [index for index, message in enumerate(messages) if isinstance(message, User)]
    results = [index for index, message in enumerate(messages) if isinstance(message, ToolResult)]
    recent = results[-RECENT] if len(results) >= RECENT else 0
    return max(prompts[-1] if prompts else 0, recent)


def _path(call: ToolCall) -> str:
    return str((call.input or {}).get("file_path", ""))
