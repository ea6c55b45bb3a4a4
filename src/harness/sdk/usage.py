"""`get_context_usage`: what fills the model's window, in the words of the SDKs."""

from harness.sdk.wire import Json
from harness.session import Session

ASSUMED = 32_768  # tokens of a window that nobody knows
_COLORS = ("blue", "cyan", "green", "yellow", "magenta", "red", "gray")


def context_usage(session: Session) -> Json:
    held = session.account()
    limits = held.budget
    window = limits.window if limits else ASSUMED
    usage: Json = {
        "categories": [
            {"name": each.name, "tokens": each.tokens, "color": _COLORS[index % len(_COLORS)]}
            for index, each in enumerate(held.categories)
        ],
        "totalTokens": held.total,
        "maxTokens": limits.usable if limits else window,
        "rawMaxTokens": window,
        "percentage": round(min(100, 100 * held.total / window)),
        "model": session.model,
        "isAutoCompactEnabled": session.compacts,
        "memoryFiles": [
            {"path": str(file.path), "type": "memory", "tokens": len(file.text) // 4} for file in session.memory.files
        ],
        "mcpTools": [],
        "agents": [
            {"agentType": name, "source": a.source, "tokens": 0} for name, a in session.definitions.agents.items()
        ],
        "gridRows": [],
    }
    return usage | ({"autoCompactThreshold": limits.trigger} if limits and session.compacts else {})
