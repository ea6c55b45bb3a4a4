"""`--agent NAME`: the session itself as an agent, with that agent's prompt, tools, model and mode.

A session that is gone on with is the same agent still, as that agent is defined now.
"""

from dataclasses import replace

from harness.definitions import Agent
from harness.definitions import load as load_definitions
from harness.errors import UsageError
from harness.messages import MODES
from harness.options import SessionOptions
from harness.session.builtin_agents import BUILTIN, builtin_prompt
from harness.settings import Settings


def as_agent(options: SessionOptions, chosen: Settings, *, again: bool = False) -> SessionOptions:
    """The options with what the agent says where they are silent. It forbids, and never allows. '' is no agent.

    `again`: nobody has asked for it now, the session was held as it.

    Raises:
        UsageError: there is no such agent. Without it the model would have what it was not to have.
    """
    if not options.agent:
        return options
    trusted = chosen.trust.trusted
    found = load_definitions(options.cwd.resolve(), options.env, options.customs, trusted=trusted, commands=False)
    known = {**BUILTIN, **found.agents, **{agent.name: agent for agent in options.agents}}
    if options.agent not in known:
        names = f"The agents are: {', '.join(known)}."
        if again:
            text = f"This session is held as the agent {options.agent}, and there is no such agent here any more."
            ways = "Define it (--agents, or a file), or go on as another (--agent NAME) or as none (--agent=)."
            raise UsageError(text, f"{ways} {names}")
        raise UsageError(f"--agent {options.agent}: there is no such agent.", names)
    agent = known[options.agent]
    limits, model = options.limits, None if agent.model == "inherit" else agent.model
    own = next((mode for mode in MODES if mode == agent.mode and mode != "bypassPermissions"), None)
    return replace(
        options,
        system_prompt=_prompt(agent) if options.system_prompt is None else options.system_prompt,
        tools=_tools(agent) if options.tools is None else options.tools,
        deny=(*options.deny, *agent.disallowed),
        model=options.model or model,
        mode=options.mode or own,
        limits=replace(limits, turns=agent.max_turns if limits.turns is None else limits.turns),
    )


def _prompt(agent: Agent) -> str:
    return builtin_prompt(agent.name) if agent.source == "builtin" else agent.prompt


def _tools(agent: Agent) -> tuple[str, ...] | None:
    """The built-in tools among an agent's; None for all."""
    if agent.tools is None or "*" in agent.tools:
        return None
    names = (name.partition("(")[0].strip() for name in agent.tools)
    return tuple("Agent" if name == "Task" else name for name in names)
