"""ToolSearch: the tools that are there and not in the request, so that a request is small."""

import json
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path

from pydantic import Field

from harness.effects import Effect
from harness.tools.input import ToolInput
from harness.tools.tool import Context, Output, Tool


class ToolSearchInput(ToolInput):
    query: str = Field(min_length=1, description="Words, or select:NAME,NAME")
    max_results: int = Field(default=5, ge=1, le=20)


def effects(args: ToolSearchInput, cwd: Path) -> Sequence[Effect]:
    return ()


async def call(args: ToolSearchInput, context: Context) -> AsyncGenerator[Output, None]:
    found = context.search(args.query, args.max_results)
    names = [spec["function"]["name"] for spec in found]
    if not found:
        text = "No further tool fits. Use those you have, or other words."
    else:
        lines = [json.dumps(spec["function"], ensure_ascii=False) for spec in found]
        text = "These can be called from now on:\n" + "\n".join(lines)
    yield Output.text(text, data={"matches": names, "query": args.query})


TOOL = Tool(
    name="ToolSearch",
    description="Find more tools, servers' tools too, by words.",
    input=ToolSearchInput,
    effects=effects,
    call=call,
)
