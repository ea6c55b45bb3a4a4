"""What stands in, in a session that is run again, for what cannot happen again: person, tools, broken connections."""

from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel

from harness.calls import Calls, ToolEnd, prepare
from harness.errors import ProviderError
from harness.events import Event
from harness.execute import execute
from harness.hooks.handler import Ran
from harness.hooks.verdict import Verdict
from harness.jobs import Jobs
from harness.messages import TextDelta, ToolCall
from harness.network.contact import Contact
from harness.providers.chat import ChatProvider
from harness.providers.port import Model, ModelEvent, Request, Told
from harness.request import Interrupt
from harness.rerun.difference import Difference
from harness.rerun.plan import Plan, Step, Turn
from harness.step import INTERRUPTED
from harness.tools.tool import Context, FileSeen, Output, Tool
from harness.turn import Spent

REALLY_RUN = frozenset({"TodoWrite", "ToolSearch", "StructuredOutput"})  # they only change what the session remembers


@dataclass(slots=True)
class Player:
    """The model's port: the real provider, with the window that the session knew, interrupted where it was.

    `step` is the one that is being asked for; None: the session was interrupted before it got a message.
    """

    inner: ChatProvider
    interrupt: Interrupt
    window: tuple[int | None, int | None] = (None, None)
    cuts: bool = False  # the answer that is coming was interrupted
    step: Step | None = None

    @property
    def model(self) -> Model:
        window, output = self.window
        return replace(self.inner.model, context_window=window, max_output=output)

    priced = False
    only_offered = False

    def estimate(self, request: Request) -> int:
        return self.inner.estimate(request)

    def weigh(self, request: Request) -> Sequence[float]:
        return self.inner.weigh(request)

    async def ready(self) -> Told | None:
        return None

    async def stream(self, request: Request) -> AsyncGenerator[ModelEvent, None]:
        """The answer; one that was interrupted ends where it did then, and the person's interrupt comes again."""
        if not self.cuts or request.side:
            async with aclosing(self.inner.stream(request)) as events:
                async for event in events:
                    yield event
            return
        left = len(self.step.message.text) if self.step else 0
        try:
            async with aclosing(self.inner.stream(request)) as events:
                async for event in events:
                    if isinstance(event, TextDelta):
                        yield TextDelta(event.text[:left])
                        left -= len(event.text)
                    if left <= 0:
                        break
        except ProviderError:
            pass  # what had come by then is all there is
        self.interrupt.request()
        await anyio.sleep_forever()

    async def aclose(self) -> None:
        await self.inner.aclose()


@dataclass(slots=True)
class Results:
    """Answers calls as the journal has them."""

    interrupt: Interrupt
    turn: Turn | None = None
    step: Step | None = None
    _open: set[str] = field(default_factory=set)  # results that are still to be told

    def begin(self, turn: Turn, step: Step | None) -> None:
        self.turn, self.step = turn, step
        self._open = {i for i, result in step.results.items() if result.text != INTERRUPTED} if step else set()

    async def execute(self, call: ToolCall, calls: Calls) -> AsyncGenerator[Event | Spent | ToolEnd, None]:
        """In place of `execute.execute`; calls that cannot be run are answered anew, by the code that is tested."""
        prepared = prepare(call, calls)
        if prepared.problem or prepared.call.name in REALLY_RUN:
            async with aclosing(execute(call, calls)) as events:
                async for event in events:
                    yield event
            return
        known = self._known(call)
        if known is None or self.step is None or self.turn is None:
            raise Difference(f"The model calls {call.name} ({call.id}), and the journal has no result of that call.")
        result = replace(self.step.results[known], call_id=call.id)
        self._open.discard(known)
        cause = self.turn.cause if self.step is self.turn.steps[-1] else ""
        refused = known in self.step.denied and cause == "permission"
        if refused or result.text == INTERRUPTED:
            while self._open:  # the others had their results before
                await anyio.lowlevel.checkpoint()
        if result.text == INTERRUPTED:
            self.interrupt.request()
            await anyio.sleep_forever()
        self._see(self.step, known, calls)
        halt = self.turn.reason if cause == "hook" and not self._open else None
        content = str(self.step.states[known].get("seen", ""))
        yield ToolEnd(result, "denied" if known in self.step.denied else "ran", refused, halt, content=content)

    def _known(self, call: ToolCall) -> str | None:
        """The id of the call's result; another server gives other ids to the same calls."""
        if self.step is None or call.id in self.step.results:
            return call.id if self.step else None
        alike = (old.id for old in self.step.message.calls if (old.name, old.input) == (call.name, call.input))
        return next((each for each in alike if each in self._open), None)

    def _see(self, step: Step, known: str, calls: Calls) -> None:
        seen = step.states[known].get("seen")
        for name, of in seen.items() if isinstance(seen, dict) else ():
            match of:
                case [str(digest), bool(whole), int(upto)]:
                    calls.context.seen[Path(name)] = FileSeen(digest.encode(), whole, upto)


@dataclass(slots=True)
class Feeds:
    """What compactions found on the disk, as their texts have it."""

    plan: Plan
    compactions: int = 0  # so far
    moves: int = 0
    ended: list[str] = field(default_factory=list)  # background jobs, since the model was last told
    step: Step | None = None  # that was asked for last

    def memory(self) -> str:
        return self._text("<memory>\n")

    def facts(self) -> str:
        return self._text("<environment>\n")

    def in_work(self, _room: int) -> str:
        return self._text("<files>\n")

    def move(self, _text: str) -> str:
        self.moves += 1
        return self.plan.moved[self.moves - 1] if self.moves <= len(self.plan.moved) else "(not recorded)"

    async def stop(self, _given: Mapping[str, Any], _call: str | None) -> Ran:
        """In place of all Stop hooks."""
        return Ran(Verdict(block=self.step.sent_back if self.step else None))

    def _text(self, beginning: str) -> str:
        known = self.plan.texts[self.compactions] if self.compactions < len(self.plan.texts) else []
        return next((text for text in known if text.startswith(beginning)), "")


class Ended(Jobs):
    """Background jobs of which nothing is there but what the model was told of their ends."""

    def __init__(self, feeds: Feeds) -> None:
        super().__init__(lambda _work: None, _no_question)
        self._feeds = feeds

    def endings(self) -> Iterator[str]:
        while self._feeds.ended:
            yield self._feeds.ended.pop(0)


def _no_question(_contact: Contact) -> Event:
    raise AssertionError("no job of a replay reaches a host")


def stub(name: str) -> Tool:
    """A server's tool, which is never run: its results are in the journal."""
    from harness.tools.input import AnyInput  # noqa: PLC0415  few sessions have such tools

    async def call(_args: AnyInput, _context: Context) -> AsyncGenerator[Output, None]:
        yield Output.text("")

    return Tool(name=name, description="", input=AnyInput, effects=lambda _args, _cwd: (), call=call, parallel=False)


def same_answer(recorded: Step, made: list[ToolCall], text: str) -> str:
    """How an answer differs from the one in the journal; '' where it does not."""
    calls = [(call.name, call.input) for call in recorded.message.calls]
    if recorded.message.text != text:
        return f"it says {text[:200]!r}, and said {recorded.message.text[:200]!r}"
    now = [(call.name, call.input) for call in made]
    return "" if calls == now else f"it calls {now!r:.300}, and called {calls!r:.300}"
