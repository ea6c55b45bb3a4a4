"""Which end of a conversation stays word for word. Pure: a call and its results are never parted."""

from collections.abc import Sequence

from harness.messages import Assistant, HistoryMessage, ToolResult, User


def kept(messages: Sequence[HistoryMessage], room: float) -> int:
    """How many of the last messages stay: as many whole exchanges as fit `room` tokens, perhaps none.

    The last exchange begins with what the person said, or with an answer of the model whose calls are all
    answered after it.
    """
    from harness.context.account import cost  # noqa: PLC0415  with the first compaction

    total, best = 0.0, 0
    for count, message in enumerate(reversed(messages), 1):
        total += cost(message)
        if total > room:
            break
        if not isinstance(message, ToolResult):
            best = count
    return best


def unseen(messages: Sequence[HistoryMessage]) -> int:
    """How many of the last messages the model has not answered yet; with results, also its own that called for them."""
    new = messages[(first := behind(messages)) :]
    return len(new) + any(isinstance(each, ToolResult) for each in new) if first else 0


def behind(messages: Sequence[HistoryMessage]) -> int:
    """Where what the model has not seen begins: behind its own last message, 0 where there is none."""
    said = (index for index in range(len(messages) - 1, -1, -1) if isinstance(messages[index], Assistant))
    return next(said, -1) + 1


def halved(messages: Sequence[HistoryMessage]) -> list[HistoryMessage]:
    """About the later half, for a server that cannot even read all of it: from a whole exchange on."""
    start = max(1, len(messages) // 2)
    while start < len(messages) and isinstance(messages[start], ToolResult):
        start += 1
    return list(messages[start:])


def pairs_hold(messages: Sequence[HistoryMessage]) -> bool:
    """Whether every result follows its call, and every call but those of the last answer has its result."""
    waiting: set[str] = set()
    for message in messages:
        match message:
            case ToolResult(call_id=call_id):
                if call_id not in waiting:
                    return False
                waiting.discard(call_id)
            case Assistant():
                if waiting:
                    return False
                waiting = {call.id for call in message.calls}
            case User():
                if waiting:
                    return False
    return not waiting
