"""The narrowest rule that would have allowed a command, for "allow and do not ask again"."""

from harness.permissions.bash import wrappers
from harness.permissions.bash.script import Command
from harness.permissions.wildcard import escape

# Programs whose first words say what is done: how many of them a rule keeps (program included).
_DEPTH = dict.fromkeys(
    "cargo go git npm pnpm yarn bun pip pip3 make just task gradle mvn dotnet bundle rake composer poetry uv tox nox "
    "brew apt terraform kubectl helm gh".split(), 2
) | dict.fromkeys("pytest ruff mypy black isort flake8 eslint prettier tsc jest vitest rustc gcc cmake ctest".split(), 1)  # fmt: skip
_RUN = frozenset({"run", "exec"})  # one more word says what is run


def command_rule(command: Command) -> tuple[str, ...]:
    """One rule for one simple command; none where no rule could, or where it would allow anything."""
    words = wrappers.strip(command.words)
    if not words or not words[0].literal:
        return ()
    texts = [word.canonical for word in words]
    exact = f"Bash({escape(' '.join(texts))})"
    depth = _DEPTH.get(texts[0], 0)
    if depth == 2 and len(texts) > 2 and texts[1] in _RUN:
        depth = 3
    head = words[:depth]
    if not depth or len(words) < depth or any(w.raw != w.text or w.text.startswith("-") for w in head[1:]):
        return (exact,)
    return (f"Bash({escape(' '.join(texts[:depth]))}:*)",)
