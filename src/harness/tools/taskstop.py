"""TaskStop: end a background job."""

from collections.abc import AsyncGenerator, Sequence
from pathlib import Path

from pydantic import Field

from harness.effects import Effect
from harness.errors import ToolError
from harness.jobs import found
from harness.tools.input import UNTOLD, ToolInput
from harness.tools.tool import Context, Output, Tool


class TaskStopInput(ToolInput):
    task_id: str | None = Field(default=None, description="As Bash gave it")
    shell_id: str | None = Field(default=None, json_schema_extra=UNTOLD)  # its former name


def effects(args: TaskStopInput, cwd: Path) -> Sequence[Effect]:
    return ()


async def call(args: TaskStopInput, context: Context) -> AsyncGenerator[Output, None]:
    name = args.task_id or args.shell_id
    if not name:
        raise ToolError("task_id is missing.", "Give the id that Bash gave.")
    job = found(context.jobs, name)
    job.told = True
    ran = job.state == "running"
    if ran and context.jobs:
        await context.jobs.stop(job)
    data = {"message": f"{job.title} {job.ending}", "task_id": job.id, "task_type": "local_bash"}
    yield Output.text(f"{job.id} ({job.title}) {job.ending}." + ("" if ran else " It had ended before."), data=data)


TOOL = Tool(
    name="TaskStop",
    description="Stop a background command.",
    input=TaskStopInput,
    effects=effects,
    call=call,
)
