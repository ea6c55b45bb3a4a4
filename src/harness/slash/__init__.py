"""Slash commands: what a surface answers without the model, the same on every surface.

A command is one async generator in a module of this package and one entry in `COMMANDS`.
"""

import difflib
import re
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from importlib import import_module
from typing import NamedTuple

from harness.errors import HarnessError
from harness.events import Event
from harness.session import Session

# What a command does: it yields events of what it lets happen, and lines of text for the person.
Call = Callable[[Session, str], AsyncGenerator[Event | str, None]]


class Slash(NamedTuple):
    """`place` is `module:function` below this package, imported when the command is used."""

    place: str
    summary: str
    hint: str = ""  # of its argument
    aliases: tuple[str, ...] = ()

    def call(self, session: Session, argument: str) -> AsyncGenerator[Event | str, None]:
        module, _, function = self.place.partition(":")
        made: AsyncGenerator[Event | str, None] = getattr(import_module(f"{__name__}.{module}"), function)(
            session, argument
        )
        return made


COMMANDS: dict[str, Slash] = {
    "help": Slash("basic:help_", "list the commands"),
    "mode": Slash("basic:mode", "show the permission mode, or change it", "[MODE]"),
}

_FORM = re.compile(r"/(?P<name>[A-Za-z][\w:-]*)(?:\s+(?P<argument>.*))?\Z", re.DOTALL)


def find(text: str) -> tuple[str, Slash | None, str] | None:
    """The name, command and argument of what is typed; None where it is no command but a prompt.

    A path (`/usr/bin/x fails`) is a prompt; a name that nobody knows is a command that is not there.
    """
    match = _FORM.match(text.strip())
    if not match:
        return None
    name = match["name"].lower()
    for known, command in COMMANDS.items():
        if name == known or name in command.aliases:
            return known, command, (match["argument"] or "").strip()
    return name, None, ""


async def turn(text: str, session: Session) -> AsyncGenerator[Event, None]:
    """One turn: a command is answered here, everything else is a prompt to the model."""
    found = find(text)
    if found is None:
        async with aclosing(session.prompt(text)) as events:
            async for event in events:
                yield event
        return
    name, command, argument = found
    lines: list[str] = []
    failure = ""
    async with aclosing(session.aside()) as opening:
        async for event in opening:
            yield event
    try:
        if command is None:
            failure = unknown(name)
        else:
            async with aclosing(command.call(session, argument)) as answer:
                async for item in answer:
                    if isinstance(item, str):
                        lines.append(item)
                    else:
                        yield item
    except HarnessError as error:
        failure = str(error)
    for event in session.answered("\n".join(lines), failure):
        yield event


def unknown(name: str) -> str:
    near = difflib.get_close_matches(name, COMMANDS, 1)
    return f"Unknown command /{name}. " + (f"Did you mean /{near[0]}?" if near else "/help lists the commands.")
