"""Where a command line stands: the directories its commands may run in, as `cd` is followed."""

from collections.abc import Iterator
from contextlib import contextmanager
from os.path import normpath
from pathlib import Path

from harness.permissions.bash.script import Command

_MOST = 8  # possible directories; more are as good as unknown


class Flow:
    """`here` are the possible directories (None: unknown), `moved` whether any `cd` came before.

    After a `cd`, a command joined by `&&` runs in the new directory; `settle` ends that: the `cd` may also have
    failed, so both count.
    """

    def __init__(self, cwd: Path, home: Path) -> None:
        self.here: tuple[Path | None, ...] = (cwd,)
        self.moved = False
        self.home = home
        self._failed: tuple[Path | None, ...] = ()

    def change(self, command: Command) -> None:
        self._failed = tuple(dict.fromkeys(self._failed + self.here))
        self.here = tuple(dict.fromkeys(self._target(command, base) for base in self.here))
        self.moved = True

    def _target(self, command: Command, base: Path | None) -> Path | None:
        operands = [word for word in command.words[1:] if word.text not in {"--", "-P", "-L"}]
        if command.program != "cd" or len(operands) > 1 or command.assignments:
            return None
        if not operands:
            return self.home
        word = operands[0]
        if word.raw == "~" or (word.loose == {"tilde"} and word.raw.startswith("~/")):
            return Path(normpath(str(self.home) + word.text[1:]))
        if not word.literal or word.text.startswith("-") or not word.text:
            return None
        if word.text.startswith("/"):
            return Path("/" + normpath(word.text).lstrip("/"))
        return None if base is None else Path(normpath(base / word.text))  # as the shell does: `..` by name

    def settle(self) -> None:
        self.here = tuple(dict.fromkeys(self.here + self._failed))
        self._failed = ()
        if len(self.here) > _MOST:
            self.lose()

    def maybe(self, before: tuple[Path | None, ...]) -> None:
        """What just ran may have run in shells of its own: the directories from before count too."""
        self._failed += before
        self.settle()

    def lose(self) -> None:
        self.here = (None,)

    @contextmanager
    def enclosed(self) -> Iterator[None]:
        """A subshell: what happens to the directory inside stays inside."""
        here, failed, moved = self.here, self._failed, self.moved
        yield
        self.here, self._failed, self.moved = here, failed, moved
