"""Commands in the background: each runs on when its call has been answered, and its end is told to the model with
the next request and to the person as an event. They end with the session, at the latest."""

import os
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import anyio

from harness.errors import HarnessError, ToolError
from harness.events import Event, System

if TYPE_CHECKING:  # loaded with the first command
    from harness.network.contact import Contact
    from harness.sandbox.outcome import Finished, Outlasts, Progress

State = Literal["running", "completed", "failed", "killed"]
Stream: TypeAlias = "AsyncGenerator[Progress | Contact | Outlasts | Finished, None]"
Start = Callable[[Callable[[], Coroutine[Any, Any, None]]], None]

LAST_LINES, LAST_WIDTH = 10, 200  # of its output, in the notification
_NOTIFIED = {"completed": "completed", "failed": "failed", "killed": "stopped"}  # as SDKs name it


@dataclass(slots=True)
class Job:
    """`output` is the file that gets all it prints. `problem`: why it could not run at all, or was ended by us.

    `told`: the model knows how it ended. `read` counts the bytes of the output that it was shown.
    """

    id: str
    command: str
    output: Path
    began: float
    description: str = ""
    call_id: str = ""
    state: State = "running"
    finished: "Finished | None" = None
    problem: str = ""
    told: bool = False
    read: int = 0
    elapsed: float = 0.0
    scope: anyio.CancelScope = field(default_factory=anyio.CancelScope)
    over: anyio.Event = field(default_factory=anyio.Event)

    @property
    def title(self) -> str:
        line = " ".join(self.command.split())
        return line if len(line) <= 80 else line[:79] + "…"

    @property
    def plain(self) -> dict[str, str]:
        """For hooks and programs."""
        return {"task_id": self.id, "task_type": "local_bash", "command": self.command, "status": self.state}

    @property
    def ending(self) -> str:
        """How it stands, in a few words."""
        if self.state == "running":
            return f"is running for {time.monotonic() - self.began:.0f} s"
        if self.state == "killed":
            return f"was stopped after {self.elapsed:.1f} s"
        if self.finished is None:
            return f"failed: {self.problem}"
        signal = f" (killed by {self.finished.signal})" if self.finished.signal else ""
        return f"has ended: exit status {self.finished.exit_code}{signal} after {self.elapsed:.1f} s"


class Jobs:
    """A session's jobs. `start` runs what nobody waits for (`mux.aside`); `asked` makes a question of a host that a
    job wants to reach. `outlast`: whether a command whose time is over becomes a job.
    """

    def __init__(self, start: Start, asked: "Callable[[Contact], Event]", *, outlast: bool = False) -> None:
        self._start, self._asked = start, asked
        self.outlast = outlast
        self._jobs: dict[str, Job] = {}
        self._events: deque[Event] = deque()
        self._news, self._unwatched = anyio.Event(), False

    def __iter__(self) -> Iterator[Job]:
        return iter(self._jobs.values())

    def get(self, name: str) -> Job | None:
        return self._jobs.get(name)

    @property
    def running(self) -> Sequence[Job]:
        return [job for job in self if job.state == "running"]

    def adopt(self, stream: Stream, so_far: "Outlasts", command: str, description: str, call_id: str) -> Job:
        """Go on with a command that outlasts its time, as a job."""
        name = self._name()
        job = Job(name, command, so_far.saved, time.monotonic() - so_far.elapsed, description, call_id)
        self._jobs[name] = job
        self._tell("task_started", job, description=description or job.title, task_type="local_bash", command=command)
        self._start(lambda: self._follow(job, stream))
        return job

    def _name(self) -> str:
        """No running number: in a session that is gone on with, it would be an earlier job's too."""
        while (name := f"b{os.urandom(2).hex()}") in self._jobs:
            pass
        return name

    async def _follow(self, job: Job, stream: Stream) -> None:
        from harness.network.contact import Contact  # noqa: PLC0415  there by now: a command has run
        from harness.sandbox.outcome import Finished  # noqa: PLC0415

        try:
            with job.scope:
                async with aclosing(stream):
                    async for item in stream:
                        if isinstance(item, Finished):
                            job.finished = item
                        elif isinstance(item, Contact) and not item.refused:
                            self._add(self._asked(item))
        except (HarnessError, OSError) as error:
            job.problem = str(error)
        finally:
            self._end(job)

    def _end(self, job: Job) -> None:
        job.elapsed = time.monotonic() - job.began
        if job.finished is None:
            job.state = "failed" if job.problem else "killed"
        else:
            job.state = "failed" if job.finished.exit_code else "completed"
        self._tell("task_updated", job, patch={"status": job.state})
        summary = f"{job.title} {job.ending}"
        status = _NOTIFIED[job.state]
        self._tell("task_notification", job, status=status, output_file=str(job.output), summary=summary)
        job.over.set()

    async def stop(self, job: Job) -> None:
        """Kill it and wait until nothing of it is left."""
        job.scope.cancel()
        await job.over.wait()

    async def leave(self, patience: float = 0.0) -> Sequence[Job]:
        """The session ends: wait for what ends by itself, that long, and stop the rest; those that were stopped."""
        with anyio.move_on_after(patience):
            for job in self.running:
                await job.over.wait()
        left = self.running
        for job in left:
            await self.stop(job)
        return left

    def endings(self) -> Iterator[str]:
        """What the model is to be told with its next request: how jobs ended that it does not know of. Once each."""
        for job in self:
            if job.state != "running" and not job.told:
                job.told = True
                yield notification(job)

    def news(self) -> Iterator[Event]:
        """What happened since this was last asked, for whoever watches."""
        while self._events:
            yield self._events.popleft()

    async def watch(self) -> AsyncGenerator[Event, None]:
        """`news`, as they come, until `unwatch`."""
        while True:
            for event in self.news():
                yield event
            if self._unwatched:
                return
            self._news = anyio.Event()
            await self._news.wait()

    def unwatch(self) -> None:
        self._unwatched = True
        self._news.set()

    def _tell(self, subtype: Any, job: Job, **data: Any) -> None:
        call = {"tool_use_id": job.call_id} if job.call_id else {}
        self._add(System(subtype=subtype, data={"task_id": job.id, **call, **data}))

    def _add(self, event: Event) -> None:
        self._events.append(event)
        self._news.set()


def found(jobs: Jobs | None, name: str) -> Job:
    """The job of that id. Raises ToolError, which names those that there are."""
    if jobs is None:
        raise ToolError("Nothing runs in the background: it is switched off here.", "Run commands in the foreground.")
    job = jobs.get(name)
    if job is None:
        known = "; ".join(f"{job.id} ({job.title}) {job.ending}" for job in jobs)
        raise ToolError(f"There is no background job {name!r}.", f"There are: {known}." if known else "None has begun.")
    return job


def notification(job: Job) -> str:
    """For the model: which, how, and the end of what it printed. The output is data: it cannot close the element."""
    printed = job.finished.output.rstrip("\n").splitlines() if job.finished else []
    shown = [line[:LAST_WIDTH] for line in printed[-LAST_LINES:]]
    head = f"Background job {job.id} ({job.title}) {job.ending}."
    lines = [head if job.finished and shown == printed else f"{head} Output: {job.output}", *shown]
    if job.finished:
        lines += job.finished.notes
    text = "\n".join(lines).replace("</task-notification", "</ task-notification")
    return f"<task-notification>\n{text}\n</task-notification>"
