import pytest

from dayplan import clock


@pytest.mark.parametrize(("text", "time"), [("0:00", 0), ("9:30", 570), ("09:30", 570), (" 24:00 ", 1440)])
def test_times_are_read(text, time):
    assert clock.parse(text) == time


@pytest.mark.parametrize("text", ["", "9", "9:3", "9:60", "24:01", "-1:00", "9:30pm"])
def test_what_is_no_time_is_refused(text):
    with pytest.raises(ValueError, match="time of day"):
        clock.parse(text)


def test_times_are_written():
    assert clock.show(570) == "09:30"
    assert clock.duration(65) == "1:05"
