"""Where memory files are, and in which order they count (`conventions.md` 6)."""

import contextlib
import os
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Literal, NamedTuple

from harness import paths
from harness.paths import within
from harness.settings.places import MANAGED, SOURCES, content, repository

Kind = Literal["Managed", "User", "Project", "Local", "Auto"]


class Place(NamedTuple):
    """A file that may be there. `home`: the directory that its imports may reach without being asked about."""

    path: Path
    kind: Kind
    home: Path
    rule: bool = False  # it may say for which files it counts


def person(
    env: Mapping[str, str], managed: Collection[Path] = MANAGED, sources: Collection[str] = SOURCES
) -> Iterator[Place]:
    """The owner's and the person's files, their rules last."""
    for directory in managed:
        yield Place(directory / "CLAUDE.md", "Managed", Path("/"))
    if "user" not in sources:
        return
    homes = list(dict.fromkeys((paths.claude_home(env), paths.config_home(env))))
    for home in homes:
        yield Place(home / "CLAUDE.md", "User", Path("/"))
    for home in homes:
        yield from (Place(path, "User", Path("/"), rule=True) for path in _rules(home / "rules"))


def project(cwd: Path, sources: Collection[str] = SOURCES) -> Iterator[Place]:
    """The files of the directories above, from the root down to `cwd`, and the project's rules."""
    root = repository(cwd)
    for directory in reversed((cwd, *cwd.parents)):
        ours = within(directory, root)
        yield from (place for place in of_directory(directory, root, sources) if ours or _own(place.path))
    if "project" in sources:
        for directory in dict.fromkeys((root, cwd)):
            yield from (Place(path, "Project", root, rule=True) for path in _rules(directory / ".claude" / "rules"))


def below(path: Path, cwd: Path, sources: Collection[str] = SOURCES) -> Iterator[Place]:
    """The files of directories between `cwd` and a file that is read: they count from then on."""
    if not within(path, cwd):
        return
    root = repository(cwd)
    for directory in reversed([parent for parent in path.parents if parent != cwd and within(parent, cwd)]):
        yield from of_directory(directory, root, sources)


def of_directory(directory: Path, root: Path, sources: Collection[str]) -> Iterator[Place]:
    """CLAUDE.md and its like, AGENTS.md where there is none; then the person's own for this project."""
    if "project" in sources:
        named = [
            path for path in (directory / "CLAUDE.md", directory / ".claude" / "CLAUDE.md") if os.path.lexists(path)
        ]
        yield from (Place(path, "Project", root) for path in named or [directory / "AGENTS.md"])
    if "local" in sources:
        yield Place(directory / "CLAUDE.local.md", "Local", root)


def auto(cwd: Path, env: Mapping[str, str], chosen: str | None = None) -> Place:
    """The index of what the model keeps for itself about this repository; all its worktrees share one."""
    if chosen:
        directory = paths.resolve(chosen, cwd)
    else:
        directory = paths.config_home(env) / "projects" / paths.project_key(_main_worktree(cwd)) / "memory"
    return Place(directory / "MEMORY.md", "Auto", directory)


def notes(cwd: Path, env: Mapping[str, str], setting: bool | None, chosen: str | None = None) -> Path | None:
    """The directory of that index: None where nobody wants it, or where it is not there and nobody asked for it.

    With the setting on it is made, for the model to write to.
    """
    if setting is False or env.get("CLAUDE_CODE_DISABLE_AUTO_MEMORY") in {"1", "true"}:
        return None
    directory = auto(cwd, env, chosen).path.parent
    if setting:
        with contextlib.suppress(OSError):  # then it cannot be written to, and a write says why
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    return directory.resolve() if directory.is_dir() else None


def _main_worktree(cwd: Path) -> Path:
    root = repository(cwd)
    try:
        link = (content(root / ".git") or b"").decode("utf-8", "replace")[:4096]
    except OSError:  # most often a directory
        link = ""
    _, linked, target = link.partition("gitdir:")
    shared = (root / target.strip()).resolve().parent.parent if linked else None
    return shared.parent if shared is not None and shared.name == ".git" else root.resolve()


def _rules(directory: Path) -> list[Path]:
    found = []
    for place, below, files in os.walk(directory):
        below.sort()
        found += [Path(place, name) for name in sorted(files) if name.endswith(".md")]
    return found


def _own(path: Path) -> bool:
    """Above the repository only what the person or root has written counts: others can write to /tmp."""
    try:
        return path.stat().st_uid in {0, os.geteuid()}
    except OSError:
        return False
