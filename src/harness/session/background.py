"""A session's background jobs as its surfaces see them: what is told of them is kept before it is shown."""

from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import aclosing
from functools import partial

from anyio.abc import TaskGroup

from harness import contacts
from harness.events import Event
from harness.jobs import Job, Jobs
from harness.messages import Mode
from harness.mux import aside
from harness.options import SessionOptions


class Background:
    """`jobs` is None where CLAUDE_CODE_DISABLE_BACKGROUND_TASKS switches them off."""

    def __init__(
        self, options: SessionOptions, tasks: TaskGroup, mode: Callable[[], Mode], kept: Callable[[Event], Event]
    ) -> None:
        self._kept = kept
        self.jobs: Jobs | None = None
        if options.env.get("CLAUDE_CODE_DISABLE_BACKGROUND_TASKS", "") in {"", "0", "false"}:
            asked = lambda contact: contacts.question(contact, mode())  # noqa: E731
            self.jobs = Jobs(partial(aside, tasks), asked, outlast=options.interactive or options.served)

    def news(self) -> Iterator[Event]:
        """What happened since this was last asked."""
        yield from map(self._kept, self.jobs.news() if self.jobs else ())

    async def watch(self) -> AsyncGenerator[Event, None]:
        """The same as it comes, until `unwatch`: for a surface that waits."""
        if self.jobs:
            async with aclosing(self.jobs.watch()) as events:
                async for event in events:
                    yield self._kept(event)

    def standing(self) -> str:
        """What runs now, for a conversation that was compacted."""
        lines = [f"{job.id} ({job.title}), output in {job.output}" for job in (self.jobs.running if self.jobs else ())]
        return "\n".join(("<background-jobs>", *lines, "</background-jobs>\n\n")) if lines else ""

    def unwatch(self) -> None:
        """Let `watch` end, once all is said."""
        if self.jobs:
            self.jobs.unwatch()

    async def leave(self, patience: float = 0.0) -> Sequence[Job]:
        """Let what runs end by itself, that many seconds, and stop the rest; those that had to be stopped."""
        return await self.jobs.leave(patience) if self.jobs else ()
