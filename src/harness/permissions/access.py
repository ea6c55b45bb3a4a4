"""May this path be read, may it be written: one answer for file tools and for paths in commands."""

from pathlib import Path

from harness.messages import Mode
from harness.permissions import paths, places
from harness.permissions.decision import Allow, Ask, Decision, Deny
from harness.permissions.modes import Action, verdict
from harness.permissions.paths import Roots, path_rule
from harness.permissions.patterns import escaped
from harness.permissions.rules import SHELLS, Rule, Rules, tool_rule


def from_mode(action: Action, mode: Mode, reason: str, suggestions: tuple[str, ...] = ()) -> Decision:
    """What the mode's table says where no rule did."""
    match verdict(action, mode):
        case "run":
            return Allow("mode", f"{reason}, which {mode} mode allows")
        case "deny":
            instead = ": put the change into your plan instead" if mode == "plan" else ""
            return Deny("mode", f"{reason}, which {mode} mode does not allow{instead}")
        case "ask":
            return Ask("mode", reason, suggestions=suggestions)
        case "classify":
            return Ask("mode", reason, suggestions=suggestions, classifiable=True)


def by_rule(rule: Rule) -> Decision:
    reason = f"the rule {rule.text} of the {rule.source} settings"
    match rule.behavior:
        case "allow":
            return Allow("rule", f"{reason} allows it", rule.text)
        case "ask":
            return Ask("rule", f"{reason} asks", rule.text)
        case "deny":
            return Deny("rule", f"{reason} denies it", rule.text)


def decide_read(path: Path, tool: str, rules: Rules, mode: Mode, roots: Roots) -> Decision:
    """`path` absolute; `tool` is the name of the tool that reads, for rules about it as a whole."""
    if refused := _impossible(path, roots):
        return refused
    where = paths.place(path, roots)
    for pool in (rules.deny, rules.ask):
        if rule := path_rule(pool, "Read", where, roots):
            return by_rule(rule)
    bare = tool_rule(rules.allow, "Read" if tool in SHELLS else tool, {})
    # whoever may edit a file may read it
    if rule := bare or path_rule(rules.allow, "Read", where, roots) or path_rule(rules.allow, "Edit", where, roots):
        return by_rule(rule)
    if paths.readable(where, roots) or paths.inside(where, roots):
        return from_mode("read", mode, f"it reads {where.named}")
    suggestions = tuple(f"Read(/{escaped(str(each.parent)).rstrip('/')}/**)" for each in where.both)
    if places.sensitive(where, roots):
        return from_mode("read sensitive", mode, f"{where.real} may hold secrets", suggestions)
    return from_mode("read outside", mode, f"{where.real} is outside the working directories", suggestions)


def decide_write(path: Path, tool: str, rules: Rules, mode: Mode, roots: Roots) -> Decision:
    if refused := _impossible(path, roots):
        return refused
    where = paths.place(path, roots)
    reads_count = tool != "NotebookEdit"
    for pool in (rules.deny, rules.ask):
        rule = path_rule(pool, "Edit", where, roots)
        rule = rule or (path_rule(pool, "Read", where, roots) if reads_count and pool is rules.deny else None)
        if rule:
            return by_rule(rule)
    if mode == "plan" and paths.is_plan_file(where, roots):
        return Allow("mode", "it is the plan's own file")
    if places.protected(where):  # no rule approves these
        return from_mode("edit protected", mode, f"{where.real} can start programs or change rights later")
    if mode == "plan":
        return from_mode("edit", mode, f"it writes {where.named}")
    bare = tool_rule(rules.allow, "Edit" if tool in SHELLS else tool, {})
    if rule := bare or path_rule(rules.allow, "Edit", where, roots):
        return by_rule(rule)
    suggestions = tuple(f"Edit(/{escaped(str(each))})" for each in where.both)
    if paths.inside(where, roots):
        return from_mode("edit", mode, f"it writes {where.named}", suggestions)
    return from_mode("edit outside", mode, f"{where.real} is outside the working directories", suggestions)


def _impossible(path: Path, roots: Roots) -> Deny | None:
    if "\0" in str(path):
        return Deny("path", "a path cannot hold a NUL character")
    if any(places.device(each) for each in paths.place(path, roots).both):
        return Deny("path", f"{path} is a device")
    return None
