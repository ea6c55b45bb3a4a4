"""A session's hooks over its life: opened with it, asked as it begins and as it ends."""

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from anyio.abc import TaskGroup

from harness.confine import Confinement
from harness.events import Event
from harness.hooks.verdict import Verdict
from harness.loop import Deps, asked
from harness.messages import Mode
from harness.options import SessionOptions
from harness.permit import Permit
from harness.settings import Settings

if TYPE_CHECKING:
    from harness.hooks.asking import Hooks

_SAID = frozenset({"flag", "file", "managed"})  # not found in a directory: what the command line names, the owner's


def opened(
    options: SessionOptions,
    chosen: Settings,
    confinement: Confinement,
    permit: Permit,
    tasks: TaskGroup,
    base: Callable[[], Mapping[str, Any]],
) -> "tuple[Hooks | None, list[str]]":
    """The session's hooks, None where it has none; and what people should know about those that are not asked.

    `base` gives the fields that every event's input begins with.
    """
    if options.plain:
        chosen = replace(chosen, layers=tuple(each for each in chosen.layers if each.source in _SAID))
    if not options.hooks and not any(chosen.hooks()):
        return None, []
    from harness.hooks.command import Place  # noqa: PLC0415  most sessions have none
    from harness.hooks.opening import opened as made  # noqa: PLC0415

    def policy() -> Any:
        mode: Mode = base()["permission_mode"]
        return confinement.policy(mode)

    session_id = lambda: str(base()["session_id"])  # noqa: E731
    place = Place(options.cwd.resolve(), policy, session_id, lambda: permit.roots, confinement.sandboxed)
    return made(chosen, options.hooks, place, tasks, base)


async def begun(deps: Deps, source: str = "startup") -> AsyncGenerator[Event | Verdict, None]:
    """SessionStart; nothing where no hook wants to know."""
    if deps.hooks and deps.hooks.matching("SessionStart", source):
        async with aclosing(asked(deps, "SessionStart", source, source=source)) as said:
            async for item in said:
                yield item


async def ended(deps: Deps, reason: str = "other") -> None:
    """SessionEnd: hooks have little time, all together, and nobody reads what they say."""
    if deps.hooks and deps.hooks.matching("SessionEnd", reason):
        async with aclosing(deps.hooks.ask("SessionEnd", reason, reason=reason)) as said:
            async for _ in said:
                pass


async def before_compaction(deps: Deps, trigger: str, focus: str) -> AsyncGenerator[Event | str, None]:
    """What PreCompact hooks say: a text forbids it."""
    fields = {"trigger": trigger, "custom_instructions": focus}
    async with aclosing(asked(deps, "PreCompact", trigger, **fields)) as said:
        async for item in said:
            if not isinstance(item, Verdict):
                yield item
            elif (why := item.stop if item.block is None else item.block) is not None:
                yield why


async def after_compaction(deps: Deps, trigger: str, summary: str) -> AsyncGenerator[Event, None]:
    fields = {"trigger": trigger, "compact_summary": summary}
    async with aclosing(asked(deps, "PostCompact", trigger, **fields)) as said:
        async for item in said:
            if not isinstance(item, Verdict):
                yield item
