import pytest

from dayplan.agenda import busy, free, longest_stretch, read, report

MONDAY = """\
# Monday
09:00-10:00 Stand-up and planning
10:00-11:30 Design review

13:00-15:00 Workshop
14:00-14:30 Call with Delft
"""


def test_lines_are_read():
    assert [meeting.title for meeting in read(MONDAY)][:2] == ["Stand-up and planning", "Design review"]


@pytest.mark.parametrize("line", ["Lunch", "10:00 Lunch", "10:00-09:00 Lunch", "10:00-10:00 Lunch"])
def test_what_is_no_meeting_is_refused(line):
    with pytest.raises(ValueError, match="Lunch|time of day"):
        read(line)


def test_time_in_two_meetings_counts_once():
    assert busy(read(MONDAY)) == 270


def test_meetings_back_to_back_are_one_stretch():
    assert longest_stretch(read(MONDAY)) == 150


def test_free_times_lie_between_the_meetings():
    assert len(free(read(MONDAY))) == 3


def test_report():
    assert report(read("08:00-16:00 Fair")) == "busy  8:00, longest stretch 8:00\nfree  16:00-17:00"
