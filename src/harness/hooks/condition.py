"""`if` of a hook in settings: one permission rule, which says of which calls the hook is asked."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from harness.effects import Effect
from harness.hooks.handler import Concern, Concerns
from harness.messages import ToolCall
from harness.permissions import Roots, Rule
from harness.permissions.rules import parse_rule
from harness.settings.keys import Source

EVENTS = frozenset({"PreToolUse", "PostToolUse", "PostToolUseFailure", "PermissionRequest"})  # those about a call


def condition(written: Any, source: Source, base: Path, roots: Callable[[], Roots]) -> tuple[Concerns | None, str]:
    """What it says, None where it cannot be read; and what is wrong with it, '' where nothing is.

    `base` is where a path of the rule written `/p` starts from.
    """
    if not isinstance(written, str):
        return None, "it must be one permission rule, as a string"
    rule, warning = parse_rule(written, "deny", source, base)  # what a deny rule can say, an `if` can
    what = warning.what.removesuffix("; it is ignored") if warning else ""
    return (partial(_concerns, rule, roots) if rule else None), what


def _concerns(rule: Rule, roots: Callable[[], Roots], call: ToolCall, effects: Sequence[Effect]) -> Concern:
    from harness.permissions.concern import concern  # noqa: PLC0415  with the first call

    return concern(rule, call, effects, roots())
