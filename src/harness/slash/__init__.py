"""Slash commands: what a surface answers without the model, the same on every surface.

A command is one async generator in a module of this package and one entry in `COMMANDS`.
"""

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
    asks_model: bool = False  # what it yields is a whole turn of its own

    def call(self, session: Session, argument: str) -> AsyncGenerator[Event | str, None]:
        module, _, function = self.place.partition(":")
        made: AsyncGenerator[Event | str, None] = getattr(import_module(f"{__name__}.{module}"), function)(
            session, argument
        )
        return made


COMMANDS: dict[str, Slash] = {
    "compact": Slash("context:compact", "let a summary take the conversation's place", "[FOCUS | --preview]"),
    "context": Slash("context:context", "show what the next request will hold"),
    "help": Slash("basic:help_", "list the commands"),
    "init": Slash("memory:init", "write a CLAUDE.md for this repository", asks_model=True),
    "memory": Slash("memory:memory", "list the standing instructions; allow one from outside", "[allow FILE]"),
    "permissions": Slash("permissions:permissions", "list the rules, and what auto mode has denied"),
    "resume": Slash("sessions:resume", "list the other sessions of this directory", "[WORD]", ("continue",)),
    "rewind": Slash(
        "rewind:rewind", "go back to before a prompt", "[N [files|conversation] | undo]", ("checkpoint", "undo")
    ),
    "rename": Slash("sessions:rename", "name this session", "NAME"),
    "export": Slash("sessions:export", "write this session as Markdown, or as JSON", "[FILE]"),
    "tasks": Slash("tasks:tasks", "list what runs in the background, or stop it", "[stop ID]"),
    "mode": Slash("basic:mode", "show the permission mode, or change it", "[MODE]"),
}

_FORM = re.compile(r"/(?P<name>[A-Za-z][\w:-]*)(?:\s+(?P<argument>.*))?\Z", re.DOTALL)


def find(text: str) -> tuple[str, str] | None:
    """The name and argument of a command that is typed; None where it is no command but a prompt.

    A path (`/usr/bin/x fails`) is a prompt; a name that nobody knows is a command that is not there.
    """
    match = _FORM.match(text.strip())
    return (match["name"].lower(), (match["argument"] or "").strip()) if match else None


async def turn(text: str, session: Session) -> AsyncGenerator[Event, None]:
    """One turn: a command is answered here, everything else is a prompt to the model."""
    found = find(text)
    name, argument = found or ("", "")
    command, typed = _own(name), ""
    if command is None and name in session.definitions.commands:
        # a repository's text is not the person's word
        typed = text if session.definitions.commands[name].source == "project" else ""
        text, found = _expanded(session, name, argument), None
    if found is None:
        answering = session.prompt(text, typed=typed)
    elif command and command.asks_model:
        answering = _asked(session, command, argument)
    else:
        answering = _answered(session, unknown(name, session) if command is None else command, argument)
    async with aclosing(answering) as events:
        async for event in events:
            yield event


async def _asked(session: Session, command: Slash, argument: str) -> AsyncGenerator[Event, None]:
    async with aclosing(command.call(session, argument)) as events:
        async for event in events:
            if not isinstance(event, str):
                yield event


async def _answered(session: Session, command: Slash | str, argument: str) -> AsyncGenerator[Event, None]:
    """A turn without the model, unless the command asks it. `command`: or what is wrong with its name."""
    lines: list[str] = []
    failure = command if isinstance(command, str) else ""
    async with aclosing(session.aside()) as opening:
        async for event in opening:
            yield event
    try:
        if isinstance(command, Slash):
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


def _own(name: str) -> Slash | None:
    return next((command for known, command in COMMANDS.items() if name == known or name in command.aliases), None)


def _expanded(session: Session, name: str, argument: str) -> str:
    from harness.definitions.expand import expanded  # noqa: PLC0415  seldom used

    command = session.definitions.commands[name]
    places = {"CLAUDE_SESSION_ID": session.id, "CLAUDE_SKILL_DIR": str(command.path.parent)}
    return expanded(command, argument, {**places, "CLAUDE_PROJECT_DIR": str(session.cwd)})


def unknown(name: str, session: Session) -> str:
    import difflib  # noqa: PLC0415  for what is mistyped

    near = difflib.get_close_matches(name, [*COMMANDS, *session.definitions.commands], 1)
    return f"Unknown command /{name}. " + (f"Did you mean /{near[0]}?" if near else "/help lists the commands.")
