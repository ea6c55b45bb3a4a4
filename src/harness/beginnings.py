"""What a session begins with: system prompt, wanted memory and compaction, and what a person should know first."""

from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from anyio.abc import TaskGroup

from harness import PROTOCOL_LEVEL, __version__, paths, prompt
from harness.checkpoints import Checkpoints, unwanted
from harness.context.budget import Wanted as Compaction
from harness.definitions import Definitions
from harness.events import Notice
from harness.memory import Wanted
from harness.messages import Mode
from harness.mux import aside
from harness.options import SessionOptions
from harness.permissions import Roots, Rules
from harness.sandbox.policy import Granted
from harness.settings import Settings
from harness.settings.places import repository

RULES_TOLD = 20  # warnings about rules that are told one by one
TRACKED_LOOKED_AT = 20_000  # names of git's index


def memory(options: SessionOptions, chosen: Settings, cwd: Path) -> Wanted:
    return Wanted(
        cwd=cwd,
        env=options.env,
        sources=options.customs,
        managed=options.settings.managed,
        excluded=chosen.memory_excluded,
        claude_md=chosen.memory_of_owner,
        auto=False if options.plain else chosen.auto_memory,
        auto_directory=chosen.auto_memory_directory,
    )


def warnings(chosen: Settings, rules: Rules, memory: Iterable[str], roots: Roots) -> Iterator[Notice]:
    """What the person should know about settings and memory before the first turn: each one line."""
    if names := _denied_and_tracked(rules, roots):
        text = f"Denied to read, and tracked by git, whose history holds it all the same: {', '.join(names)}."
        mend = "`git add -A` and `git commit -a` fail in the sandbox while it is. Take it out of the repository."
        yield Notice(level="warning", cause="rules", text=text, mend=mend)
    if line := str(chosen.trust):
        yield Notice(level="warning", cause="trust", text=line)
    for problem in chosen.problems:
        yield Notice(level="warning", cause="settings", text=problem)
    for warning in rules.warnings[:RULES_TOLD]:
        yield Notice(level="warning", cause="rules", text=str(warning))
    if (more := len(rules.warnings) - RULES_TOLD) > 0:
        yield Notice(level="warning", cause="rules", text=f"{more} more permission rules cannot be used as they are.")
    for text in memory:
        yield Notice(level="warning", cause="memory", text=text)


def _denied_and_tracked(rules: Rules, roots: Roots) -> list[str]:
    if not any(rule.kind == "path" and rule.tool == "Read" for rule in rules.deny):
        return []
    from harness.checkpoints.ignore import tracked  # noqa: PLC0415  few sessions deny a file
    from harness.permissions.paths import path_rule, place  # noqa: PLC0415

    top = repository(roots.cwd)
    names = islice(tracked(top), TRACKED_LOOKED_AT)
    return list(islice((name for name in names if path_rule(rules.deny, "Read", place(top / name, roots), roots)), 3))


def plan_file(options: SessionOptions, chosen: Settings, session_id: str) -> Path | None:
    """The one file that plan mode may write; None where nothing of the session is kept."""
    if not options.persist:
        return None
    own = next((found for layer in reversed(chosen.layers) if (found := layer.get("plansDirectory"))), None)
    directory = paths.resolve(own, options.cwd) if own else paths.config_home(options.env) / "plans"
    return directory.resolve() / f"{session_id}.md"


def system_prompt(options: SessionOptions) -> str:
    base = prompt.system_prompt() if options.system_prompt is None else options.system_prompt
    return "\n\n".join(part for part in (base, options.append_system_prompt) if part)


def unasked(rules: Rules, granted: Granted, mode: Mode) -> tuple[str, ...]:
    """What runs without a question, in the words that the model is told."""
    commands = ("commands in the sandbox",) if granted.auto_allow and mode != "plan" else ()
    return (*(rule.text for rule in rules.allow), *commands)


def checkpoints(
    options: SessionOptions, chosen: Settings, roots: tuple[Path, ...], session_id: str, tasks: TaskGroup
) -> Checkpoints | None:
    """None where nobody wants any."""
    if unwanted(roots[0], options.env, setting=chosen.checkpoints, persist=options.persist and chosen.retention > 0):
        return None
    return Checkpoints(roots, paths.config_home(options.env), session_id, chosen.retention, partial(aside, tasks))


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
        "model": "",
        "permissionMode": "",
        "slash_commands": list(definitions.commands),
        "skills": list(definitions.skills),
        "plugins": [],
        "output_style": chosen.output_style,
        "apiKeySource": "env" if options.env.get("OPENAI_API_KEY") else "none",
        "claude_code_version": PROTOCOL_LEVEL,
        "harness_version": __version__,
    }
