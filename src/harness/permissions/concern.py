"""Whether one rule is about a call, by itself: what a hook's `if` asks. Pure.

A rule is read as a deny rule is, which looks behind wrappers, into each part of a command line and through links.
What cannot be told is "unsure", never "no": whoever narrows by a rule must not miss what it is about.
"""

from collections.abc import Sequence
from typing import Literal

from harness.effects import Effect, Runs
from harness.messages import ToolCall
from harness.permissions.decide import decide
from harness.permissions.decision import Allow, Deny
from harness.permissions.paths import Roots
from harness.permissions.rules import Rule, Rules

Concern = Literal["yes", "unsure", "no"]


def concern(rule: Rule, call: ToolCall, effects: Sequence[Effect], roots: Roots) -> Concern:
    """`rule` must be one that denies. Never raises."""
    if not rule.names(call.name):
        return "no"
    decision = decide(call, effects, Rules(deny=(rule,)), "bypassPermissions", roots)
    if isinstance(decision, Deny) and decision.source == "rule":
        return "yes"
    if not isinstance(decision, Allow):  # a line that cannot be read, above all
        return "unsure"
    return "unsure" if any(_expands(rule, effect) for effect in effects) else "no"


def _expands(rule: Rule, effect: Effect) -> bool:
    """Whether words that only the shell knows may be what the rule is about: `git $1` may push.

    A rule that names a program and no more is about that program's name, which is judged above.
    """
    if rule.kind != "bash" or not isinstance(effect, Runs):
        return False
    program_alone = rule.specifier.removesuffix(":*").removesuffix(" *").isalnum()
    return not program_alone and any(sign in effect.command for sign in "$`")
