"""Field types that several tools' inputs share."""

import re
from typing import Annotated

from pydantic import AfterValidator

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def _usable(path: str) -> str:
    if not path.strip():
        raise ValueError("must not be empty")
    if _CONTROL.search(path):
        raise ValueError("must not hold control characters (line breaks, NUL)")
    return path


PathText = Annotated[str, AfterValidator(_usable)]
