"""The person's limits on one run: requests, money, tokens, time. Checked before each request. Pure."""

import time
from dataclasses import dataclass

from harness.turn import Turn


@dataclass(frozen=True, slots=True)
class Forbidden:
    """`reason` is the turn's terminal reason, `cause` what the event says."""

    cause: str
    reason: str
    text: str


@dataclass(frozen=True, slots=True)
class Limits:
    """None: no limit. `usd` counts the session's whole cost, sub-agents and compaction too; `seconds` is wall-clock
    time of the turn, `tokens` all that the turn's requests read and wrote."""

    turns: int | None = None
    usd: float | None = None
    tokens: int | None = None
    seconds: float | None = None

    def check(self, turn: Turn, *, priced: bool) -> Forbidden | None:
        """`priced`: whether anybody knows what the model's tokens cost."""
        if self.turns is not None and turn.requests >= self.turns:
            return Forbidden("max_turns", "max_turns", f"Reached the maximum number of turns ({self.turns}).")
        if self.usd is not None and (not priced or turn.unpriced):
            text = "A budget in US dollars needs a price, and nobody knows this model's: set `prices` in your settings."
            return Forbidden("budget", "budget_exhausted", text)
        if self.usd is not None and turn.cost >= self.usd:
            text = f"Reached the maximum budget (${self.usd:g}): ${turn.cost:.4f} are spent."
            return Forbidden("budget", "budget_exhausted", text)
        used = turn.usage.input_tokens + turn.usage.output_tokens
        if self.tokens is not None and used >= self.tokens:
            text = f"Reached the maximum number of tokens ({self.tokens:,}): {used:,} are used."
            return Forbidden("max_tokens_total", "blocking_limit", text)
        took = time.monotonic() - turn.began
        if self.seconds is not None and took >= self.seconds:
            text = f"Reached the maximum time ({self.seconds:g} s): this turn has taken {took:.0f} s."
            return Forbidden("max_time", "blocking_limit", text)
        return None
