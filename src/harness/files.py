"""Files by directory descriptor, so that a symlink swapped in between cannot redirect a read or a write."""

from pathlib import Path
from typing import Protocol


class Files(Protocol):
    """Placeholder of the port; replaced by the real module."""

    roots: tuple[Path, ...]
