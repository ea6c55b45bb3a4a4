"""Checkpoints: what the files were before each call with effects, and the way back there (docs/checkpoints.md).

`checkpoints` serves a session, `history` reads a session file's checkpoints, `rewind` restores; `scan` and `store` look
at directories and keep what they hold. Light: the parts that do the work are loaded in a thread of their own.
"""

from harness.checkpoints.checkpoints import Checkpoints, unwanted

__all__ = ["Checkpoints", "unwanted"]
