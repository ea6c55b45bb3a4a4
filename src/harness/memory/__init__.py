"""Standing instructions: CLAUDE.md, AGENTS.md and rules, with what they import. A light door."""

from harness.memory.memory import Memory, MemoryFile, Wanted, approve, told

__all__ = ["Memory", "MemoryFile", "Wanted", "approve", "told"]
