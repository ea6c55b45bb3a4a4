"""What a session begins with: its system prompt, the memory it wants, and what the person should know first."""

from collections.abc import Iterator
from pathlib import Path

from harness import prompt
from harness.events import Notice
from harness.memory import Wanted
from harness.options import SessionOptions
from harness.permissions import Rules
from harness.settings import Settings

RULES_TOLD = 20  # warnings about rules that are told one by one


def memory(options: SessionOptions, chosen: Settings, cwd: Path) -> Wanted:
    return Wanted(
        cwd=cwd,
        env=options.env,
        sources=options.settings.sources,
        managed=options.settings.managed,
        excluded=chosen.memory_excluded,
        claude_md=chosen.memory_of_owner,
        auto=chosen.auto_memory,
        auto_directory=chosen.auto_memory_directory,
    )


def warnings(chosen: Settings, rules: Rules) -> Iterator[Notice]:
    """What the person should know about settings before the first turn: each one line."""
    if line := str(chosen.trust):
        yield Notice(level="warning", cause="trust", text=line)
    for problem in chosen.problems:
        yield Notice(level="warning", cause="settings", text=problem)
    for warning in rules.warnings[:RULES_TOLD]:
        yield Notice(level="warning", cause="rules", text=str(warning))
    if (more := len(rules.warnings) - RULES_TOLD) > 0:
        yield Notice(level="warning", cause="rules", text=f"{more} more permission rules cannot be used as they are.")


def system_prompt(options: SessionOptions) -> str:
    base = prompt.system_prompt() if options.system_prompt is None else options.system_prompt
    return "\n\n".join(part for part in (base, options.append_system_prompt) if part)
