"""Field types that several tools' inputs share."""

from typing import Annotated

from pydantic import AfterValidator


def _usable(path: str) -> str:
    if not path.strip():
        raise ValueError("must not be empty")
    if any(ord(char) < 32 or ord(char) == 127 for char in path):
        raise ValueError("must not hold control characters (line breaks, NUL)")
    return path


PathText = Annotated[str, AfterValidator(_usable)]
