"""The texts that Bash rules are held against: every reading of a command for deny and ask, few for allow."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

from harness.permissions.bash import wrappers
from harness.permissions.bash.files import OTHER_WRITERS, WRITERS
from harness.permissions.bash.script import Command, Script
from harness.permissions.bash.words import Word
from harness.permissions.rules import Rule
from harness.permissions.wildcard import command_match

# Options of git itself whose value is a word of its own.
_GIT_VALUED = frozenset(
    {"-C", "-c", "--git-dir", "--work-tree", "--namespace", "--exec-path", "--config-env", "--super-prefix"}
)


def forbids(rule: Rule, script: Script, commands: Iterable[Command]) -> bool:
    """Whether a deny or ask rule is about the line as a whole or about any command in it."""
    pattern = one_spaced(rule.specifier)
    texts = chain([one_spaced(script.text)], chain.from_iterable(map(_deny_texts, commands)))
    return any(command_match(pattern, text) for text in texts)


def _deny_texts(command: Command) -> Iterator[str]:
    """As written, unquoted, by the program's base name, and all that wrappers may run."""
    yield one_spaced(command.raw)
    for words in wrappers.wrapped(command.words)[0]:
        tail = " ".join(word.text for word in words[1:])
        yield f"{words[0].text} {tail}".strip()
        yield " ".join(word.canonical for word in words)
        if "/" in words[0].text:
            yield f"{wrappers.base(words[0])} {tail}".strip()
        if wrappers.base(words[0]) == "git" and (own := _behind_options([word.text for word in words[1:]])):
            yield f"git {own}"


def _behind_options(words: Sequence[str]) -> str:
    """A git command without what stands before its subcommand: `git -C x push` is a push."""
    at = 0
    while at < len(words) and words[at].startswith("-"):
        at += 2 if words[at] in _GIT_VALUED else 1
    return " ".join(words[at:])


def approves(rule: Rule, command: Command, line: str) -> bool:
    """Whether an allow rule covers a command; a rule without a wildcard may also be the whole line."""
    pattern = one_spaced(rule.specifier)
    wild = "*" in pattern.replace("\\*", "")
    if not wild and command_match(pattern, one_spaced(line)):
        return True
    forms = (command.words, wrappers.strip(command.words))
    if wild and any(map(_exact_only, forms)):
        return False
    texts = {" ".join(part) for words in forms for part in ([w.raw for w in words], [w.canonical for w in words])}
    return any(command_match(pattern, text) for text in texts)


def one_spaced(text: str) -> str:
    return " ".join(text.split())


def _exact_only(words: Sequence[Word]) -> bool:
    program = wrappers.base(words[0]) if words else ""
    finds = program == "find" and any(word.text in wrappers.FIND_ACTIONS for word in words)
    return finds or program in wrappers.EXACT_ONLY


def writes_by_name(command: Command) -> bool:
    """Whether plan mode asks whatever a rule says: the program's own name says that it changes things."""
    names = {wrappers.base(words[0]) for words in wrappers.wrapped(command.words)[0]}
    return bool(names & (WRITERS.keys() | OTHER_WRITERS | {"git", "sed"}))
