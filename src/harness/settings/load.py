"""Find the settings files that are there; what they say is read only then."""

import os
from collections.abc import Mapping
from pathlib import Path

from harness import paths
from harness.settings.places import places
from harness.settings.values import Asked, Settings, Status


def load(cwd: Path, env: Mapping[str, str] = os.environ, asked: Asked | None = None) -> Settings:
    """All settings for a session in `cwd` (real). A file that cannot be used is skipped and said in `problems`.

    Raises:
        UsageError: `--settings` cannot be used.
    """
    asked = asked or Asked()
    home = paths.config_home(env)
    there = [place for place in places(cwd, home, env, asked.sources, asked.managed) if _there(place.path)]
    if not there and not asked.given and not _there(cwd / ".mcp.json"):
        return Settings(trust=Status(cwd))
    from harness.settings.combine import combined  # noqa: PLC0415  most sessions start without a file

    return combined(cwd, home, there, asked)


def _there(path: Path) -> bool:
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True  # the reader says what is wrong with it
    return True
