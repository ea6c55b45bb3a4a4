"""After a command: what became of the protected names, and what it made that others may execute, in plain words."""

from collections.abc import Iterable
from pathlib import Path

from harness import paths
from harness.sandbox.changes import Changes
from harness.sandbox.guard import Guard
from harness.sandbox.launch import Made
from harness.sandbox.protect import NAMES, sightings
from harness.sandbox.restore import Memory

NAMED = 5


def notes(made: Made, guard: Guard | None, memory: Memory, changes: Changes | None = None) -> list[str]:
    """Put back what lost its protection, then look for what is new. Sentences for the model and the person."""
    kept = _kept(guard, memory, made.policy.project)
    return kept if changes and changes.quiet() else [*kept, *_made(made)]


def _kept(guard: Guard | None, memory: Memory, project: Path) -> list[str]:
    if guard and guard.attached:
        lost = guard.check()
        if not lost:
            return []  # every mount was there to the end: what has changed, no command changed
        names = _names(lost, project)
        said = [
            f"Ended: while the command ran, something outside the sandbox replaced or removed {names}, so that it "
            "was no longer protected. Run the command again."
        ]
    else:  # over before it could be watched
        lost, said = memory.changed(), []
    return [*said, *memory.restore(path for path in lost if memory.knows(path))]


def _made(made: Made) -> list[str]:
    if made.policy.project_readonly:
        return []
    project = made.policy.project
    found: set[Path] = set()
    for root in (project, *made.policy.write):
        found |= sightings(root)
    new = sorted(found - made.disk.protection.sighted)
    repositories = [path.parent for path in new if path.name == ".git"]
    names = [path for path in new if path.name != ".git" and any(_ends(path, name) for name in NAMES)]
    bare = [path for path in new if path.name != ".git" and path not in names]
    told = []
    if repositories:
        told.append(
            f"New git repository: {_names(repositories, project)}. Its .git/config and .git/hooks could be written by "
            "this command (from now on they are protected): look at them before you run git there outside."
        )
    if bare:
        told.append(f"New directory that git takes for a repository: {_names(bare, project)}. Do not run git in it.")
    if names:
        told.append(
            f"New file that editors, shells or tools execute: {_names(names, project)}. Look at it before you use it; "
            "from now on commands cannot change it."
        )
    return told


def _ends(path: Path, name: str) -> bool:
    parts = Path(name).parts
    return path.parts[-len(parts) :] == parts


def _names(found: Iterable[Path], project: Path) -> str:
    names = [paths.shown(path, project) for path in found]
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more
