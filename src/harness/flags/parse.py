"""The command line of a session: flags, their values, and what they come to. Light: `--help` needs nothing else."""

import argparse
import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import UsageError
from harness.flags import values
from harness.flags.table import VENDOR_FLAGS, VENDOR_FLAGS_WITH_VALUE, parser
from harness.messages import MODES, Mode
from harness.network.domains import Network, network
from harness.sandbox.policy import Level
from harness.start import Start

if TYPE_CHECKING:
    from harness.definitions import Agent


@dataclass(frozen=True, slots=True)
class Flags:
    """A parsed command line."""

    prompt: str | None
    headless: bool
    output_format: str
    partial_messages: bool
    hook_events: bool
    replay: bool
    tools: tuple[str, ...] | None
    agents: "tuple[Agent, ...]"
    mcp: tuple[str, ...]
    strict_mcp: bool
    prompt_tool: str | None
    permission_mode: Mode | None
    allowed: tuple[str, ...]
    disallowed: tuple[str, ...]
    max_turns: int | None
    max_budget: float | None
    max_tokens: int | None
    max_seconds: float | None
    model: str | None
    endpoint: str | None
    effort: str | None
    fallback_models: tuple[str, ...]
    add_dirs: tuple[Path, ...]
    system_prompt: str | None
    append_system_prompt: str | None
    sandbox: Level | None
    network: Network | None
    allow_domains: tuple[str, ...]
    persist: bool
    start: Start
    settings: str | None
    setting_sources: tuple[str, ...]
    trust_project: bool
    record: str | None
    vendor: tuple[str, ...]


def parse(argv: Sequence[str]) -> Flags:
    """Read a command line.

    Raises:
        UsageError: an unknown flag (with the nearest name), or a value that cannot be used.
    """
    words, vendor = _without_vendor(argv)
    p = parser()
    _refuse_unknown(words, p)
    given = p.parse_args(words)
    mode = given.permission_mode
    if mode is not None and mode != "manual" and mode not in MODES:
        raise UsageError(f"--permission-mode {mode}: no such mode.", f"Use one of: {', '.join(MODES)}.")
    if given.dangerously_skip_permissions:
        if mode not in (None, "bypassPermissions"):
            raise UsageError(f"--dangerously-skip-permissions and --permission-mode {mode} disagree.", "Drop one.")
        mode = "bypassPermissions"
    if given.no_sandbox and given.sandbox not in (None, "none"):
        raise UsageError(f"--no-sandbox and --sandbox {given.sandbox} disagree.", "Drop one.")
    network(given.network, given.allow_domain)  # flags that disagree are said before anything is started
    return Flags(
        prompt=given.prompt,
        headless=given.headless,
        output_format=given.output_format,
        partial_messages=given.include_partial_messages,
        hook_events=given.include_hook_events,
        replay=given.replay_user_messages,
        tools=values.tools(given.tools),
        agents=values.agents(given.agents),
        mcp=tuple(given.mcp_config),
        strict_mcp=given.strict_mcp_config,
        prompt_tool=given.permission_prompt_tool,
        permission_mode="default" if mode == "manual" else mode,
        allowed=tuple(given.allowedTools),
        disallowed=tuple(given.disallowedTools),
        max_turns=given.max_turns,
        max_budget=given.max_budget_usd,
        max_tokens=given.max_tokens_total,
        max_seconds=given.max_time,
        model=given.model,
        endpoint=given.endpoint,
        effort=given.effort,
        fallback_models=tuple(name.strip() for name in (given.fallback_model or "").split(",") if name.strip()),
        add_dirs=tuple(values.directory(d) for d in given.add_dir),
        system_prompt=values.text(given, "system_prompt"),
        append_system_prompt=values.text(given, "append_system_prompt"),
        sandbox="none" if given.no_sandbox else given.sandbox,
        network=given.network,
        allow_domains=tuple(given.allow_domain),
        persist=not given.no_session_persistence,
        start=values.start(given),
        settings=given.settings,
        setting_sources=values.setting_sources(given.setting_sources),
        trust_project=given.trust_project,
        record=given.record,
        vendor=vendor,
    )


def _without_vendor(argv: Sequence[str]) -> tuple[list[str], tuple[str, ...]]:
    """The words without the flags that belong to a vendor's cloud, and those flags. After `--` all is prompt."""
    words: list[str] = []
    vendor: list[str] = []
    rest = iter(argv)
    for word in rest:
        name, given, _ = word.partition("=")
        if word == "--":
            return [*words, word, *rest], tuple(vendor)
        if name in VENDOR_FLAGS or name in VENDOR_FLAGS_WITH_VALUE:
            vendor.append(name)
            if name in VENDOR_FLAGS_WITH_VALUE and not given:
                next(rest, None)
        else:
            words.append(word)
    return words, tuple(vendor)


def _refuse_unknown(words: Sequence[str], p: argparse.ArgumentParser) -> None:
    known = [name for action in p._actions for name in action.option_strings]
    for word in words:
        if word == "--":
            return
        name = word.split("=", 1)[0]
        if name.startswith("--") and " " not in name and name not in known:
            near = nearest(name, known)
            raise UsageError(
                f"harness: unknown flag {name}.", f"Did you mean {near}?" if near else "See harness --help."
            )


def nearest(word: str, known: Iterable[str]) -> str | None:
    return next(iter(difflib.get_close_matches(word, list(known), 1, 0.7)), None)
