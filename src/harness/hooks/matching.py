"""Which handlers an event is for: the matchers of people's settings. Pure."""

import re
from collections.abc import Callable

from harness.messages import tool_names

_EXACT = re.compile(r"[A-Za-z0-9_\- ,|]*\Z")


class BadMatcher(ValueError):
    """A matcher that is no regular expression."""


def matcher(text: str | None) -> Callable[[str], bool]:
    """Nothing or `*` is everything; a name or a list of names by `|` or `,` is those; all else searches as a regex.

    Raises:
        BadMatcher: it is no regular expression.
    """
    if text is None or text.strip() in {"", "*"}:
        return lambda _: True
    if _EXACT.match(text):
        names = {name.strip() for name in re.split(r"[|,]", text)}
        # a tool may go by several names, and people's matchers by any
        return lambda subject: bool(names & tool_names(subject))
    try:
        pattern = re.compile(re.sub(r"\(\?<(?=[A-Za-z_])", "(?P<", text))  # named groups, as JavaScript writes them
    except (re.error, RecursionError, OverflowError) as error:
        raise BadMatcher(f"the matcher {text!r} is no regular expression: {error}") from None
    return lambda subject: any(pattern.search(name) for name in tool_names(subject))
