"""Permissions: rules, modes, and (`decide.py`, loaded with the first call) the one function that decides."""

from harness.permissions.decision import Allow, Ask, Decision, Deny
from harness.permissions.paths import Roots, hidden_globs
from harness.permissions.rules import Rule, Rules, RuleWarning, removed_tools, split_rules

__all__ = [
    "Allow",
    "Ask",
    "Decision",
    "Deny",
    "Roots",
    "Rule",
    "RuleWarning",
    "Rules",
    "hidden_globs",
    "removed_tools",
    "split_rules",
]
