"""`initialize`: what the program brings, and what it is told. Answered before any model is spoken to."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from harness import definitions, settings, slash
from harness.definitions.values import Agent, agent_from
from harness.errors import HarnessError
from harness.hooks.handler import Handler
from harness.options import SessionOptions
from harness.sdk.callbacks import handlers
from harness.sdk.wire import Json, Wire


@dataclass(frozen=True, slots=True)
class Brought:
    """What `initialize` gave. `skills` None: all."""

    hooks: tuple[Handler, ...] = ()
    agents: tuple[Agent, ...] = ()
    skills: tuple[str, ...] | None = None
    forward_subagent_text: bool = False
    facts_first: bool = field(default=False)  # excludeDynamicSections: here they always ride in the first message


def brought(request: Mapping[str, Any], wire: Wire) -> Brought:
    """Raises ValueError where something is not of the documented form."""
    given = request.get("agents") or {}
    if not isinstance(given, Mapping) or not all(isinstance(each, Mapping) for each in given.values()):
        raise ValueError("agents must be an object of agents")
    skills = request.get("skills")
    return Brought(
        hooks=tuple(handlers(request.get("hooks"), wire)),
        agents=tuple(agent_from(name, fields, "sdk") for name, fields in given.items()),
        skills=tuple(map(str, skills)) if isinstance(skills, list) else None,
        forward_subagent_text=request.get("forwardSubagentText") is True,
        facts_first=request.get("excludeDynamicSections") is True,
    )


def payload(options: SessionOptions) -> Json:
    """What `get_server_info` returns."""
    style, found = "default", definitions.Definitions()
    try:
        chosen = settings.load(options.cwd.resolve(), options.env, options.settings)
        style = chosen.output_style
        found = definitions.load(
            options.cwd.resolve(), options.env, options.settings.sources, trusted=chosen.trust.trusted
        )
    except HarnessError:
        pass  # the session says it, as the result that it ends with
    commands = [
        {"name": name, "description": command.summary, "argumentHint": command.hint, "aliases": list(command.aliases)}
        for name, command in slash.COMMANDS.items()
    ]
    commands += [
        {"name": name, "description": command.description, "argumentHint": command.hint}
        for name, command in found.commands.items()
    ]
    agents = {agent.name: agent for agent in (*found.agents.values(), *options.agents)}
    model = options.model or options.env.get("OPENAI_MODEL") or "default"
    return {
        "commands": commands,
        "agents": [{"name": a.name, "description": a.description} for a in agents.values()],
        "output_style": style,
        "available_output_styles": sorted({"default", style}),
        "models": [{"value": model, "displayName": model, "description": "The model that this session began with"}],
        "account": {},
        "hooks_applied": True,
        "hook_on_failure_supported": True,
    }
