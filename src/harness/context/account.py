"""What the next request will hold, by category: estimated by message, scaled to what the server last counted."""

from dataclasses import dataclass
from typing import Any

from harness.context.budget import Budget
from harness.messages import HistoryMessage, Image, Text, Thinking, ToolCall, ToolResult
from harness.providers.port import Provider, Request
from harness.providers.tokens import PER_IMAGE, PER_MESSAGE, tokens


@dataclass(frozen=True, slots=True)
class Category:
    """`tokens` of one kind of content."""

    name: str
    tokens: int


@dataclass(frozen=True, slots=True)
class Account:
    """`total` is what the request holds; with `reserve` and free space it comes to the window."""

    categories: tuple[Category, ...]
    total: int
    budget: Budget | None

    @property
    def plain(self) -> dict[str, Any]:
        """As the result object has it."""
        limits = self.budget
        return {
            "total_tokens": self.total,
            "window_tokens": limits.window if limits else None,
            "compacts_at_tokens": limits.trigger if limits else None,
            "percentage": round(self.percentage, 1),
            "categories": {category.name: category.tokens for category in self.categories},
        }

    @property
    def percentage(self) -> float:
        """Of the window, 0 to 100."""
        return min(100.0, 100 * self.total / self.budget.window) if self.budget else 0.0


def cost(message: HistoryMessage) -> float:
    """Tokens of one message, roughly."""
    return PER_MESSAGE + sum(map(_part, message.parts))


def _part(part: Text | Image | Thinking | ToolCall) -> float:
    match part:
        case Text(text) | Thinking(text):
            return tokens(text)
        case Image():
            return PER_IMAGE
        case ToolCall(name=name, arguments=arguments):
            return tokens(name) + tokens(arguments) + PER_MESSAGE


def account(provider: Provider, request: Request, budget: Budget | None, memory: str = "") -> Account:
    """`memory`: the text of the request that is standing instructions."""
    estimate, weights = provider.estimate(request), provider.weigh(request)
    weighed = zip(request.messages, weights, strict=True)
    results = sum(weight for message, weight in weighed if isinstance(message, ToolResult))
    all_ = sum(weights)
    held = tokens(memory) if memory else 0.0
    parts = {
        "System prompt": tokens(request.system),
        "Tools": tokens(request.tools.decode("utf-8", "replace")),
        "Memory": held,
        "Messages": max(0.0, all_ - results - held),
        "Tool results": results,
    }
    whole = sum(parts.values()) or 1.0
    shares = [Category(name, round(part * estimate / whole)) for name, part in parts.items()]
    if budget:
        shares.append(Category("Reserve", budget.reserve))
        shares.append(Category("Free", max(0, budget.usable - estimate)))
    return Account(tuple(shares), estimate, budget)
