"""`harness -p`: one turn without a person, for scripts and CI (docs/headless.md)."""

from harness.headless.run import main

__all__ = ["main"]
