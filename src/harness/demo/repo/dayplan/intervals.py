"""Intervals of time: from `start` up to, and not including, `end`."""

from collections.abc import Iterable
from typing import NamedTuple


class Interval(NamedTuple):
    start: int
    end: int

    @property
    def length(self) -> int:
        return self.end - self.start


def merge(intervals: Iterable[Interval]) -> list[Interval]:
    """The same time in as few intervals as possible, earliest first."""
    merged: list[Interval] = []
    for interval in sorted(intervals):
        if merged and interval.start < merged[-1].end:
            last = merged.pop()
            interval = Interval(last.start, max(last.end, interval.end))
        merged.append(interval)
    return merged


def gaps(window: Interval, busy: Iterable[Interval]) -> list[Interval]:
    """What `busy` leaves of `window`, earliest first."""
    left = []
    start = window.start
    for interval in merge(busy):
        if interval.start > start:
            left.append(Interval(start, min(interval.start, window.end)))
        start = max(start, interval.end)
        if start >= window.end:
            return left
    return [*left, Interval(start, window.end)]
