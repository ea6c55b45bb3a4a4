"""/context and /compact: what the next request holds, and making it smaller."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from harness.context.account import Account
from harness.events import Event, System
from harness.session import Session

_BAR = 40  # columns


async def context(session: Session, _argument: str) -> AsyncGenerator[Event | str, None]:
    for line in lines(session.account()):
        yield line


async def compact(session: Session, argument: str) -> AsyncGenerator[Event | str, None]:
    if argument.strip() == "--preview":
        yield session.compacted()
        return
    async with aclosing(session.compact(argument)) as events:
        async for event in events:
            yield event
            if isinstance(event, System) and (told := event.data.get("compact_metadata")):
                yield f"Compacted: {told['pre_tokens']:,} tokens before, {told['post_tokens']:,} now."


def lines(found: Account) -> list[str]:
    """A row for each category, with its share of the window."""
    limits = found.budget
    window = limits.window if limits else found.total or 1
    head = f"{found.total:,} of {window:,} tokens ({found.percentage:.0f} %)" if limits else f"{found.total:,} tokens"
    width = max(len(category.name) for category in found.categories)
    rows = [
        f"  {category.name:<{width}}  {category.tokens:>9,}  {'█' * round(_BAR * category.tokens / window)}"
        for category in found.categories
    ]
    ends = [f"Compaction begins at {limits.trigger:,} tokens."] if limits else []
    return [head, *rows, *ends]
