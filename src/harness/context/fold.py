"""What a compaction does to a history, as data: written to the session file, and done again when it is read. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from harness.messages import HistoryMessage, Text, ToolResult, User


def boundary(texts: Sequence[str], kept: int, focus: str = "") -> dict[str, Any]:
    """All but the last `kept` messages give way to one message of these texts. `focus`: what was asked to be kept."""
    return {"texts": list(texts), "kept": kept, **({"focus": focus} if focus else {})}


def moved(texts: Mapping[int, str]) -> dict[str, Any]:
    """The results at these places of the history have these texts now."""
    return {"moved": [[index, text] for index, text in sorted(texts.items())]}


def folded(messages: Sequence[HistoryMessage], data: Mapping[str, Any]) -> list[HistoryMessage]:
    """The history after a compaction. What is not of this form, as from a foreign writer, changes nothing."""
    match data:
        case {"texts": list(texts), "kept": int(kept)}:
            start = User(tuple(Text(text) for text in texts if isinstance(text, str)))
            return [start, *(messages[max(0, len(messages) - kept) :] if kept > 0 else ())]
        case {"moved": list(moves)}:
            good = {move[0]: move[1] for move in moves if _is_move(move, len(messages))}
            return replaced(messages, good)
    return list(messages)


def replaced(messages: Sequence[HistoryMessage], texts: Mapping[int, str]) -> list[HistoryMessage]:
    """The history with these results' texts in place of their own."""
    history = list(messages)
    for index, text in texts.items():
        old = history[index]
        if isinstance(old, ToolResult):
            history[index] = ToolResult(old.call_id, (Text(text),), old.is_error)
    return history


def _is_move(move: Any, length: int) -> bool:
    return (
        isinstance(move, list)
        and len(move) == 2
        and isinstance(move[0], int)
        and 0 <= move[0] < length
        and isinstance(move[1], str)
    )
