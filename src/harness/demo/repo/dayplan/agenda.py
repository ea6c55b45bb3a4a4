"""An agenda: one meeting a line, `09:00-10:00 Stand-up`."""

from collections.abc import Sequence
from typing import NamedTuple

from dayplan import clock
from dayplan.intervals import Interval, gaps, merge

WORKDAY = Interval(clock.parse("08:00"), clock.parse("17:00"))


class Meeting(NamedTuple):
    time: Interval
    title: str


def read(text: str) -> list[Meeting]:
    """The meetings of an agenda, in the order of its lines."""
    lines = (line.strip() for line in text.splitlines())
    return [_meeting(line) for line in lines if line and not line.startswith("#")]


def _meeting(line: str) -> Meeting:
    times, _, title = line.partition(" ")
    start, dash, end = times.partition("-")
    if not dash:
        raise ValueError(f"not a meeting: {line!r}")
    time = Interval(clock.parse(start), clock.parse(end))
    if time.length <= 0:
        raise ValueError(f"ends before it begins: {line!r}")
    return Meeting(time, title.strip())


def busy(meetings: Sequence[Meeting]) -> int:
    """Minutes spent in meetings; those at the same time count once."""
    return sum(interval.length for interval in merge(meeting.time for meeting in meetings))


def longest_stretch(meetings: Sequence[Meeting]) -> int:
    """Minutes of the longest time in meetings without a break."""
    return max((interval.length for interval in merge(meeting.time for meeting in meetings)), default=0)


def free(meetings: Sequence[Meeting], day: Interval = WORKDAY) -> list[Interval]:
    """The times of `day` without a meeting."""
    return gaps(day, (meeting.time for meeting in meetings))


def report(meetings: Sequence[Meeting]) -> str:
    """What people read: see README.md."""
    lengths = clock.duration(busy(meetings)), clock.duration(longest_stretch(meetings))
    lines = [f"busy  {lengths[0]}, longest stretch {lengths[1]}"]
    lines += [f"free  {clock.show(start)}-{clock.show(end)}" for start, end in free(meetings)]
    return "\n".join(lines)
