"""The command line as SDKs write it: no sub-command, no prompt; what is unknown is told and passed over."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from harness import flags as command_line
from harness.errors import UsageError
from harness.flags import Flags

# Accepted without an effect here, or with one elsewhere; those of the first kind take a value.
_IDLE_WITH_VALUE = frozenset({"--betas", "--task-budget", "--thinking-display", "--plugin-dir"})
_IDLE = frozenset({"--debug", "--ide"})
_THINKING = ("adaptive", "enabled", "disabled")


@dataclass(frozen=True, slots=True)
class Asked:
    """`flags`, as everywhere, and what only SDKs ask for. `warnings` are lines for stderr."""

    flags: Flags
    debug_file: Path | None = None
    mirror: bool = False
    warnings: tuple[str, ...] = ()


def parse(words: Sequence[str]) -> Asked:
    """Read a command line.

    Raises:
        UsageError: a value that cannot be used.
    """
    kept: list[str] = []
    own: dict[str, str] = {}
    warnings: list[str] = []
    single = {name for a in command_line.parser()._actions if a.nargs is None for name in a.option_strings}
    known = {name for a in command_line.parser()._actions for name in a.option_strings}
    rest = list(words)
    while rest:
        word = rest.pop(0)
        name, glued, value = word.partition("=")
        if name in _OWN or name in _IDLE_WITH_VALUE:
            own[name] = value if glued else rest.pop(0) if rest else ""
        elif name in _SWITCHES or name in _IDLE:
            own[name] = ""
        elif name in single and not glued and rest:
            kept.append(f"{word}={rest.pop(0)}" if word.startswith("--") else word)  # a value may begin with a dash
        elif word.startswith("-") and name not in known:
            warnings.append(f"Warning: unknown flag {name} is ignored.")
            if not glued and rest and not rest[0].startswith("-"):
                rest.pop(0)
        else:
            kept.append(word)
    flags = command_line.parse(kept)
    if flags.prompt:
        raise UsageError(
            "With --input-format stream-json prompts come as lines on standard input.", "Leave the prompt out."
        )
    return Asked(
        flags=replace(flags, effort=_effort(own, flags)),
        debug_file=Path(own["--debug-file"]) if own.get("--debug-file") else None,
        mirror="--session-mirror" in own,
        warnings=tuple(warnings),
    )


_OWN = frozenset({"--debug-file", "--thinking", "--max-thinking-tokens"})
_SWITCHES = frozenset({"--session-mirror"})


def _effort(own: dict[str, str], flags: Flags) -> str | None:
    thinking, tokens = own.get("--thinking"), own.get("--max-thinking-tokens")
    if thinking is not None and thinking not in _THINKING:
        raise UsageError(f"--thinking {thinking}: no such value.", f"Use one of: {', '.join(_THINKING)}.")
    if tokens is not None and not (tokens.isascii() and tokens.isdigit()):
        raise UsageError(f"--max-thinking-tokens {tokens}: not a whole number.", "Give a number of tokens.")
    return "none" if not flags.effort and (thinking == "disabled" or tokens == "0") else flags.effort
