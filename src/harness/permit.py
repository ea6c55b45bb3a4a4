"""A session's permissions: its rules, mode and roots, put to the one decision function."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from harness.effects import Effect
from harness.errors import UsageError
from harness.messages import MODES, Mode, ToolCall
from harness.options import SessionOptions
from harness.permissions import Decision, Roots, Rules, decide
from harness.permissions.rules import Behavior
from harness.sandbox.policy import Granted
from harness.settings import Settings

_CONTAINER_MARKS = ("/.dockerenv", "/run/.containerenv")


class Permit:
    """Rules may be added and the mode changed while the session goes on; each decision takes them as they are."""

    def __init__(self, rules: Rules, mode: Mode, roots: Roots, granted: Granted) -> None:
        self.rules, self.mode, self._roots, self._granted = rules, mode, roots, granted

    def decide(self, call: ToolCall, effects: Sequence[Effect], real: Mapping[Path, Path]) -> Decision:
        """`real` says where the effects' paths lead, as looked up once for this call."""
        follow = self._roots.real
        roots = replace(self._roots, real=lambda path: real.get(path) or follow(path))
        return decide(call, effects, self.rules, self.mode, roots, self._granted)

    def allow_rule(self, text: str) -> None:
        """Allow what matches `text` for the rest of the session."""
        self.rules += Rules.parse({"allow": [text]}, "session", self._roots.cwd)

    def set_mode(self, mode: str) -> None:
        """Change the mode, from the next decision on.

        Raises:
            UsageError: no such mode, or `bypassPermissions`, which a session must be started in.
        """
        if mode == "bypassPermissions" != self.mode:
            raise UsageError(
                "A running session cannot enter bypassPermissions.",
                "Start it so: harness --permission-mode bypassPermissions",
            )
        self.mode = _known(mode)


def _known(mode: str) -> Mode:
    for known in MODES:
        if mode == known:
            return known
    if mode == "manual":
        return "default"
    raise UsageError(f"There is no permission mode {mode!r}.", f"Use one of: {', '.join(MODES)}.")


def starting_mode(options: SessionOptions, chosen: Settings, granted: Granted) -> Mode:
    """The flag's mode, else the settings', else `default`.

    Raises:
        UsageError: `bypassPermissions` as root with nothing that holds the commands.
    """
    mode: Mode = options.mode or chosen.mode or "default"
    contained = granted.level == "full" or any(Path(mark).exists() for mark in _CONTAINER_MARKS)
    if mode == "bypassPermissions" and os.geteuid() == 0 and not contained:
        raise UsageError(
            "bypassPermissions as root without a sandbox would let the model do anything to this machine.",
            "Leave --no-sandbox away, run as a normal user, or choose another mode.",
        )
    return mode


def starting_rules(options: SessionOptions, chosen: Settings, home: Path, cwd: Path) -> Rules:
    """The user's settings and the flags, pooled."""
    user: dict[Behavior, tuple[str, ...]] = {"allow": chosen.allow, "ask": chosen.ask, "deny": chosen.deny}
    where = str(chosen.source or "")
    flags: dict[Behavior, tuple[str, ...]] = {"allow": options.allow, "deny": options.deny}
    return Rules.parse(user, "user", home, where=where) + Rules.parse(flags, "flag", cwd, where="command line")
