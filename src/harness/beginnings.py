"""What a session begins with: system prompt, wanted memory and compaction, and what a person should know first."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from harness import PROTOCOL_LEVEL, __version__, prompt
from harness.context.budget import Wanted as Compaction
from harness.definitions import Definitions
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


def compaction(chosen: Settings, env: Mapping[str, str]) -> Compaction:
    share, window = env.get("CLAUDE_AUTOCOMPACT_PCT_OVERRIDE", ""), env.get("CLAUDE_CODE_AUTO_COMPACT_WINDOW", "")
    off = env.get("DISABLE_AUTO_COMPACT") in {"1", "true"} or env.get("DISABLE_COMPACT") in {"1", "true"}
    return Compaction(
        share=int(share) / 100
        if share.isdecimal() and 10 <= int(share) <= 95
        else min(95, max(10, chosen.compact_at)) / 100,
        window=int(window) if window.isdecimal() and int(window) else chosen.compact_window,
        auto=chosen.auto_compact and not off,
    )


def init(options: SessionOptions, chosen: Settings, definitions: Definitions) -> dict[str, Any]:
    """What `system/init` tells that does not change from turn to turn."""
    return {
        "cwd": str(options.cwd.resolve()),
        "tools": [],
        "mcp_servers": [],
        "model": "",
        "permissionMode": "",
        "slash_commands": list(definitions.commands),
        "agents": list(definitions.agents),
        "skills": list(definitions.skills),
        "plugins": [],
        "output_style": chosen.output_style,
        "apiKeySource": "env" if options.env.get("OPENAI_API_KEY") else "none",
        "claude_code_version": PROTOCOL_LEVEL,
        "harness_version": __version__,
    }
