"""Words of other people's scripts: what belongs to a vendor's cloud is told and passed over, what is not here yet is
refused in words, and what is mistyped gets the nearest name.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence

from harness.errors import UsageError

# Flags of a vendor's cloud or screen: accepted, told, without effect here. Some take a value.
VENDOR_FLAGS = frozenset(
    f"--{name}"
    for name in (
        "advisor", "channels", "chrome", "no-chrome", "cloud", "remote", "teleport", "remote-control", "rc", "ide",
        "ax-screen-reader", "prompt-suggestions",
    )
)  # fmt: skip
VENDOR_FLAGS_WITH_VALUE = frozenset({"--environment", "--ref", "--betas"})

# Flags that mean something which is not here yet, and what to do instead. A flag that the parser has is none of them.
NOT_YET: Mapping[str, str] = {
    "--append-subagent-system-prompt": "Leave it out.",
    "--forward-subagent-text": "Leave it out.",
    "--allow-dangerously-skip-permissions": "Use --dangerously-skip-permissions, or leave it out.",
    "--from-pr": "Check the branch out and describe the change in the prompt.",
    "--plugin-dir": "Copy the plugin's agents, commands and skills into ~/.harness.",
    "--plugin-url": "Copy the plugin's agents, commands and skills into ~/.harness.",
    "--init": "Run the set-up yourself first.",
    "--init-only": "Run the set-up yourself.",
    "--maintenance": "Run it yourself first.",
    "--worktree": "Make one first: git worktree add DIR, and start harness there.",
    "--tmux": "Start harness within tmux.",
    "--background": "Start it in the background of your shell: harness -p ... &",
    "--bg": "Start it in the background of your shell: harness -p ... &",
    "--exec": "Run the command in your shell.",
    "--teammate-mode": "Leave it out.",
}
_SHORT = {"-w": "--worktree"}
# Commands beside sessions that other harnesses have and this one has not.
COMMANDS_NOT_HERE = frozenset(
    {
        "mcp", "plugin", "agents", "attach", "logs", "respawn", "daemon", "update", "install", "project", "import",
        "auth", "setup-token", "auto-mode", "remote-control",
    }
)  # fmt: skip


def sifted(argv: Sequence[str]) -> tuple[list[str], tuple[str, ...]]:
    """The words without the flags that belong to a vendor's cloud, and those flags. After `--` all is prompt.

    `--debug` binds a filter in its `=` form only; the parser is given one always.
    """
    words: list[str] = []
    vendor: list[str] = []
    rest = iter(argv)
    for word in rest:
        name, given, _ = word.partition("=")
        if word == "--":
            return [*words, word, *rest], tuple(vendor)
        if name in VENDOR_FLAGS or name in VENDOR_FLAGS_WITH_VALUE:
            vendor.append(name)
            if name in VENDOR_FLAGS_WITH_VALUE and not given:
                next(rest, None)
        else:
            words.append("--debug=*" if word == "--debug" else word)
    return words, tuple(vendor)


def refuse_unknown(words: Sequence[str], known: Collection[str]) -> None:
    """Raises UsageError for a flag that is not among `known`."""
    for word in words:
        if word == "--":
            return
        name = word.split("=", 1)[0]
        name = _SHORT.get(name, name)
        if not name.startswith("--") or " " in name or name in known:
            continue
        if name in NOT_YET:
            raise UsageError(f"harness: there is no {name} here yet.", NOT_YET[name])
        near = nearest(name, known)
        raise UsageError(f"harness: unknown flag {name}.", f"Did you mean {near}?" if near else "See harness --help.")


def refuse_command(words: Sequence[str], known: Iterable[str]) -> None:
    """Raises UsageError where the first word is no prompt but a command that is mistyped, or not here."""
    alone = len(words) < 2 or not words[1].startswith("-")  # a prompt is one word for the shell
    if not words or not alone or not words[0].isascii() or words[0].startswith("-"):
        return
    if words[0] in COMMANDS_NOT_HERE:
        raise UsageError(f"harness: there is no command {words[0]!r} here yet.", "See harness --help.")
    if near := nearest(words[0], known):
        raise UsageError(f"harness: there is no command {words[0]!r}.", f"Did you mean: harness {near}")


def nearest(word: str, known: Iterable[str]) -> str | None:
    import difflib  # noqa: PLC0415  for what is mistyped

    return next(iter(difflib.get_close_matches(word, list(known), 1, 0.7)), None)
