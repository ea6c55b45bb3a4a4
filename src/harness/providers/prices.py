"""Windows and prices by the name of a model, from `models.csv`, and what a request costs.

Order of prices: the person's setting, what the server says, the table. Nobody knows: None, never 0.
"""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from harness.messages import Usage
from harness.providers.profile import SELF_HOSTED, Price, Profile


@dataclass(frozen=True, slots=True)
class Facts:
    """A row of the table. `context_window` is nominal, in tokens; `date` is when the source was read."""

    context_window: int | None
    price: Price | None
    source: str
    date: str


def facts(model: str) -> Facts | None:
    """The row of a model; a vendor's prefix (`vendor/`) and letter case do not matter, all else does."""
    return _table().get(model.lower().rpartition("/")[2])


@cache
def _table() -> dict[str, Facts]:
    with Path(__file__).with_name("models.csv").open(encoding="utf-8", newline="") as file:
        return {row["model"]: _facts(row) for row in csv.DictReader(line for line in file if line[0] != "#")}


def _facts(row: Mapping[str, str]) -> Facts:
    given, answered, cached = (float(row[name]) if row[name] else None for name in ("input", "output", "cached"))
    price = Price(given, answered, cached) if given is not None and answered is not None else None
    return Facts(int(row["context"]) if row["context"] else None, price, row["source"], row["date"])


def price_of(model: str, profile: Profile | None, own: Mapping[str, Price]) -> Price | None:
    """What the model's tokens cost here; None where nobody knows."""
    if model in own:
        return own[model]
    if profile and profile.price:
        return profile.price
    if profile and profile.server in SELF_HOSTED:
        return None  # the table's are vendors' prices
    known = facts(model)
    return known.price if known else None


def cost(usage: Usage, price: Price) -> float:
    """US dollars of one request. Reasoning is part of the output, cached tokens are part of the input."""
    cached = usage.cached_tokens
    uncached = max(0, usage.input_tokens - cached)  # some servers count cached tokens apart
    read = price.input if price.cached is None else price.cached
    return (uncached * price.input + cached * read + usage.output_tokens * price.output) / 1e6
