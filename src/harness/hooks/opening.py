"""A session's hooks: those of its settings, and those that whoever opens it brings."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from anyio.abc import TaskGroup

from harness.hooks.asking import Hooks
from harness.hooks.command import Place
from harness.hooks.handler import Handler
from harness.hooks.settings import from_settings
from harness.settings import Settings


def opened(
    chosen: Settings,
    more: Iterable[Handler],
    place: Place,
    tasks: TaskGroup,
    base: Callable[[], Mapping[str, Any]],
) -> tuple[Hooks, list[str]]:
    """The hooks, and what people should know about those that will not be asked."""
    problems: list[str] = []
    handlers = [*from_settings(chosen, place, problems.append), *more]
    return Hooks(handlers, tasks, base), list(dict.fromkeys(problems))
