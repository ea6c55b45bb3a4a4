"""Harness: an agentic coding harness for any model behind an OpenAI-compatible endpoint.

The command is `harness`. From Python: `run`, `query`, `open_session` with `Options`; `tool` and `hook` make functions
what a session asks; events are the frozen dataclasses of `harness.events` (docs/api.md). Importing this module loads
nothing else: each name is found when it is first used.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.api import Options, Reply, Session, TurnFailed, open_session, query, run
    from harness.asks import Answer
    from harness.errors import HarnessError, ProviderError, ToolError, UsageError
    from harness.events import (
        AssistantMessage,
        Event,
        Notice,
        PermissionRequest,
        Result,
        StreamEvent,
        ToolProgress,
        UserMessage,
    )
    from harness.functions import hook, tool
    from harness.messages import Assistant, Text, TextDelta, ToolCall, ToolResult

__version__ = "0.1.0"

# The level of the shared protocol that SDKs and scripts check; `--version` prints it first (`decisions.md` 18).
PROTOCOL_LEVEL = "2.1.248"

_PLACES = {
    "api": ("Options", "Reply", "Session", "TurnFailed", "open_session", "query", "run"),
    "asks": ("Answer",),
    "errors": ("HarnessError", "ProviderError", "ToolError", "UsageError"),
    "events": (
        "AssistantMessage",
        "Event",
        "Notice",
        "PermissionRequest",
        "Result",
        "StreamEvent",
        "ToolProgress",
        "UserMessage",
    ),
    "functions": ("hook", "tool"),
    "messages": ("Assistant", "Text", "TextDelta", "ToolCall", "ToolResult"),
}
_HOMES = {name: module for module, names in _PLACES.items() for name in names}

__all__ = [
    "PROTOCOL_LEVEL",
    "Answer",
    "Assistant",
    "AssistantMessage",
    "Event",
    "HarnessError",
    "Notice",
    "Options",
    "PermissionRequest",
    "ProviderError",
    "Reply",
    "Result",
    "Session",
    "StreamEvent",
    "Text",
    "TextDelta",
    "ToolCall",
    "ToolError",
    "ToolProgress",
    "ToolResult",
    "TurnFailed",
    "UsageError",
    "UserMessage",
    "__version__",
    "hook",
    "open_session",
    "query",
    "run",
    "tool",
]


def __getattr__(name: str) -> Any:
    """The program's names, found when first used (PEP 562)."""
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415

    value = getattr(import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
