"""Merging sources: order, errors, and that nothing outlives the block, however it is left."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

import anyio
import pytest
from anyio.abc import TaskGroup
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.mux import Mux


class Source:
    """Yields `steps` as they are; a float is slept. `state` tells where it is."""

    def __init__(self, *steps: object, error: BaseException | None = None) -> None:
        self.steps, self.error, self.state = steps, error, "new"

    async def run(self) -> AsyncGenerator[object, None]:
        self.state = "running"
        try:
            for step in self.steps:
                if isinstance(step, float):
                    await anyio.sleep(step)
                else:
                    yield step
            if self.error:
                raise self.error
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.sleep(0)  # cleaning up takes time
            self.state = "ended"


async def merged(tasks: TaskGroup, *sources: Source, into: list[object]) -> None:
    async with Mux[object](tasks) as mux:
        for source in sources:
            mux.add(source.run())
        async for item in mux:
            into.append(item)  # noqa: PERF401  what came before an error must be in


@given(st.lists(st.lists(st.integers() | st.floats(0, 0.001), max_size=6), max_size=5))
@settings(max_examples=30)
def test_everything_arrives_and_in_the_order_of_its_source(sent):
    async def together():
        async with anyio.create_task_group() as tasks, Mux[object](tasks) as mux:
            for number, steps in enumerate(sent):
                mux.add(Source(*(s if isinstance(s, float) else (number, s) for s in steps)).run())
            return [item async for item in mux]

    arrived = anyio.run(together)
    for number, steps in enumerate(sent):
        assert [item for n, item in arrived if n == number] == [s for s in steps if not isinstance(s, float)]
    assert len(arrived) == sum(not isinstance(s, float) for steps in sent for s in steps)


async def test_a_source_added_while_others_run_is_merged():
    async with anyio.create_task_group() as tasks, Mux[object](tasks) as mux:
        mux.add(Source("a", 0.01, "c").run())
        seen = []
        async for item in mux:
            seen.append(item)
            if item == "a":
                mux.add(Source("b").run())
    assert seen == ["a", "b", "c"]


async def test_breaking_off_ends_every_source_before_the_block_is_left():
    sources = [Source("a", 60.0), Source(60.0), Source(*"bcdef")]
    async with anyio.create_task_group() as tasks:
        async with Mux[object](tasks) as mux:
            for source in sources:
                mux.add(source.run())
            async for _ in mux:
                await anyio.sleep(0.01)
                break
        assert [source.state for source in sources] == ["ended"] * 3


async def test_an_error_reaches_the_consumer_and_ends_the_others():
    other = Source("a", 60.0)
    async with anyio.create_task_group() as tasks:
        with pytest.raises(ValueError, match="broken"):
            await merged(tasks, other, Source(0.01, error=ValueError("broken")), into=[])
        assert other.state == "ended"


async def test_what_came_before_an_error_arrives():
    seen: list[object] = []
    async with anyio.create_task_group() as tasks:
        with pytest.raises(ValueError, match="late"):
            await merged(tasks, Source(1, 2, error=ValueError("late")), into=seen)
    assert seen == [1, 2]


async def test_interrupt_ends_iteration_as_if_all_had_finished():
    source = Source("a", 60.0, "b")
    async with anyio.create_task_group() as tasks, Mux[object](tasks) as mux:
        mux.add(source.run())
        tasks.start_soon(later, mux.interrupt)
        assert [item async for item in mux] == ["a"]
        assert source.state == "ended"
        assert mux.interrupted


async def later(act):
    await anyio.sleep(0.01)
    act()


async def test_after_an_interrupt_nothing_new_starts():
    late = Source("b")
    async with anyio.create_task_group() as tasks, Mux[object](tasks) as mux:
        mux.add(Source("a").run())
        mux.interrupt()
        mux.add(late.run())
        assert [item async for item in mux] == []
    assert late.state == "new"


async def test_cancelling_one_source_leaves_the_others():
    async with anyio.create_task_group() as tasks, Mux[object](tasks) as mux:
        source = mux.add(Source(60.0, "never").run())
        mux.add(Source("a", 0.01, "b").run())
        seen = []
        async for item in mux:
            source.drop()
            seen.append(item)
    assert seen == ["a", "b"]


@given(st.integers(0, 12))
@settings(max_examples=13)
def test_a_cancelled_source_says_nothing_more(turns):
    """Also where it was already waiting to hand its next item over, at whatever moment."""

    async def late_items():
        async with anyio.create_task_group() as tasks, Mux[object](tasks) as mux:
            source = mux.add(Source(*["cancelled"] * 50).run())
            mux.add(Source(*["other"] * 50).run())
            seen = []
            async for item in mux:
                if source.dropped:
                    seen.append(item)
                elif item == "other":
                    for _ in range(turns):
                        await asyncio.sleep(0)
                    source.drop()
            return seen

    assert set(anyio.run(late_items)) == {"other"}


async def test_cancel_from_outside_leaves_nothing_running():
    sources = [Source("a", 60.0), Source(60.0)]

    async def consume():
        async with anyio.create_task_group() as tasks, Mux[object](tasks) as mux:
            for source in sources:
                mux.add(source.run())
            async for _ in mux:
                pass

    with anyio.move_on_after(0.02) as scope:
        await consume()
    assert scope.cancelled_caught
    assert [source.state for source in sources] == ["ended"] * 2


async def test_cancel_before_the_pumps_have_begun_does_not_hang():
    source = Source("a")
    with anyio.move_on_after(5) as scope:
        async with anyio.create_task_group() as tasks, Mux[object](tasks) as mux:
            mux.add(source.run())
            tasks.cancel_scope.cancel()
            await anyio.sleep(0)
    assert not scope.cancelled_caught
    assert source.state in {"new", "ended"}


async def test_a_native_cancel_of_the_consumer_leaves_nothing_running():
    source = Source("a", 60.0)

    async def consume():
        async with anyio.create_task_group() as tasks, Mux[object](tasks) as mux:
            mux.add(source.run())
            async for _ in mux:
                pass

    task = asyncio.create_task(consume())
    await asyncio.sleep(0.02)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert source.state == "ended"


async def test_closing_a_generator_that_consumes_ends_the_sources():
    source = Source("a", 60.0)
    async with anyio.create_task_group() as tasks:

        async def turn():
            async with Mux[object](tasks) as mux:
                mux.add(source.run())
                async for item in mux:
                    yield item

        async with aclosing(turn()) as items:
            assert await anext(items) == "a"
        assert source.state == "ended"


async def test_a_mux_without_sources_ends_at_once():
    async with anyio.create_task_group() as tasks, Mux[object](tasks) as mux:
        assert [item async for item in mux] == []


async def test_a_paced_source_acts_only_after_its_item_was_dealt_with():
    log: list[str] = []

    async def decides():
        yield "decision"
        log.append("acted")
        yield "end"

    async with anyio.create_task_group() as tasks, Mux[str](tasks) as mux:
        mux.add(decides())
        async for item in mux:
            await anyio.sleep(0.01)
            log.append(f"wrote {item}")
    assert log == ["wrote decision", "acted", "wrote end"]


async def test_a_source_that_only_speaks_runs_ahead():
    log: list[int] = []

    async def speaks():
        for number in range(20):
            log.append(number)
            yield number

    async with anyio.create_task_group() as tasks, Mux[int](tasks) as mux:
        mux.add(speaks(), paced=False)
        async for _ in mux:
            assert len(log) == 20
            break


async def test_a_consumer_cancelled_as_the_last_source_ends_does_not_wait_for_ever():
    async def consume():
        async with anyio.create_task_group() as tasks, Mux[object](tasks) as mux:
            mux.add(ends_at_once())
            async for _ in mux:
                pass

    async def ends_at_once():
        await anyio.sleep(0.01)
        asyncio.get_running_loop().call_soon(consumer.cancel)
        nothing: list[object] = []
        for item in nothing:
            yield item

    consumer = asyncio.create_task(consume())
    done, _ = await asyncio.wait([consumer], timeout=2)
    assert done == {consumer}


async def test_sources_that_all_wait_for_room_all_go_on():
    async with anyio.create_task_group() as tasks, Mux[object](tasks) as mux:
        for _ in range(4):
            mux.add(Source(*range(600)).run(), paced=False)
        await anyio.sleep(0.01)
        assert sum([1 async for _ in mux]) == 2400
