"""Keeps a conversation within its window: before each request, by request, and when a server refuses one."""

import time
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from uuid import uuid4

from anyio.abc import TaskGroup

from harness.context.budget import Budget, Wanted, budget
from harness.context.fold import boundary, folded, moved, replaced
from harness.context.ledger import Ledger, survivors
from harness.context.tail import halved, kept, unseen
from harness.errors import HarnessError, ProviderError
from harness.events import Event, Notice, System
from harness.messages import Assistant, HistoryMessage, Usage
from harness.mux import Mux
from harness.providers.port import MessageEnd, ModelEvent, Provider, Request
from harness.request import Interrupt, answer, heartbeat

if TYPE_CHECKING:
    from harness.context.account import Account

Trigger = Literal["micro", "auto", "manual"]
TRIES = 2  # summaries that the model may write before we go on without one
HALVINGS = 4
_TAIL = 0.25  # of the trigger: what stays word for word
_FRESH = 0.2  # of the trigger: results that the model has not seen yet, where a compaction follows
_BATCH = 0.12  # of the trigger: stale results worth a rewriting
_ENOUGH = 0.8  # of the trigger: a compaction that leaves more than this would be needed again at once
_CHARACTERS = 4  # to a token


class CannotFit(HarnessError):
    """What must stay does not fit the window; `reason` is the terminal reason of the turn."""

    def __init__(self, what: str, mend: str, reason: str) -> None:
        super().__init__(what, mend)
        self.reason = reason


@dataclass(slots=True)
class Keeper:
    """`open_todos`, `memory` and `in_work` say what is so now: todos, standing instructions, files being worked on.

    `before` is asked before each compaction: it yields events, and a text where it forbids it; `after` is told.
    `spent` is told of each request that is made for one. `move` keeps a stale result's text and says in which file, ''
    where it cannot.
    """

    tasks: TaskGroup
    provider: Provider
    interrupt: Interrupt
    wanted: Wanted
    results: Path
    todos: Callable[[], Sequence[dict[str, Any]]] = lambda: ()
    memory: Callable[[], str] = lambda: ""
    facts: Callable[[], str] = lambda: ""  # the session's, which the first message told
    in_work: Callable[[int], str] = lambda _room: ""
    before: Callable[[Trigger, str], AsyncGenerator[Event | str, None]] | None = None
    after: Callable[[Trigger, str], AsyncGenerator[Event, None]] | None = None
    spent: Callable[[str, Usage | None, float | None], None] = lambda _model, _usage, _cost: None
    heartbeat: float = 5.0
    move: Callable[[str], str] | None = None  # None: below `results`
    _saved: int = field(default=0, init=False)

    @property
    def budget(self) -> Budget | None:
        return budget(self.provider.model, self.wanted)

    def account(self, request: Request) -> "Account":
        """What the request holds, by category."""
        from harness.context.account import account  # noqa: PLC0415  when the work is done, or for who wants to look

        return account(self.provider, request, self.budget, self.memory())

    async def fit(self, request: Request, ledger: Ledger) -> AsyncGenerator[Event | list[HistoryMessage], None]:
        """Make the next request fit. Yields events, and the new history right after the event that tells of it.

        Raises:
            CannotFit: it cannot be made to.
        """
        if told := await self.provider.ready():
            yield Notice(level=told.level, cause=told.cause, text=told.text, mend=told.mend)
        limits = self.budget
        if limits is None or self.provider.estimate(request) <= limits.micro:
            return
        messages = list(request.messages)
        for find in (self._unseen, self._stale):
            before = self.provider.estimate(_with(request, messages))
            if texts := find(messages, limits, before):
                messages = replaced(messages, texts)
                after = self.provider.estimate(_with(request, messages))
                yield _boundary("micro", before, after, moved(texts))
                yield messages
        if self.wanted.auto and self.provider.estimate(_with(request, messages)) > limits.trigger:
            async for item in self.compact(_with(request, messages), ledger, "auto"):
                yield item

    async def compact(
        self, request: Request, ledger: Ledger, trigger: Trigger, focus: str = ""
    ) -> AsyncGenerator[Event | list[HistoryMessage], None]:
        """Let a summary take the place of all but the last exchanges. See `fit`."""
        limits = self.budget or Budget(1 << 17, 1 << 13, 1 << 16)
        async for item in self.before(trigger, focus) if self.before else _nothing():
            if isinstance(item, str):
                yield Notice(level="warning", cause="compaction", text=f"Not compacted: {item}")
                return
            yield item
        before = self.provider.estimate(request)
        yield System(subtype="status", data={"status": "compacting"})
        room = min(limits.trigger // 4, 4000)
        text, why = "", ""
        async for item in self._summary(request, limits, focus, room, ledger):
            if isinstance(item, tuple):
                text, why = item
            else:
                yield item
        yield System(subtype="status", data={"status": None})
        if self.interrupt.requested:
            return
        if not text:
            yield Notice(
                level="warning", cause="compaction", text=f"The model gave no usable summary ({why}); ours stands in."
            )
            from harness.context import summary  # noqa: PLC0415  seldom needed

            text = summary.stand_in(request.messages, ledger, room * _CHARACTERS)
        texts, count = self._texts(text, ledger, limits, ours=bool(why)), self._tail(request, limits)
        history = folded(request.messages, boundary(texts, count))
        after = self.provider.estimate(_with(request, history))
        if after >= min(limits.usable, before) or (trigger == "auto" and after > limits.trigger * _ENOUGH):
            count = 0  # even the last exchange is too much: the summary has to do
            history = folded(request.messages, boundary(texts, count))
            after = self.provider.estimate(_with(request, history))
        if after >= limits.usable:
            raise CannotFit(
                f"The conversation cannot be made to fit: after compaction it still takes {after:,} of "
                f"{limits.usable:,} usable tokens.",
                "Shorten the standing instructions (/memory), offer fewer tools, or use a model with a larger window.",
                "prompt_too_long",
            )
        if trigger == "auto" and after > limits.trigger * _ENOUGH:
            raise CannotFit(
                f"Compaction freed too little: {after:,} of {before:,} tokens stay; {limits.trigger:,} are too many.",
                "Shorten the standing instructions (/memory) or use a larger window.",
                "rapid_refill_breaker",
            )
        if trigger == "manual" and after >= before:
            text = f"Not compacted: {before:,} tokens would become {after:,}."
            yield Notice(level="warning", cause="compaction", text=text)
            return
        yield _boundary(trigger, before, after, boundary(texts, count, focus))
        yield history
        async for told in self.after(trigger, text) if self.after else _nothing():
            yield told

    def preview(self, request: Request, ledger: Ledger) -> str:
        """What a compaction would keep besides the model's summary."""
        limits = self.budget or Budget(1 << 17, 1 << 13, 1 << 16)
        count = self._tail(request, limits)
        head = f"The last {count} of {len(request.messages)} messages would stay word for word, and of the rest:"
        return "\n\n".join([head, *self._texts("(the model's summary)", ledger, limits)])

    # ---- the summary

    async def _summary(
        self, request: Request, limits: Budget, focus: str, room: int, ledger: Ledger
    ) -> AsyncGenerator[Event | tuple[str, str], None]:
        """Events, and at last the summary and, where it is '', why there is none."""
        from harness.context import summary  # noqa: PLC0415  with the first compaction

        messages: list[HistoryMessage] = list(request.messages)
        open_todos = [str(todo.get("content", "")) for todo in self.todos() if todo.get("status") != "completed"]
        tries = halvings = 0
        complaint = ""
        while tries < TRIES and halvings <= HALVINGS and messages:
            record = self._record(ledger, limits) if halvings else ""
            asked = _with(request, [*messages, summary.instruction(room, focus, complaint, record)])
            if self.provider.estimate(asked) > limits.window - room:
                messages, halvings = halved(messages), halvings + 1
                continue
            reply: Assistant | None = None
            try:
                free = limits.window - self.provider.estimate(asked)
                async for item in self._ask(asked, min(room * 2, free)):
                    if isinstance(item, Assistant):
                        reply = item
                    else:
                        yield item
            except ProviderError as error:
                complaint = error.what
                if error.kind != "overflow":
                    break
                messages, halvings = halved(messages), halvings + 1
                continue
            tries += 1
            if reply is None:
                break
            complaint = summary.problem(reply, open_todos, room * 3)
            if not complaint:
                yield reply.text.strip(), ""
                return
        yield "", complaint or ("it did not answer" if tries else "the conversation is too long to be asked about")

    async def _ask(self, request: Request, room: int) -> AsyncGenerator[Event | Assistant, None]:
        began = time.monotonic()
        asked = Request(uuid4().hex, request.system, request.messages, request.tools, room, side=True)
        async with Mux[Event | ModelEvent](self.tasks) as mux:
            self.interrupt.attach(mux.interrupt)
            try:
                mux.add(answer(self.provider, asked), paced=False)
                beat = mux.add(heartbeat("compaction", began, self.heartbeat))
                async for item in mux:
                    if isinstance(item, MessageEnd):
                        beat.drop()
                        self.spent(item.message.model, item.message.usage, item.cost)
                        yield item.message
                    elif isinstance(item, Notice) or getattr(item, "type", "") == "progress":
                        yield item  # type: ignore[misc]  # an event by its tag
            finally:
                self.interrupt.attach(None)

    def _tail(self, request: Request, limits: Budget) -> int:
        """How many of the last messages stay word for word: what the model has not seen yet does, if it can."""
        return max(kept(request.messages, limits.trigger * _TAIL), unseen(request.messages))

    def _texts(self, text: str, ledger: Ledger, limits: Budget, *, ours: bool = False) -> list[str]:
        """What the compacted conversation begins with: instructions, our own record, the summary, files in work.

        `ours`: the model has not written the summary."""
        from harness.context import summary  # noqa: PLC0415  with the first compaction

        whose = summary.OURS if ours else summary.THEIRS
        body = (
            "<compacted>\nThe conversation before this was compacted; go on from here without mentioning it.\n\n"
            f"{self._record(ledger, limits)}\n\n{whose}\n{text}\n</compacted>"
        )
        parts = [self.memory(), body, self.in_work(_part(limits)), self.facts()]
        return [part for part in parts if part]

    def _record(self, ledger: Ledger, limits: Budget) -> str:
        return survivors(ledger, self.todos(), _part(limits))

    # ---- results that are too much

    def _unseen(self, messages: Sequence[HistoryMessage], limits: Budget, taken: int) -> dict[int, str]:
        """New ones, cut to what fits beside the rest, or to what the next compaction leaves as it is."""
        most = limits.trigger if self.wanted.auto else limits.usable
        if taken <= most:
            return {}
        from harness.context import fresh  # noqa: PLC0415  seldom needed

        room = max(most - (taken - fresh.weight(messages)), limits.trigger * _FRESH)
        cuts = ((cut, (self.move or self._kept)(cut.result.text)) for cut in fresh.oversized(messages, room))
        return {cut.index: fresh.shortened(cut, place) for cut, place in cuts if place}

    def _stale(self, messages: Sequence[HistoryMessage], limits: Budget, _taken: int) -> dict[int, str]:
        from harness.context import micro  # noqa: PLC0415  with the first long conversation

        found = list(micro.stale(messages))
        if sum(each.saving for each in found) < limits.trigger * _BATCH:
            return {}
        texts: dict[int, str] = {}
        for each in found:
            if place := (self.move or self._kept)(each.result.text):
                texts[each.index] = micro.digest(each, place)
        return texts

    def _kept(self, text: str) -> str:
        """The file that has the result's text now; '' where it could not be written: then the result stays."""
        self._saved += 1
        path = self.results / f"moved-{uuid4().hex[:8]}-{self._saved}.txt"
        try:
            self.results.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.write_text(text, "utf-8", "backslashreplace")
        except OSError:
            return ""
        return str(path)


def _part(limits: Budget) -> int:
    """Characters of what is ours in a compacted conversation: of the record, and of the files in work."""
    return limits.trigger * _CHARACTERS // 5


async def _nothing() -> AsyncGenerator[Any, None]:
    return
    yield


def _with(request: Request, messages: Sequence[HistoryMessage]) -> Request:
    return Request(request.id, request.system, messages, request.tools, request.max_output)


def _boundary(trigger: Trigger, before: int, after: int, fold: dict[str, Any]) -> System:
    data = {"compact_metadata": {"trigger": trigger, "pre_tokens": before, "post_tokens": after}}
    return System(subtype="compact_boundary", data=data, fold=fold)
