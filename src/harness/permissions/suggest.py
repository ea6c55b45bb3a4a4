"""The narrowest rule that would have allowed a command, for "allow and do not ask again"."""

from harness.permissions.bash import wrappers
from harness.permissions.bash.script import Command
from harness.permissions.tables import names
from harness.permissions.wildcard import escape

# Programs whose first words say what is done: how many of them a rule keeps (program included).
_TWO_WORDS = names(
    "cargo go git npm pnpm yarn bun pip pip3 make just task gradle mvn dotnet bundle rake composer poetry uv tox "
    "nox brew apt terraform kubectl helm gh"
)
_ONE_WORD = names("pytest ruff mypy black isort flake8 eslint prettier tsc jest vitest rustc gcc cmake ctest")
_RUN = frozenset({"run", "exec"})  # one more word says what is run


def command_rule(command: Command) -> tuple[str, ...]:
    """One rule for one simple command; none where no rule could, or where it would allow anything."""
    words = wrappers.strip(command.words)
    if not words or not words[0].literal:
        return ()
    texts = [word.canonical for word in words]
    exact = f"Bash({escape(' '.join(texts))})"
    depth = 2 if texts[0] in _TWO_WORDS else 1 if texts[0] in _ONE_WORD else 0
    if depth == 2 and len(texts) > 2 and texts[1] in _RUN:
        depth = 3
    head = words[:depth]
    if not depth or len(words) < depth or any(w.raw != w.text or w.text.startswith("-") for w in head[1:]):
        return (exact,)
    return (f"Bash({escape(' '.join(texts[:depth]))}:*)",)
