"""The agents that are there without anybody's having written one. Their prompts are read when they are used."""

from functools import cache
from pathlib import Path
from typing import Any

from harness.definitions import Agent

# Tools that no sub-agent has: they are the person's, or the session's own.
NEVER = frozenset(
    {"AskUserQuestion", "EnterPlanMode", "ExitPlanMode", "ScheduleWakeup", "StructuredOutput", "TaskOutput", "Workflow"}
)
_READING = ("Bash", "Glob", "Grep", "Read", "WebFetch")
_WHAT: dict[str, tuple[str, dict[str, Any]]] = {
    "general-purpose": ("Any task of several steps; has all tools", {}),
    "Explore": ("Finds out about code and changes nothing: where something is, how it works", {"tools": _READING}),
    "Plan": ("Plans a change and makes none", {"tools": _READING, "mode": "plan"}),
}


@cache
def builtin_prompt(name: str) -> str:
    return (Path(__file__).parent.parent / "prompts/agents" / f"{name}.md").read_text("utf-8").strip()


BUILTIN = {
    name: Agent(name=name, description=what, prompt="", source="builtin", **more)
    for name, (what, more) in _WHAT.items()
}
