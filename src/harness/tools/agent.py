"""Agent: a task for a sub-agent, which works in a context of its own and answers with its result."""

from collections.abc import Sequence
from contextlib import aclosing
from pathlib import Path

from pydantic import Field

from harness.effects import Effect
from harness.errors import ToolError
from harness.tools.input import UNTOLD, ToolInput
from harness.tools.tool import Context, Stream, Tool


class AgentInput(ToolInput):
    description: str = Field(description="The task, in three to five words")
    prompt: str = Field(min_length=1, description="The task, and all that it must know")
    subagent_type: str | None = Field(None, description="Which agent (default general-purpose)")
    model: str | None = Field(None, description="Another model than the agent's own")
    run_in_background: bool = Field(False, json_schema_extra=UNTOLD)


def effects(args: AgentInput, cwd: Path) -> Sequence[Effect]:
    return ()  # what it does, each call of its own declares


async def call(args: AgentInput, context: Context) -> Stream:
    if context.spawn is None:
        raise ToolError("No further sub-agent can be started here.", "Do the task yourself.")
    async with aclosing(context.spawn(args)) as stream:
        async for item in stream:
            yield item


TOOL = Tool(
    name="Agent",
    description=(
        "Give a task to a sub-agent with a context of its own; its last message is the result. "
        "For searches and side tasks whose details you do not need. Several may run at once."
    ),
    input=AgentInput,
    effects=effects,
    call=call,
    parallel=True,
)
