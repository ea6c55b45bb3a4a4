"""What deny rules for Read and Edit are about, as existing paths: the sandbox keeps them from commands, too.

The rules speak of names; a mask needs a path. So the working directories are looked through before each command,
a directory again only when it has changed. Most sessions have no such rule, and nothing is looked at then.
"""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from harness.paths import within
from harness.permissions.paths import Roots, covers, literal
from harness.permissions.rules import Rule
from harness.settings.keys import REPOSITORY

DIRECTORIES = 200_000  # looked through at most; beyond, what a pattern covers is not masked
_SETTLED = 50_000_000  # nanoseconds: a directory that changed this lately may change again within one tick
_ANY = "\x01"  # a name that no file has: what covers it covers everything there


@dataclass(slots=True)
class Denied:
    """`rules` are asked each time, since a session may be given more."""

    rules: Callable[[], Sequence[Rule]]
    roots: Roots
    tool: str = "Read"
    complete: bool = True  # False after a look that had to stop at the limit
    _known: dict[str, tuple[int, list[str], list[str]]] = field(default_factory=dict)
    _for: tuple[Rule, ...] = ()

    def __call__(self) -> tuple[Path, ...]:
        """Existing real paths."""
        rules = tuple(rule for rule in self.rules() if rule.kind == "path" and rule.tool == self.tool)
        if not rules:
            return ()
        if rules != self._for:
            self._known.clear()
            self._for = rules
        found = [path for rule in rules if (path := literal(rule, self.roots)) and os.path.lexists(path)]
        if any(literal(rule, self.roots) is None for rule in rules):
            self.complete = True
            for root in dict.fromkeys((self.roots.cwd, self.roots.project, *self.roots.extra)):
                found += map(Path, self._below(str(root)))
        real = dict.fromkeys(Path(os.path.realpath(path)) for path in found)
        return tuple(path for path in real if path.exists())

    def _below(self, root: str) -> Iterator[str]:
        waiting, seen = [root], 0
        while waiting:
            seen += 1
            if seen > DIRECTORIES:
                self.complete = False
                return
            try:
                covered, directories = self._directory(waiting.pop())
            except OSError:
                continue  # gone, or not ours to read: then not a command's either
            yield from covered
            waiting += directories

    def _directory(self, path: str) -> tuple[list[str], list[str]]:
        """What in it is covered, and the directories that are not."""
        changed = os.stat(path).st_mtime_ns  # noqa: PTH116  thousands of them
        known = self._known.get(path)
        if known and known[0] == changed:
            return known[1], known[2]
        covered: list[str] = []
        directories: list[str] = []
        with os.scandir(path) as entries:
            for entry in entries:
                directory = entry.is_dir(follow_symlinks=False)
                if self._covered(entry.path) or (directory and self._covered(f"{entry.path}/{_ANY}")):
                    covered.append(entry.path)
                elif directory:
                    directories.append(entry.path)
        if time.time_ns() - changed > _SETTLED:
            self._known[path] = (changed, covered, directories)
        return covered, directories

    def _covered(self, path: str) -> bool:
        return any(covers(rule, Path(path), self.roots) for rule in self._for)


def opened(allow: Sequence[Rule], roots: Roots) -> tuple[Path, ...]:
    """Directories that the person's own Edit rules allow whole, as in `Edit(//data/out/**)`: commands may write there.

    Never a repository's rules, which must not open the sandbox, and never a home or the root of all.
    """
    mine = (rule for rule in allow if rule.kind == "path" and rule.tool == "Edit" and rule.source not in REPOSITORY)
    whole = (path for rule in mine if rule.specifier.endswith("/**") and (path := literal(rule, roots)))
    real = (Path(os.path.realpath(path)) for path in whole)
    return tuple(dict.fromkeys(path for path in real if path.is_dir() and not within(roots.home, path)))
