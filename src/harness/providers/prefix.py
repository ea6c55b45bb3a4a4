"""Whether a request begins with the one before, byte for byte: what servers' prefix caches live on.

Checked on what is sent, so that no change of prompts, tools or encoding can break it unseen.
"""

from collections.abc import Sequence


class Prefix:
    """`runs`: the encoded messages, system first, a piece for each side's turn: the last one may grow."""

    def __init__(self) -> None:
        self._tools = b""
        self._runs: Sequence[bytes] = ()

    def forget(self) -> None:
        """Another server or model: nothing of the last request counts."""
        self._runs = ()

    def broken(self, tools: bytes, runs: Sequence[bytes], *, declared: bool) -> str:
        """What is other than in the last request, in words; '' where nothing is, or where it was said before."""
        where = "" if declared or not self._runs else self._difference(tools, runs)
        self._tools, self._runs = tools, tuple(runs)
        return where

    def _difference(self, tools: bytes, runs: Sequence[bytes]) -> str:
        if tools != self._tools:
            return "the tools"
        *earlier, last = self._runs
        same = list(runs[: len(earlier)]) == earlier  # a long history's bytes are the same objects
        for place, old in enumerate(() if same else earlier):
            if place >= len(runs) or runs[place] != old:
                return "the system prompt" if place == 0 else f"message group {place}"
        place = len(earlier)
        if place >= len(runs) or not runs[place].startswith(last):
            return f"message group {place}"
        return ""
