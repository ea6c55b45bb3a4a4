from dayplan.intervals import Interval, gaps, merge

MORNING = Interval(480, 720)


def test_intervals_apart_stay_apart():
    assert merge([Interval(600, 660), Interval(480, 540)]) == [Interval(480, 540), Interval(600, 660)]


def test_intervals_that_overlap_become_one():
    assert merge([Interval(480, 540), Interval(520, 600)]) == [Interval(480, 600)]


def test_an_interval_within_another_disappears():
    assert merge([Interval(480, 600), Interval(500, 520)]) == [Interval(480, 600)]


def test_intervals_that_touch_become_one():
    assert merge([Interval(480, 540), Interval(540, 600)]) == [Interval(480, 600)]


def test_gaps_are_what_is_left():
    assert gaps(MORNING, [Interval(500, 540), Interval(600, 660)]) == [
        Interval(480, 500),
        Interval(540, 600),
        Interval(660, 720),
    ]


def test_nothing_is_left_of_a_full_window():
    assert gaps(MORNING, [Interval(400, 600), Interval(550, 800)]) == []
