"""Which calls run together: the invariants hold for every order of arrival and ending."""

from hypothesis import given
from hypothesis import strategies as st

from harness.schedule import Schedule


def scheduled(*calls, limit=10, complete=True):
    schedule = Schedule(limit)
    schedule.complete = complete
    for call_id, free in calls:
        schedule.push(call_id, free=free)
    return schedule


def test_reads_run_together_and_a_change_alone_and_in_order():
    schedule = scheduled(("r1", True), ("r2", True), ("w", False), ("r3", True))
    assert list(schedule.ready()) == ["r1", "r2"]
    schedule.done("r2")
    assert list(schedule.ready()) == []
    schedule.done("r1")
    assert list(schedule.ready()) == ["w"]
    schedule.done("w")
    assert list(schedule.ready()) == ["r3"]


def test_before_the_message_is_whole_only_reads_that_are_allowed_start():
    schedule = scheduled(("r1", True), ("asks", False), ("r3", True), complete=False)
    assert list(schedule.ready()) == ["r1"]
    assert list(scheduled(("w", False), complete=False).ready()) == []


def test_clear_forgets_what_waits_and_runs():
    schedule = scheduled(("r1", True), ("w", False))
    list(schedule.ready())
    schedule.clear()
    schedule.push("w2", free=False)
    assert list(schedule.ready()) == ["w2"]


def test_a_withdrawn_call_neither_starts_nor_holds_up_others():
    schedule = scheduled(("r1", True), ("w", False), ("w2", False))
    assert list(schedule.ready()) == ["r1"]
    schedule.withdraw("r1")
    schedule.withdraw("w")
    assert list(schedule.ready()) == ["w2"]


def test_an_end_that_nobody_waits_for_is_no_error():
    scheduled().done("x")


steps = st.lists(st.booleans() | st.integers(0, 20) | st.just("complete"), max_size=30)


@given(steps, st.integers(1, 3))
def test_invariants(steps, limit):
    schedule = Schedule(limit)
    calls: dict[str, bool] = {}
    running: list[str] = []
    started: list[str] = []
    for step in [*steps, "complete", *range(60)]:
        if step == "complete":
            schedule.complete = True
        elif isinstance(step, bool):
            name = f"c{len(calls)}"
            calls[name] = step
            schedule.push(name, free=step)
        elif running:
            schedule.done(running.pop(step % len(running)))
        for name in schedule.ready():
            assert schedule.complete or calls[name]
            running.append(name)
            started.append(name)
        assert len(running) <= limit
        assert len(running) <= 1 or all(calls[name] for name in running)
    assert started == list(calls)  # each once, first come first served, and none is left waiting
