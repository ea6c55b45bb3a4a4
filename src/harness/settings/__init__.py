"""Settings of the machine's owner, the person, the repository and the command line, made one."""

from collections.abc import Iterator
from typing import Any

from harness.settings.load import load
from harness.settings.values import Asked, Settings

__all__ = ["Asked", "Settings", "from_repository", "load"]


def from_repository(chosen: Settings) -> Iterator[tuple[str, Any, str]]:
    """What of it counts by a repository's files, as `(key, value, file)`."""
    from harness.settings.keys import REPOSITORY  # noqa: PLC0415  most projects bring nothing
    from harness.settings.merge import rows  # noqa: PLC0415

    return rows([layer for layer in chosen.layers if layer.source in REPOSITORY])
