"""Times of day as whole minutes since midnight."""


def parse(text: str) -> int:
    """`9:30` or `09:30` as minutes; `24:00` is the day's end."""
    hours, colon, minutes = text.strip().partition(":")
    if not (colon and hours.isdecimal() and minutes.isdecimal() and len(minutes) == 2):
        raise ValueError(f"not a time of day: {text!r}")
    time = int(hours) * 60 + int(minutes)
    if int(minutes) > 59 or time > 24 * 60:
        raise ValueError(f"no such time of day: {text!r}")
    return time


def show(time: int) -> str:
    """Minutes as `09:30`."""
    return f"{time // 60:02}:{time % 60:02}"


def duration(minutes: int) -> str:
    """A length of time as `2:05`."""
    return f"{minutes // 60}:{minutes % 60:02}"
