"""Whether one rule is about a call, by itself: what a hook's `if` asks. Pure.

A rule is read as a deny rule is, which looks behind wrappers, into each part of a command line and through links.
What cannot be told is "unsure", never "no": whoever narrows by a rule must not miss what it is about.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import Literal

from harness.effects import Effect, Runs
from harness.messages import ToolCall
from harness.permissions.decide import decide
from harness.permissions.decision import Allow, Deny
from harness.permissions.paths import Roots
from harness.permissions.rules import Rule, Rules
from harness.permissions.wildcard import glob_match

_APART = r"\s;&|()<>"  # what stands between the words of a line
_OPEN = re.compile(r"\[[^]]*\]|\{.*\}|\?")  # what a file's name or a list may stand for, as `*` may
_MOST = 32  # readings of one line that are tried
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
    return "unsure" if any(_expands(rule, call, effect, roots) for effect in effects) else "no"


def _expands(rule: Rule, call: ToolCall, effect: Effect, roots: Roots) -> bool:
    """Whether words that only the shell knows may be what the rule is about: `git $1`, `git pus?` and `git {push,x}`
    may push.

    A rule that names a program and no more is about that program's name, which is judged above.
    """
    if rule.kind != "bash" or not isinstance(effect, Runs):
        return False
    words = rule.specifier.removesuffix(":*").removesuffix(" *").split()
    if len(words) == 1 and words[0].isalnum():
        return False
    if any(sign in effect.command for sign in "$`"):
        return True
    lines = list(islice(_readings(effect.command, [word for word in words if "*" not in word]), _MOST))
    read = (
        decide(call, (replace(effect, command=line),), Rules(deny=(rule,)), "bypassPermissions", roots)
        for line in lines
    )
    return len(lines) == _MOST or any(isinstance(each, Deny) for each in read)


def _readings(line: str, meant: Sequence[str]) -> Iterator[str]:
    """The line with each of its words that may come to one of these in that one's place."""
    for word in dict.fromkeys(re.split(f"[{_APART}]+", line)):
        shape = _OPEN.sub("*", word)
        for one in meant if "*" in shape else ():
            if glob_match(shape, one):
                there = rf"(?<![^{_APART}]){re.escape(word)}(?![^{_APART}])"
                yield re.sub(there, one.replace("\\", r"\\"), line)
