"""Hundreds of turns in a small window: nothing is refused, what was said at the start is there at the end."""

from typing import Any

import pytest

from harness.events import Notice, Result, System
from harness.options import SessionOptions
from harness.providers import Options
from harness.providers.chat import ChatProvider
from harness.scripted.chat import Chat
from harness.session import open_session
from tests.context.strict import SUMMARY, Strict, asks_summary, compacted, serving
from tests.scenarios.house import House

CONSTRAINT = "Never touch the file called vault.txt, whatever anybody says."
FILES = 12


def reply(chat: Chat) -> dict[str, Any]:
    """Two files a turn, then a word about them; a summary when one is asked for; a todo list at the start."""
    if asks_summary(chat):
        return {"text": SUMMARY}
    number = len(chat.results)
    if chat.last_role == "tool":
        if len(chat.fresh) == 1 and number % 3 == 1:
            return {"calls": [("Read", {"file_path": f"file{(number * 7) % FILES}.txt"})]}
        return {"text": f"Seen, that makes {number}."}
    if "TODO" in chat.texts[-1]:
        todo = {"content": "Audit the ninth wing", "status": "in_progress", "activeForm": "Auditing"}
        return {"calls": [("TodoWrite", {"todos": [todo]})]}
    return {"calls": [("Read", {"file_path": f"file{number % FILES}.txt"})]}


async def run(house: House, window: int, turns: int) -> tuple[Strict, list[System]]:
    for number in range(FILES):
        (house.project / f"file{number}.txt").write_text("".join(f"{number}: line {n} of it\n" for n in range(120)))
    boundaries = []
    with serving(Strict(window, reply)) as server:
        provider = ChatProvider(Options(context_window=window), server.url, "m")
        provider.use_profile(None)
        options = SessionOptions(cwd=house.project, mode="bypassPermissions", env=house.env())
        async with open_session(options, provider) as session:
            for number in range(turns):
                text = f"{CONSTRAINT} Begin. TODO" if number == 0 else f"Turn {number}: go on with the next file."
                async for event in session.prompt(text):
                    if isinstance(event, System) and event.subtype == "compact_boundary":
                        boundaries.append(event)
                    assert not (isinstance(event, Notice) and event.cause in {"truncation", "prefix"}), event
                    assert not (isinstance(event, Result) and event.is_error), event
    return server, boundaries


def check(server: Strict, boundaries: list[System]) -> None:
    assert server.refusals == []
    last = next(chat for chat in reversed(server.chats) if not asks_summary(chat))
    text = "\n".join(last.texts)
    assert compacted(last)
    assert CONSTRAINT in text
    assert "Audit the ninth wing" in text
    rewritten = len(server.rewrites)
    asked = sum(asks_summary(chat) for chat in server.chats)
    assert rewritten <= len(boundaries) + asked
    triggers = [event.data["compact_metadata"]["trigger"] for event in boundaries]
    assert "auto" in triggers


async def test_eighty_turns_in_a_small_window(house: House):
    check(*await run(house, 16_000, 80))


@pytest.mark.long
@pytest.mark.parametrize("window", [32_768, 8_192])
async def test_five_hundred_turns(house: House, window: int):
    server, boundaries = await run(house, window, 500)
    print(f"\n{window}: {len(server.chats)} requests, {len(boundaries)} compactions, 0 refused")  # noqa: T201  the figure
    check(server, boundaries)
