"""/memory and /init: the standing instructions, and a first draft of them."""

from collections.abc import AsyncGenerator
from importlib import resources

from harness import paths
from harness.errors import HarnessError, UsageError
from harness.events import Event
from harness.memory import approve
from harness.session import Session


async def memory(session: Session, argument: str) -> AsyncGenerator[Event | str, None]:
    verb, _, name = argument.partition(" ")
    if verb == "allow" and name.strip():
        path = paths.resolve(name.strip(), session.cwd)
        if not path.is_file():
            raise UsageError(f"{path} is no file.", "Name the file that is imported.")
        try:
            approve(session.memory.wanted, path)
        except OSError as error:
            raise HarnessError(
                f"That cannot be recorded: {error.strerror}.", "Free some space, or mend rights."
            ) from None
        yield f"{path} may be imported here, from the next session on."
        return
    if argument:
        raise UsageError(f"/memory {argument}: there is no such thing.", "Use /memory, or /memory allow FILE.")
    for file in session.memory.files:
        by = f", imported by {paths.shown(file.parent, session.cwd)}" if file.parent else ""
        yield f"{file.kind:<8}{paths.shown(file.path, session.cwd)} ({len(file.text):,} characters{by})"
    for rule in session.memory.waiting:
        yield f"{'waits':<8}{paths.shown(rule.path, session.cwd)} (for {', '.join(rule.paths[:5])})"
    if not session.memory.files:
        yield "There are no standing instructions. /init writes a CLAUDE.md; AGENTS.md is read where there is none."
    for notice in session.memory.notices:
        yield notice


async def init(session: Session, argument: str) -> AsyncGenerator[Event | str, None]:
    text = resources.files("harness").joinpath("prompts", "init.md").read_text("utf-8").strip()
    async for event in session.prompt(f"{text}\n\n{argument}" if argument else text):
        yield event
