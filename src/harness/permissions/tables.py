"""Tables of names, written as people read them: words between blanks."""


def names(text: str) -> frozenset[str]:
    return frozenset(text.split())
