"""TaskOutput: what a background job has printed since it was last looked at, and how it stands."""

import os
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path

import anyio
from pydantic import Field

from harness.effects import Effect
from harness.jobs import Job, found
from harness.tools.input import ToolInput
from harness.tools.tool import Context, Output, Tool

LIMIT = 30_000  # bytes of output in one result: the end counts
DEFAULT_MS, MAX_MS = 30_000, 600_000


class TaskOutputInput(ToolInput):
    task_id: str = Field(min_length=1, description="As Bash gave it")
    block: bool = Field(default=True, description="Wait for its end (true if not given)")
    timeout: int = Field(default=DEFAULT_MS, ge=0, description=f"How long, in ms (at most {MAX_MS})")


def effects(args: TaskOutputInput, cwd: Path) -> Sequence[Effect]:
    return ()


async def call(args: TaskOutputInput, context: Context) -> AsyncGenerator[Output, None]:
    job = found(context.jobs, args.task_id)
    if args.block:
        with anyio.move_on_after(min(args.timeout, MAX_MS) / 1000):
            await job.over.wait()
    job.told = job.told or job.state != "running"
    status = f"{job.id} ({job.title}) {job.ending}."
    printed = await anyio.to_thread.run_sync(_printed, job)
    notes = job.finished.notes if job.finished else ()
    code = job.finished.exit_code if job.finished else None
    data = {"task_id": job.id, "status": job.state, "output": printed, "output_file": str(job.output), "exitCode": code}
    yield Output.text("\n".join((status, printed or "(no new output)", *notes)), data={"task": data})


def _printed(job: Job) -> str:
    """What came since the last time; of very much, the end."""
    try:
        with job.output.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            start = max(job.read, size - LIMIT)
            file.seek(start)
            data = file.read(size - start)
    except OSError as error:
        return f"(its output cannot be read: {error.strerror})"
    skipped, job.read = start - job.read, size
    head = f"[... {skipped:,} bytes before this: {job.output} ...]\n" if skipped else ""
    return head + data.decode(errors="replace").rstrip("\n")


TOOL = Tool(
    name="TaskOutput",
    description="New output and state of a background command. You are told of its end anyway: no need to poll.",
    input=TaskOutputInput,
    effects=effects,
    call=call,
)
