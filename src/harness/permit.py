"""A session's permissions: its rules, mode and roots, put to the one decision function."""

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness import paths
from harness.errors import UsageError
from harness.messages import MODES, Mode, ToolCall
from harness.options import SessionOptions
from harness.permissions import Roots, Rules, hidden_globs
from harness.permissions.rules import SHELLS, Behavior, Rule, RuleWarning, parse_rule
from harness.sandbox.policy import Granted
from harness.settings import Settings

if TYPE_CHECKING:
    from harness.effects import Effect
    from harness.permissions import Decision
    from harness.settings.layer import Layer

BEHAVIORS: tuple[Behavior, ...] = ("deny", "ask", "allow")
_CONTAINER_MARKS = ("/.dockerenv", "/run/.containerenv")


class Permit:
    """Rules may be added and the mode changed while the session goes on; each decision takes them as they are."""

    def __init__(
        self,
        rules: Rules,
        mode: Mode,
        roots: Roots,
        granted: Granted,
        forbidden: Collection[Mode] = (),
        *,
        all_shell: bool = False,
    ) -> None:
        self.rules, self.mode, self._roots, self._granted = rules, mode, roots, granted
        self._forbidden, self._all_shell = forbidden, all_shell

    @property
    def roots(self) -> Roots:
        return self._roots

    def hidden(self) -> tuple[str, ...]:
        """What searches must not show, by the rules of this moment: globs anchored at `/`."""
        return hidden_globs(self.rules.deny, self._roots)

    def decide(self, call: ToolCall, effects: "Sequence[Effect]", real: Mapping[Path, Path]) -> "Decision":
        """`real` says where the effects' paths lead, as looked up once for this call."""
        from harness.permissions.decide import decide  # noqa: PLC0415  with the first call

        follow = self._roots.real
        roots = replace(self._roots, real=lambda path: real.get(path) or follow(path))
        return decide(call, effects, self.effective, self.mode, roots, self.granted)

    @property
    def effective(self) -> Rules:
        """The rules that count: with `autoMode.classifyAllShell` none stands in for the classifier."""
        if not self._to_classifier:
            return self.rules
        return replace(self.rules, allow=tuple(r for r in self.rules.allow if r.tool not in SHELLS))

    @property
    def granted(self) -> Granted:
        return replace(self._granted, auto_allow=False) if self._to_classifier else self._granted

    @property
    def _to_classifier(self) -> bool:
        return self._all_shell and self.mode == "auto"

    def allow_rule(self, text: str) -> None:
        """Allow what matches `text` for the rest of the session."""
        self.rules += Rules.parse({"allow": [text]}, "session", self._roots.cwd)

    def update(self, updates: Sequence[Mapping[str, Any]]) -> None:
        """Apply permission updates of an answer for the rest of the session; all of them, or none.

        An answer is about one call, so what it may not do is skipped: a mode that is forbidden, above all.
        """
        from harness.permissions.updates import changes  # noqa: PLC0415  for hooks and SDKs only

        try:
            listed = changes(updates)
        except ValueError:
            return
        for change in listed:
            match change.kind:
                case "setMode":
                    try:
                        self.set_mode(change.mode)
                    except UsageError:
                        pass
                case "addDirectories" | "removeDirectories":
                    named = {paths.resolve(name, self._roots.cwd) for name in change.directories}
                    kept = [each for each in self._roots.extra if each not in named]
                    more = named if change.kind == "addDirectories" else ()
                    self._roots = replace(self._roots, extra=(*kept, *more))
                case _:
                    self.rules = _changed(self.rules, change.kind, change.behavior, change.rules, self._roots.cwd)

    def may_lend(self, mode: Mode) -> bool:
        """Whether a sub-agent of this session may be in a mode of its own."""
        return mode != "bypassPermissions" and mode not in self._forbidden

    def set_mode(self, mode: str) -> None:
        """Change the mode, from the next decision on.

        Raises:
            UsageError: no such mode, one that settings forbid, or `bypassPermissions`, which a session must be
                started in.
        """
        if mode == "bypassPermissions" != self.mode:
            raise UsageError(
                "A running session cannot enter bypassPermissions.",
                "Start it so: harness --permission-mode bypassPermissions",
            )
        self.mode = _permitted(_known(mode), self._forbidden)


def _changed(rules: Rules, kind: str, behavior: Behavior, texts: Sequence[str], cwd: Path) -> Rules:
    """Rules with those of an answer. Only the session's own can be taken back or replaced: files are their owner's."""
    pools = {"deny": rules.deny, "ask": rules.ask, "allow": rules.allow}
    gone = texts if kind == "removeRules" else [rule.text for rule in pools[behavior] if kind == "replaceRules"]
    pools[behavior] = tuple(rule for rule in pools[behavior] if rule.source != "session" or rule.text not in gone)
    rules = Rules(**pools, warnings=rules.warnings)
    if kind == "removeRules":
        return rules
    return rules + Rules.parse({behavior: texts}, "session", cwd)


def _known(mode: str) -> Mode:
    for known in MODES:
        if mode == known:
            return known
    if mode == "manual":
        return "default"
    raise UsageError(f"There is no permission mode {mode!r}.", f"Use one of: {', '.join(MODES)}.")


def _permitted(mode: Mode, forbidden: Collection[Mode]) -> Mode:
    if mode in forbidden:
        raise UsageError(f"Settings forbid the mode {mode}.", "harness config show --origin says which file does.")
    return mode


def starting_permit(options: SessionOptions, chosen: Settings, roots: Roots, granted: Granted) -> Permit:
    """What a session starts with. Raises UsageError, see `starting_mode`."""
    rules, mode = starting_rules(options, chosen, roots.cwd), starting_mode(options, chosen, granted)
    return Permit(rules, mode, roots, granted, chosen.forbidden_modes, all_shell=chosen.auto_mode.all_shell)


def starting_mode(options: SessionOptions, chosen: Settings, granted: Granted) -> Mode:
    """The flag's mode, else the settings', else `default`.

    Raises:
        UsageError: a mode that settings forbid, or `bypassPermissions` as root with nothing that holds the commands.
    """
    mode = _permitted(options.mode or chosen.mode or "default", chosen.forbidden_modes)
    contained = granted.level == "full" or any(Path(mark).exists() for mark in _CONTAINER_MARKS)
    if mode == "bypassPermissions" and os.geteuid() == 0 and not contained:
        raise UsageError(
            "bypassPermissions as root without a sandbox would let the model do anything to this machine.",
            "Leave --no-sandbox away, run as a normal user, or choose another mode.",
        )
    return mode


def starting_rules(options: SessionOptions, chosen: Settings, cwd: Path) -> Rules:
    """The rules of all settings files and of the flags, pooled; each knows its file and line."""
    flags: dict[Behavior, tuple[str, ...]] = {"allow": options.allow, "deny": options.deny}
    pooled = Rules.parse(flags, "flag", cwd, where="command line")
    for layer in chosen.layers:
        pooled += _rules(layer)
    return pooled


def _rules(layer: "Layer") -> Rules:
    pools: dict[str, list[Rule]] = {behavior: [] for behavior in BEHAVIORS}
    warnings: list[RuleWarning] = []
    for behavior in BEHAVIORS:
        for text, line in layer.lines(f"permissions.{behavior}"):
            rule, warning = parse_rule(text, behavior, layer.source, layer.base, where=layer.where(line))
            pools[behavior] += [rule] if rule else []
            warnings += [warning] if warning else []
    return Rules(tuple(pools["deny"]), tuple(pools["ask"]), tuple(pools["allow"]), tuple(warnings))
