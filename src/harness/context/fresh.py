"""Results that the model has not seen yet, and that are more than fits: each is cut to a share of the room. Pure.

Compaction would throw them away unseen, and the model would ask for them again. What is small stays whole: the share
is what the largest may take so that all together fit.
"""

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from harness.context.account import cost
from harness.context.tail import behind
from harness.messages import Assistant, HistoryMessage, Text, ToolCall, ToolResult

LEAST = 160.0  # tokens that each may take at least: its beginning, and where the rest is
_NOTICE = 500  # characters of what is said in the place of the rest
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
    return sum(map(cost, messages[behind(messages) :]))


def oversized(messages: Sequence[HistoryMessage], room: float) -> Iterator[Cut]:
    """The results to cut, so that all that is new takes `room` tokens."""
    first = behind(messages)
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
    lines = cut.result.text.splitlines()
    whole = cut.call.name == "Read"
    head = _fitting(lines, cut.characters if whole else cut.characters * 2 // 3)
    if whole and head and (at := _number(head[-1])):
        last = next(filter(None, map(_number, reversed(lines))), at)
        told = f"[Lines {at + 1}-{last} did not fit: Read offset={at + 1} limit={len(head)}]"
        return "\n".join([*head, told])
    tail = _fitting(lines[::-1], cut.characters // 3)[::-1]
    if not head or len(head) + len(tail) >= len(lines):  # hardly any lines, but long ones
        return _by_characters(cut, place)
    first, last = len(head) + 1, len(lines) - len(tail)
    ways = f"Read offset={first} limit={len(head) + len(tail)} of it, or search it with Grep"
    told = f"[Lines {first}-{last} of {len(lines)} did not fit here. All of it: {place} ({ways})]"
    return "\n".join([*head, told, *tail])


def _by_characters(cut: Cut, place: str) -> str:
    text, third = cut.result.text, cut.characters // 3
    head, tail = text[: 2 * third], text[len(text) - third :] if third else ""
    told = f"[{len(text) - len(head) - len(tail):,} of {len(text):,} characters did not fit here. All of it: {place}]"
    return "\n".join(part for part in (head, told, tail) if part)


def _fitting(lines: Sequence[str], characters: int) -> list[str]:
    """As many of the first lines."""
    found: list[str] = []
    for line in lines:
        characters -= len(line) + 1
        if characters < 0:
            break
        found.append(line)
    return found


def _number(line: str) -> int:
    """Of a line as Read shows it; 0 of another."""
    found = _NUMBERED.match(line)
    return int(found[1]) if found else 0


def _share(costs: Sequence[float], room: float) -> float:
    left = sorted(costs)
    while left and left[0] <= room / len(left):
        room -= left.pop(0)
    return max(LEAST, room / len(left)) if left else math.inf


def _is_text(message: HistoryMessage) -> bool:
    return isinstance(message, ToolResult) and all(isinstance(part, Text) for part in message.parts)
