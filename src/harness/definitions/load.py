"""Find the definitions that are there and read them.

From a repository that nobody has trusted a definition is text and nothing more, as memory is: what would widen
rights or start something (modes, hooks, servers, allowed tools) does not count until `harness trust`.
"""

import os
import stat
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from harness import paths
from harness.definitions.values import Agent, Command, Skill, Source
from harness.errors import HarnessError
from harness.settings.places import SOURCES, repository

if TYPE_CHECKING:
    from harness.frontmatter import Document

ROOMS = (".harness", ".claude")  # ours first: the first of a name wins
LIMIT = 1 << 20  # bytes of one file
COUNT = 500  # files of one kind


@dataclass(slots=True)
class Definitions:
    """By name. `problems` are lines for people about files that do not count, or not wholly."""

    agents: dict[str, Agent] = field(default_factory=dict)
    commands: dict[str, Command] = field(default_factory=dict)
    skills: dict[str, Skill] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


def load(
    cwd: Path,
    env: Mapping[str, str],
    sources: Collection[str] = SOURCES,
    *,
    trusted: bool = False,
    commands: bool = True,
) -> Definitions:
    """All definitions that a session in `cwd` has, or its agents only. What is wrong is in `problems`: never raises."""
    found = Definitions()
    kinds = (("agents", _agent), ("commands", _command), ("skills", _skill))
    for kind, read in kinds if commands else kinds[:1]:
        for path, source in _files(kind, cwd, env, sources):
            try:
                _check(path, source, cwd)
                read(path, source, source == "user" or trusted, found)
            except OSError as error:
                found.problems.append(f"{path} cannot be read: {error.strerror}.")
            except HarnessError as error:
                found.problems.append(f"{path}: {error.what}")
    return found


def skill_places(cwd: Path, env: Mapping[str, str], sources: Collection[str], *, trusted: bool) -> list[Path]:
    """Real directories of skills that may be read by whoever uses them: the person's, with what they link to from
    there, and a trusted repository's own, without."""
    found: dict[Path, None] = {}
    for place, source in _places("skills", cwd, env, sources):
        if not place.is_dir():
            continue
        real = place.resolve()
        if source == "user":
            linked = (each.resolve() for each in sorted(place.iterdir())[:COUNT] if each.is_symlink() and each.is_dir())
            found |= dict.fromkeys((real, *linked))
        elif trusted and paths.within(real, repository(cwd)):
            found[real] = None
    return list(found)


def _files(kind: str, cwd: Path, env: Mapping[str, str], sources: Collection[str]) -> Iterator[tuple[Path, Source]]:
    seen: set[str] = set()
    for directory, source in _places(kind, cwd, env, sources):
        real = os.path.realpath(directory)
        if real in seen:
            continue
        seen.add(real)
        yield from ((path, source) for path in _markdown(directory, kind))


def _places(kind: str, cwd: Path, env: Mapping[str, str], sources: Collection[str]) -> list[tuple[Path, Source]]:
    """The nearest first: the directories from `cwd` up to the repository's root, then the person's."""
    places: list[tuple[Path, Source]] = []
    if "project" in sources:
        root = repository(cwd)
        ups = [directory for directory in (cwd, *cwd.parents) if paths.within(directory, root)]
        places += [(directory / room / kind, "project") for directory in ups for room in ROOMS]
    if "user" in sources:
        homes = dict.fromkeys((paths.config_home(env), paths.claude_home(env)))
        places += [(home / kind, "user") for home in homes]
    return places


def _check(path: Path, source: Source, cwd: Path) -> None:
    """Nothing waits for a pipe, and a repository's links do not read for a stranger what lies outside of it.

    Raises HarnessError and OSError.
    """
    if not stat.S_ISREG(path.stat().st_mode):
        raise HarnessError("it is no regular file and does not count.")
    if source == "project" and not paths.within(Path(os.path.realpath(path)), Path(os.path.realpath(repository(cwd)))):
        raise HarnessError("it leads out of the repository and does not count.")


def _markdown(directory: Path, kind: str) -> list[Path]:
    if kind == "skills":
        return sorted(directory.glob("*/SKILL.md"))[:COUNT]
    found: list[Path] = []
    for place, below, files in os.walk(directory):
        below.sort()
        found += [Path(place, name) for name in sorted(files) if name.endswith(".md")]
    return found[:COUNT]


def _document(path: Path, found: Definitions) -> "Document":
    from harness.frontmatter import document  # noqa: PLC0415  most sessions have no definition

    with path.open("rb") as file:
        data = file.read(LIMIT + 1)
    if len(data) > LIMIT:
        raise HarnessError("it is larger than 1 MiB and does not count.")
    read = document(data.decode("utf-8", "replace"))
    if read.problem:
        found.problems.append(f"{path}: {read.problem}.")
    return read


def _agent(path: Path, source: Source, trusted: bool, found: Definitions) -> None:
    read = _document(path, found)
    name = read.text("name") or path.stem
    if not read.text("description"):
        raise HarnessError("an agent needs `name` and `description` in its front matter.")
    turns = read.fields.get("maxTurns")
    found.agents.setdefault(
        name,
        Agent(
            name=name,
            description=read.text("description"),
            prompt=read.body.strip(),
            source=source,
            path=path,
            tools=read.texts("tools") or None,
            disallowed=read.texts("disallowedTools"),
            model=read.text("model") or None,
            mode=(read.text("permissionMode") or None) if trusted else None,
            max_turns=turns if isinstance(turns, int) and turns > 0 else None,
            background=read.fields.get("background") is True,
            effort=read.text("effort") or None,
        ),
    )


def _command(path: Path, source: Source, trusted: bool, found: Definitions) -> None:
    read = _document(path, found)
    about = read.text("description") or _first_line(read.body.strip())
    command = _typed(read, path, source, trusted, name=path.stem.lower(), about=about)
    found.commands.setdefault(command.name, command)


def _skill(path: Path, source: Source, trusted: bool, found: Definitions) -> None:
    read = _document(path, found)
    body = read.body.strip()
    about = " ".join(filter(None, (read.text("description"), read.text("when_to_use")))) or _first_line(body)
    skill = Skill(
        name=path.parent.name.lower(),
        description=about[:1536],
        text=body,
        source=source,
        directory=path.parent,
        for_model=read.fields.get("disable-model-invocation") is not True,
        for_person=read.fields.get("user-invocable") is not False,
    )
    found.skills.setdefault(skill.name, skill)
    if skill.for_person:
        command = _typed(read, path, source, trusted, name=skill.name, about=skill.description, skill=True)
        found.commands.setdefault(skill.name, command)


def _typed(
    read: "Document", path: Path, source: Source, trusted: bool, *, name: str, about: str, skill: bool = False
) -> Command:
    """What a person types as /name; what it allows counts only where its source is trusted."""
    return Command(
        name=name,
        description=about,
        text=read.body.strip(),
        source=source,
        path=path,
        hint=read.text("argument-hint"),
        arguments=read.texts("arguments"),
        allowed=read.texts("allowed-tools") if trusted else (),
        model=read.text("model") or None,
        skill=skill,
    )


def _first_line(text: str) -> str:
    line = next((line.strip(" #") for line in text.splitlines() if line.strip(" #")), "")
    return line if len(line) <= 120 else line[:119] + "…"
