"""Results that the model has not seen yet, and that are more than fits: each is cut to a share of the room. Pure.

Compaction would throw them away unseen, and the model would ask for them again. What is small stays whole: the share
is what the largest may take so that all together fit.
"""

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from harness.context.account import cost
from harness.messages import Assistant, HistoryMessage, Text, ToolCall, ToolResult

LEAST = 80.0  # tokens that each may take at least: its beginning, and where the rest is
_NOTICE = 300  # characters of what is said in the place of the rest
_NUMBERED = re.compile(r"^\s*(\d+)\t")


@dataclass(frozen=True, slots=True)
class Cut:
    """The result at `index` of the history may show `characters` of its text."""

    index: int
    call: ToolCall
    result: ToolResult
    characters: int


def weight(messages: Sequence[HistoryMessage]) -> float:
    """Tokens of all that the model has not seen yet."""
    return sum(map(cost, messages[_first(messages) :]))


def oversized(messages: Sequence[HistoryMessage], room: float) -> Iterator[Cut]:
    """The results to cut, so that all that is new takes `room` tokens."""
    first = _first(messages)
    said = messages[first - 1] if first else None
    calls = {call.id: call for call in said.calls} if isinstance(said, Assistant) else {}
    costs = {i: cost(each) for i, each in enumerate(messages[first:], first) if _is_text(each)}
    share = _share(list(costs.values()), room - (weight(messages) - sum(costs.values())))
    for index, each in costs.items():
        result = messages[index]
        if each > share and isinstance(result, ToolResult) and (call := calls.get(result.call_id)):
            shown = int(len(result.text) * share / each) - _NOTICE
            yield Cut(index, call, result, max(shown, 0))


def shortened(cut: Cut, place: str) -> str:
    """What the result says: its beginning, of a command also its end. `place` is the file that has all of it."""
    text = cut.result.text
    if cut.call.name == "Read" and (head := _lines(text[: cut.characters])):
        number = _NUMBERED.match(head.rpartition("\n")[2])
        onward = f"Read it on with offset={int(number[1]) + 1} and a limit" if number else "Read it in parts"
        return f"{head}\n[The rest did not fit: {len(text) - len(head):,} of {len(text):,} characters. {onward}.]"
    head = text[: cut.characters * 2 // 3]
    tail = text[len(text) - cut.characters // 3 :] if cut.characters >= 3 else ""
    told = (
        f"[{len(text) - len(head) - len(tail):,} of {len(text):,} characters did not fit here. All of it: {place}; "
        "search it with Grep, or read parts with offset and limit.]"
    )
    return "\n".join(part for part in (head, told, tail) if part)


def _share(costs: Sequence[float], room: float) -> float:
    left = sorted(costs)
    while left and left[0] <= room / len(left):
        room -= left.pop(0)
    return max(LEAST, room / len(left)) if left else math.inf


def _first(messages: Sequence[HistoryMessage]) -> int:
    """Where what the model has not seen begins: behind its own last message."""
    said = (index for index in range(len(messages) - 1, -1, -1) if isinstance(messages[index], Assistant))
    return next(said, -1) + 1


def _is_text(message: HistoryMessage) -> bool:
    return isinstance(message, ToolResult) and all(isinstance(part, Text) for part in message.parts)


def _lines(text: str) -> str:
    """As many whole lines."""
    return text.rpartition("\n")[0]
