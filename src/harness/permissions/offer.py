"""What a question offers besides yes and no: rules that end its kind, what each would match, and why it comes again."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.permissions.bash import wrappers
from harness.permissions.bash.script import Command
from harness.permissions.rules import Rule, broad, parse_rule
from harness.permissions.shell import Part
from harness.permissions.suggest import command_rule
from harness.permissions.tables import names
from harness.permissions.wildcard import command_match, escape

MOST = 5  # rules of one question: nobody reads more
_REMEMBERED = 5  # similar commands that a rule is made to cover
# Programs whose arguments are all that matters: what covers two of their commands covers harm as well.
_NEVER_WIDER = names(
    "rm rmdir mv cp dd ln chmod chown chgrp kill pkill killall curl wget ssh scp rsync nc find tee truncate shred "
    "install crontab systemctl mount umount sed awk perl"
)


@dataclass(frozen=True, slots=True)
class Offered:
    """One rule, with something that it would match and something near that it would not; '' where none is known."""

    rule: str
    matches: str = ""
    misses: str = ""


@dataclass(frozen=True, slots=True)
class Offer:
    """`savable`: the rules may be kept in a settings file. `again`: what is new, if something like it was allowed."""

    rules: tuple[Offered, ...] = ()
    savable: bool = False
    again: str = ""


Words = tuple[str, ...]


def words_of(command: Command) -> Words:
    """What rules are held against, word by word."""
    return tuple(word.canonical for word in wrappers.strip(command.words))


def bash_rules(parts: Sequence[Part], asked: Sequence[Words]) -> tuple[str, ...]:
    """A rule for each part that needs one: the narrowest that covers it and what was asked like it before."""
    found: dict[str, None] = {}
    for part in parts:
        own = command_rule(part.command)
        for text in part.suggestions:
            found[_wider(part.command, text, asked) if text in own else text] = None
    return tuple(found)


def _wider(command: Command, rule: str, asked: Sequence[Words]) -> str:
    words = words_of(command)
    fixed = len(rule.removesuffix(":*)").split(" ")) if rule.endswith(":*)") else 1
    similar = [each for each in asked if each[:fixed] == words[:fixed]][-_REMEMBERED:]
    if not similar or words[0] in _NEVER_WIDER:
        return rule
    depth = next(
        (at for at, word in enumerate(words) if any(len(e) <= at or e[at] != word for e in similar)), len(words)
    )
    head = wrappers.strip(command.words)[:depth]
    if any(word.raw != word.text for word in head):
        return rule
    exact = depth == len(words) and all(len(each) == depth for each in similar)
    wide = f"Bash({escape(' '.join(words[:depth]))}{'' if exact else ' *'})"
    parsed, _ = parse_rule(wide, "allow", "session", Path("/"))
    # an option says nothing of what follows it; `python3 *` would be all of Python
    vague = not exact and (parsed is None or broad(parsed) or (depth > 1 and words[depth - 1].startswith("-")))
    return rule if vague else wide


def illustrated(text: str, asked: Sequence[Words], command: Command | None) -> Offered:
    """The rule with its two examples."""
    tool, _, specifier = text.removesuffix(")").partition("(")
    if tool == "Bash" and command is not None:
        return _command_examples(text, specifier, asked, words_of(command))
    if tool == "WebFetch" and specifier.startswith("domain:"):
        host = specifier.removeprefix("domain:")
        return Offered(text, f"https://{host}/another/page", f"https://other.{host}/")
    if specifier.startswith("//") and specifier.endswith("/**"):
        place = specifier[1:-3] or "/"
        return Offered(text, f"{place}/any/file", str(Path(place).parent / "file"))
    return Offered(text)


def _command_examples(text: str, pattern: str, asked: Sequence[Words], now: Words) -> Offered:
    fixed = pattern.removesuffix(":*").removesuffix(" *")
    wide = fixed != pattern
    plain = fixed.replace("\\*", "*").replace("\\\\", "\\")
    before = (" ".join(each) for each in reversed(asked) if each != now)
    like = next((each for each in before if command_match(pattern, each)), f"{plain} anything" if wide else plain)
    head, _, last = plain.rpartition(" ")
    unlike = f"{head} not-{last}" if wide and head else f"{plain} > file" if wide else f"{plain} more"
    if not command_match(pattern, like):
        like = ""
    # a redirection is judged apart from the command it stands behind
    if command_match(pattern, unlike) and not unlike.endswith("> file"):
        unlike = ""
    return Offered(text, like, unlike)


def difference(parts: Sequence[Part], rules: Sequence[Rule]) -> str:
    """Where a command departs from the allow rule that comes nearest to it; '' where none is near."""
    for part in parts:
        words = words_of(part.command)
        near = [(_departs(rule, words), rule) for rule in rules if rule.kind == "bash"]
        at, rule = max(near, key=lambda pair: pair[0], default=(0, None))
        if rule is None or at < 2:
            continue
        shown = rule.specifier.replace("\\*", "*")
        if rule.source == "session":
            return f"you allowed `{shown}` for this session; this differs in argument {at}"
        return f"it differs from the rule {rule.text} in argument {at}"
    return ""


def _departs(rule: Rule, words: Words) -> int:
    """The number of the first word, counted from 1, that the rule does not say; 0 where it says nothing like it."""
    pattern = rule.specifier.removesuffix(":*").removesuffix(" *")
    said = pattern.split(" ")
    for at, word in enumerate(said):
        if at >= len(words) or not command_match(word, words[at]):
            return at + 1 if at else 0
    return len(said) + 1 if pattern == rule.specifier and len(words) > len(said) else 0
