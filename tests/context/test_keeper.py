"""The keeper with a model that may fail in every way: any history, any window: what is sent is paired and fits, or a
typed error says why not."""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import anyio
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from harness.context.account import cost
from harness.context.budget import Wanted
from harness.context.fold import folded
from harness.context.keeper import CannotFit, Keeper
from harness.context.ledger import Ledger
from harness.context.tail import pairs_hold
from harness.errors import ProviderError
from harness.events import Event, Notice, System
from harness.messages import Assistant, HistoryMessage, Text, ToolCall
from harness.providers.port import MessageEnd, Model, ModelEvent, Request
from harness.providers.tokens import tokens
from harness.request import Interrupt
from tests.context.test_parts import GOOD, asked, histories, result, said

# How a model answers the wish for a summary.
ANSWERS: dict[str, Assistant | ProviderError] = {
    "good": Assistant("s", (Text(GOOD),)),
    "empty": Assistant("s", ()),
    "no headings": Assistant("s", (Text("I have done much."),)),
    "endless": Assistant("s", (Text(GOOD + "\n" + "and so on " * 4000),)),
    "cut off": Assistant("s", (Text(GOOD.partition("## Next")[0]),), "max_tokens"),
    "calls": Assistant("s", (ToolCall("x", "Bash", "{}", {}),), "tool_use"),
    "says it is done": Assistant("s", (Text(GOOD + "\n- [x] Write docs"),)),
    "overflow": ProviderError("overflow", "too long", ""),
    "overloaded": ProviderError("overloaded", "busy", ""),
}


@dataclass
class FailingModel:
    """A model that counts every token and takes no request which its window does not hold."""

    window: int
    answers: list[str]
    asked: list[Request] = field(default_factory=list)
    refused: int = 0
    only_offered = priced = False

    @property
    def model(self) -> Model:
        return Model("m", "http://m", self.window)

    def estimate(self, request: Request) -> int:
        return round(tokens(request.system) + sum(map(cost, request.messages)))

    async def ready(self) -> None: ...

    def weigh(self, request: Request) -> Sequence[float]:
        return [cost(message) for message in request.messages]

    async def stream(self, request: Request) -> AsyncGenerator[ModelEvent, None]:
        self.asked.append(request)
        answer = ANSWERS[self.answers.pop(0)] if self.answers else ANSWERS["good"]
        if self.estimate(request) > self.window:
            self.refused += 1
            raise ProviderError("overflow", "too long", "")
        if isinstance(answer, ProviderError):
            raise answer
        yield MessageEnd(answer)

    async def aclose(self) -> None: ...


@dataclass
class Fitted:
    messages: list[HistoryMessage]
    events: list[Event]
    error: CannotFit | None
    provider: FailingModel
    results: list[str]


def fit(
    messages: list[HistoryMessage], provider: FailingModel, *, memory: str = "", block: str = "", share: float = 0.8
) -> Fitted:
    """Make the next request fit, and fold the journaled events over the history beside it: both must come to one."""

    async def before(_trigger: str, _focus: str) -> AsyncGenerator[Event | str, None]:
        if block:
            yield block

    async def run() -> Fitted:
        done = Fitted(messages, [], None, provider, [])
        journaled = messages
        with TemporaryDirectory() as results:
            async with anyio.create_task_group() as tasks:
                keeper = Keeper(
                    tasks,
                    provider,
                    Interrupt(),
                    Wanted(share=share),
                    Path(results),
                    todos=lambda: [{"content": "Write docs", "status": "pending"}],
                    memory=lambda: memory,
                    before=before,
                )
                try:
                    async for item in keeper.fit(Request("r", "system", messages), Ledger.of(messages)):
                        if isinstance(item, list):
                            done.messages = item
                        else:
                            done.events.append(item)
                            if isinstance(item, System) and item.fold:
                                journaled = folded(journaled, item.fold)
                except CannotFit as error:
                    done.error = error
            done.results = [file.read_text() for file in sorted(Path(results).iterdir())]
        assert journaled == done.messages, "what the file says is what is sent"
        return done

    return anyio.run(run)


def long_task(calls: int, size: int) -> list[HistoryMessage]:
    made: list[HistoryMessage] = [said("Do it all. Never touch vault.txt.")]
    for number in range(calls):
        made += [asked(str(number), command=f"step {number}"), result(str(number), f"{number} " + "word " * size)]
    return made


tasks = st.builds(long_task, st.integers(1, 30), st.sampled_from([2, 100, 700, 3000]))
longer = st.builds(lambda *parts: [m for part in parts for m in part], histories(), tasks.map(lambda t: t[1:]))


@given(
    histories() | tasks | longer,
    st.integers(600, 40_000),
    st.lists(st.sampled_from(sorted(ANSWERS)), max_size=8),
    st.sampled_from(["", "A rule. " * 20, "A rule. " * 2000]),
    st.sampled_from([0.1, 0.5, 0.8, 0.95]),
)
@settings(max_examples=70)
@example(long_task(30, 3000), 2000, ["overflow"] * 8, "", 0.8)
@example(long_task(1, 20_000), 8000, ["endless", "endless"], "", 0.95)
def test_what_is_sent_is_paired_and_fits_or_an_error_says_why(
    messages: list[HistoryMessage], window: int, answers: list[str], memory: str, share: float
):
    provider = FailingModel(window, list(answers))
    done = fit(messages, provider, memory=memory, share=share)
    assert all(pairs_hold(request.messages) for request in provider.asked), "no summary is asked for with a torn pair"
    assert provider.refused == 0, "nothing is sent that we know to be too long"
    assert len(provider.asked) <= 7, "a model that fails is not asked for ever"
    assert pairs_hold(done.messages)
    if done.error is not None:
        assert done.error.reason in {"prompt_too_long", "rapid_refill_breaker"}
        assert done.error.mend
        return
    limits = window - window // 4
    assert provider.estimate(Request("r", "system", done.messages)) <= limits
    if any(isinstance(event, System) and "texts" in event.fold for event in done.events):
        text = "\n".join(message.text for message in done.messages[:1])
        assert "Write docs" in text, "open todos outlive every compaction"


def test_a_model_that_gives_no_summary_is_done_without():
    for answer in sorted(ANSWERS.keys() - {"good"}):
        done = fit(long_task(12, 700), FailingModel(12_000, [answer] * 9))
        assert done.error is None, answer
        stands_in = [event for event in done.events if isinstance(event, Notice) and event.cause == "compaction"]
        assert len(stands_in) == 1, answer
        assert "Never touch vault.txt" in done.messages[0].text


def test_one_bad_summary_is_asked_for_again_with_what_was_wrong():
    provider = FailingModel(12_000, ["says it is done", "good"])
    done = fit(long_task(12, 700), provider)
    assert len(provider.asked) == 2
    assert "'Write docs' is done, which is still open" in provider.asked[1].messages[-1].text
    assert not [event for event in done.events if isinstance(event, Notice)]


def test_a_hook_that_forbids_it_leaves_the_conversation_as_it_is():
    messages = long_task(12, 700)
    done = fit(messages, FailingModel(12_000, []), block="not now")
    assert done.messages == messages
    assert [event.text for event in done.events if isinstance(event, Notice)] == ["Not compacted: not now"]


@pytest.mark.parametrize("tries", range(3))
def test_what_is_moved_out_is_in_the_file_that_is_named(tries: int):
    old: list[Any] = [*long_task(8 + 3 * tries, 700), said("And now?")]
    done = fit(old, FailingModel(9000 + 3000 * tries, []))
    boundaries = [event for event in done.events if isinstance(event, System) and "moved" in event.fold]
    assert len(boundaries) == 1
    assert len(done.results) == len(boundaries[0].fold["moved"]) > 0
    assert set(done.results) <= {message.text for message in old}
