"""/help and /mode."""

from collections.abc import AsyncGenerator

from harness.events import Event
from harness.session import Session
from harness.slash import COMMANDS


async def help_(session: Session, _argument: str) -> AsyncGenerator[Event | str, None]:
    titles = {name: f"/{name} {command.hint}".strip() for name, command in COMMANDS.items()}
    width = max(map(len, titles.values()))
    for name, command in COMMANDS.items():
        yield f"  {titles[name]:<{width}}  {command.summary}"
    for own in session.definitions.commands.values():
        yield f"  /{own.name} {own.hint}".rstrip() + f"  {own.description} ({own.source})"


async def mode(session: Session, argument: str) -> AsyncGenerator[Event | str, None]:
    if argument:
        session.set_mode(argument)
    yield f"mode {session.mode}"
