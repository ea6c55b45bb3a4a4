"""Settings of the machine's owner, the person, the repository and the command line, made one."""

from harness.settings.load import load
from harness.settings.values import Asked, Settings

__all__ = ["Asked", "Settings", "load"]
