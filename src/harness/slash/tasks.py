"""/tasks: list the background jobs, or stop one."""

from collections.abc import AsyncGenerator

from harness.errors import UsageError
from harness.events import Event
from harness.session import Session


async def tasks(session: Session, argument: str) -> AsyncGenerator[Event | str, None]:
    jobs = session.background.jobs
    if jobs is None:
        yield "Background jobs are switched off (CLAUDE_CODE_DISABLE_BACKGROUND_TASKS)."
        return
    verb, _, name = argument.partition(" ")
    if verb not in {"", "stop"} or (verb == "stop") != bool(name.strip()):
        raise UsageError(f"/tasks {argument} is not understood.", "/tasks lists the jobs; /tasks stop ID stops one.")
    if name:
        job = jobs.get(name.strip())
        if job is None:
            raise UsageError(f"There is no background job {name.strip()!r}.", "/tasks lists them.")
        if job.state == "running":
            await jobs.stop(job)
        for event in session.background.news():
            yield event
        yield f"{job.id} {job.ending}  {job.title}"
        return
    for job in jobs:
        yield f"  {job.id} {job.ending}  {job.title}\n        {job.output}"
    if not list(jobs):
        yield "Nothing runs in the background."
