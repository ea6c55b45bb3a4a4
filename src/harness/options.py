"""What a surface asks of a session."""

import os
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness import paths
from harness.errors import UsageError
from harness.flags import Flags
from harness.guards.limits import Limits
from harness.messages import Mode
from harness.network.domains import Network
from harness.sandbox.policy import Level
from harness.settings import Asked
from harness.start import Start

if TYPE_CHECKING:
    from harness.definitions import Agent
    from harness.hooks.handler import Handler
    from harness.tools.tool import Tool


def _here() -> Path:
    try:
        return Path.cwd()
    except OSError as error:
        raise UsageError(f"The current directory cannot be used: {error.strerror}.", "cd to one that exists.") from None


BARE_TOOLS = ("Bash", "Edit", "Read")
_ON = frozenset({"1", "true", "yes", "on"})


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionOptions:
    """What a surface asks for; None where the user's settings or the default decide."""

    cwd: Path = field(default_factory=_here)
    interactive: bool = False
    mode: Mode | None = None
    allow: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()
    limits: Limits = field(default_factory=Limits)
    model: str | None = None
    base_url: str | None = None
    endpoint: str | None = None
    effort: str | None = None
    fallback_models: tuple[str, ...] = ()
    add_dirs: tuple[Path, ...] = ()
    system_prompt: str | None = None
    append_system_prompt: str | None = None
    sandbox: Level | None = None
    network: Network | None = None
    allow_domains: tuple[str, ...] = ()
    persist: bool = True
    start: Start = field(default_factory=Start)
    served: bool = False  # a program is at the other end, which may watch what runs in the background
    heartbeat: float = 5.0
    apart: bool = False  # pieces of the answer as the server cut them: for who counts them; it costs time
    record: Path | None = None
    tools: tuple[str, ...] | None = None  # the built-in ones to offer; None: all
    agents: "tuple[Agent, ...]" = ()  # besides those of files
    agent: str | None = None  # which of them the session itself is
    functions: "tuple[tuple[Tool, dict[str, Any]], ...]" = ()  # tools of the program, with what the model is told
    skills: tuple[str, ...] | None = None  # those to offer; None: all
    schema: dict[str, Any] | None = None  # what each turn's answer must be
    mcp: tuple[str, ...] = ()  # of `--mcp-config`: JSON, or names of files
    strict_mcp: bool = False  # no other servers than those
    mcp_send: Callable[[str, dict[str, Any]], Awaitable[dict[str, Any]]] | None = (
        None  # to servers that live in the program which drives us
    )
    prompt_tool: str | None = None  # a server's tool that answers permission questions
    defers: bool = False  # the turn may end with a call that a hook deferred, for whoever resumes the session
    hooks: "tuple[Handler, ...]" = ()  # besides those of settings
    plain: bool = False  # without what files bring: hooks, definitions, memory; what flags name still counts
    no_commands: bool = False  # without skills and commands
    settings: Asked = field(default_factory=Asked)
    env: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))

    @property
    def customs(self) -> tuple[str, ...]:
        """The sources whose definitions and memory count."""
        return () if self.plain else self.settings.sources

    @staticmethod
    def from_flags(flags: Flags, *, interactive: bool) -> "SessionOptions":
        from harness.permissions import split_rules  # noqa: PLC0415

        env = _environment(flags)
        bare = env.get("CLAUDE_CODE_SIMPLE") in _ON
        return SessionOptions(
            interactive=interactive,
            mode=flags.permission_mode,
            allow=tuple(rule for value in flags.allowed for rule in split_rules(value)),
            deny=tuple(rule for value in flags.disallowed for rule in split_rules(value)),
            limits=Limits(flags.max_turns, flags.max_budget, flags.max_tokens, flags.max_seconds),
            tools=BARE_TOOLS if bare and flags.tools is None else flags.tools,
            plain=bare or env.get("CLAUDE_CODE_SAFE_MODE") in _ON,
            no_commands=flags.no_commands,
            env=env,
            agents=flags.agents,
            agent=flags.agent,
            schema=flags.schema,
            mcp=flags.mcp,
            prompt_tool=None if flags.prompt_tool == "stdio" else flags.prompt_tool,
            strict_mcp=flags.strict_mcp or bare or env.get("CLAUDE_CODE_SAFE_MODE") in _ON,
            model=flags.model,
            endpoint=flags.endpoint,
            effort=flags.effort,
            fallback_models=flags.fallback_models,
            add_dirs=flags.add_dirs,
            system_prompt=flags.system_prompt,
            append_system_prompt=flags.append_system_prompt,
            sandbox=flags.sandbox,
            network=flags.network,
            allow_domains=flags.allow_domains,
            persist=flags.persist,
            start=flags.start,
            record=paths.resolve(flags.record, _here()) if flags.record is not None else None,
            settings=Asked(given=flags.settings, sources=flags.setting_sources, trust_project=flags.trust_project),
        )


def _environment(flags: Flags) -> dict[str, str]:
    """Our environment, with the variables that some flags stand for: children read them too."""
    env = dict(os.environ)
    if flags.bare:
        env["CLAUDE_CODE_SIMPLE"] = "1"
    if flags.safe:
        env["CLAUDE_CODE_SAFE_MODE"] = "1"
    if flags.autocompact is not None:
        env["CLAUDE_CODE_AUTO_COMPACT_WINDOW"] = str(flags.autocompact) if flags.autocompact else ""
    return env
