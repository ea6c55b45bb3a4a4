"""The command line of a session: flags, their values, and what they come to. Light: `--help` needs nothing else."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import UsageError
from harness.flags import values
from harness.flags.foreign import refuse_unknown, sifted
from harness.flags.table import parser
from harness.messages import Mode
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
    agent: str | None
    schema: dict[str, Any] | None
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
    verbose: bool
    debug: str | None  # what to tell of, "*" for all
    debug_file: str | None
    bare: bool
    safe: bool
    no_commands: bool
    autocompact: int | None  # tokens; 0: as the model's window has it
    vendor: tuple[str, ...]


def parse(argv: Sequence[str]) -> Flags:
    """Read a command line.

    Raises:
        UsageError: an unknown flag (with the nearest name), or a value that cannot be used.
    """
    words, vendor = sifted(argv)
    p = parser()
    refuse_unknown(words, [name for action in p._actions for name in action.option_strings])
    given = p.parse_args(words)
    _refuse_for_nobody(given)
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
        agent=given.agent,
        schema=values.schema(given.json_schema),
        mcp=tuple(given.mcp_config),
        strict_mcp=given.strict_mcp_config,
        prompt_tool=values.prompt_tool(given),
        permission_mode=values.mode(given),
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
        verbose=given.verbose,
        debug=given.debug,
        debug_file=given.debug_file,
        bare=given.bare,
        safe=given.safe_mode,
        no_commands=given.disable_slash_commands,
        autocompact=given.autocompact,
        vendor=vendor,
    )


def _refuse_for_nobody(given: argparse.Namespace) -> None:
    """Flags that would have no effect are refused, not ignored. Programs that drive us have `--input-format`."""
    driven = given.input_format == "stream-json"
    if given.output_format != "text" and not given.headless and not driven:
        raise UsageError(f"--output-format {given.output_format} is how -p prints.", "Add -p.")
    for flag in ("include_partial_messages", "include_hook_events"):
        if getattr(given, flag) and given.output_format != "stream-json":
            name = f"--{flag.replace('_', '-')}"
            raise UsageError(f"{name} adds lines to stream-json.", "Add -p --output-format stream-json.")
    if given.replay_user_messages and not (driven and given.output_format == "stream-json"):
        raise UsageError("--replay-user-messages repeats what comes as lines.", "Add --input-format stream-json.")
