"""The memory of one session: which files are in it, what they say, and what is said about those that are not.

Memory is text for the model and nothing else: nothing here runs or widens a right, so that it counts from a
repository nobody has trusted yet. What must not happen is that it reads for a stranger: a file that the project
imports, or links to, from outside of it is read only once the person has said so.
"""

import json
import os
import stat
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from harness import paths
from harness.memory import places
from harness.memory.places import Kind, Place
from harness.memory.text import imports, stripped
from harness.paths import within
from harness.settings.places import MANAGED, SOURCES

FILE_LIMIT = 4 << 20  # bytes; a larger one is left out
LONG = 40_000  # characters from which a file is told to be long
DEPTH = 4  # imports within imports
AUTO_LINES, AUTO_BYTES = 200, 25_000
PATTERNS = 1000  # of all rules together
HOW = (
    "Your own notes on this project, for later sessions. When you learn what will matter again and no file shows "
    "(a decision, a preference, a trap), write it to a file of its topic in {directory}, with a line in MEMORY.md."
)  # said where the person has switched it on


@dataclass(frozen=True, slots=True)
class MemoryFile:
    """`text` as the model reads it. `paths`: patterns of files for which a rule counts, () for always."""

    path: Path
    kind: Kind
    text: str
    parent: Path | None = None  # the file that imports it
    paths: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a session wants of memory. `excluded`: globs on absolute paths; `claude_md`: the owner's own text."""

    cwd: Path
    env: Mapping[str, str]
    sources: Collection[str] = SOURCES
    managed: Collection[Path] = MANAGED
    excluded: tuple[str, ...] = ()
    claude_md: str = ""
    auto: bool | None = None
    auto_directory: str | None = None


@dataclass(slots=True)
class Memory:
    """`files` are those that count, in order; `waiting` rules that wait for a file they are about."""

    wanted: Wanted
    files: list[MemoryFile] = field(default_factory=list)
    waiting: list[MemoryFile] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    _seen: set[Path] = field(default_factory=set)
    _patterns: int = 0

    @staticmethod
    def load(wanted: Wanted) -> "Memory":
        """Read what is there. Never raises: what cannot be read is in `notices`."""
        memory = Memory(wanted)
        if wanted.env.get("CLAUDE_CODE_DISABLE_CLAUDE_MDS") in {"1", "true"}:
            return memory
        for place in places.person(wanted.env, wanted.managed, wanted.sources):
            memory._add(place)
        if wanted.claude_md:
            memory.files.append(MemoryFile(Path("managed settings"), "Managed", wanted.claude_md))
        for place in places.project(wanted.cwd, wanted.sources):
            memory._add(place)
        if wanted.auto is not False and wanted.env.get("CLAUDE_CODE_DISABLE_AUTO_MEMORY") not in {"1", "true"}:
            memory._index()
        return memory

    def opening(self) -> str:
        """What the model is told at the start; '' where there is nothing."""
        return told(self.files)

    def after_reading(self, path: Path) -> list[MemoryFile]:
        """What counts from now on because `path` (absolute) has been read: its directories' files and rules."""
        before = len(self.files)
        for place in places.below(path, self.wanted.cwd, self.wanted.sources):
            self._add(place)
        for rule in [rule for rule in self.waiting if _covers(rule, path, self.wanted.cwd)]:
            self.waiting.remove(rule)
            self.files.append(rule)
        return self.files[before:]

    # ---- reading

    def _add(self, place: Place) -> None:
        self.files += self._read(place, DEPTH, None)

    def _read(self, place: Place, depth: int, parent: Path | None) -> Iterator[MemoryFile]:
        if not _regular(place.path):  # most are not there
            return
        real = Path(os.path.realpath(place.path))
        if real in self._seen or self._excluded(place.path):
            return
        if not within(real, Path(os.path.realpath(place.home))) and real not in approved(self.wanted):
            self.notices.append(
                f"{parent or place.path} {'imports' if parent else 'leads to'} {real}, outside of the project: it is "
                f"not read. To allow it for good: /memory allow {real}"
            )
            return
        self._seen.add(real)
        text = self._text(place.path)
        if text is None:
            return
        file = MemoryFile(place.path, place.kind, text, parent)
        if place.rule and text.startswith("---"):
            file = self._rule(file)
        inner = stripped(file.text)
        yield from self._kept(replace(file, text=inner))
        for name in imports(file.text) if depth else ():
            path = paths.resolve(name, place.path.parent)
            if _regular(path):
                yield from self._read(Place(path, place.kind, place.home), depth - 1, place.path)

    def _kept(self, file: MemoryFile) -> Iterator[MemoryFile]:
        if file.paths:
            self.waiting.append(file)
        elif file.text:
            yield file
        if len(file.text) > LONG:
            self.notices.append(
                f"{file.path} has {len(file.text):,} characters, in every request: under 200 lines works best."
            )

    def _text(self, path: Path) -> str | None:
        try:
            with path.open("rb") as file:
                data = file.read(FILE_LIMIT + 1)
        except OSError as error:
            self.notices.append(f"{path} cannot be read: {error.strerror}.")
            return None
        if len(data) > FILE_LIMIT:
            self.notices.append(f"{path} is larger than {FILE_LIMIT >> 20} MiB: it is left out.")
            return None
        return data.decode("utf-8", "replace")

    def _rule(self, file: MemoryFile) -> MemoryFile:
        from harness.frontmatter import document  # noqa: PLC0415  few projects have rules

        read = document(file.text)
        if read.problem:
            self.notices.append(f"{file.path}: {read.problem}; it counts for all files.")
        patterns = tuple(each for text in read.texts("paths") for each in braces(text))
        self._patterns += len(patterns)
        if self._patterns > PATTERNS:
            self.notices.append(f"{file.path}: more than {PATTERNS} path patterns in all rules; its own do not count.")
            patterns = ()
        return replace(file, text=read.body, paths=patterns)

    def _index(self) -> None:
        place = places.auto(self.wanted.cwd, self.wanted.env, self.wanted.auto_directory)
        text = ((_regular(place.path) and self._text(place.path)) or "").strip()
        lines = text.splitlines()[:AUTO_LINES]
        cut = "\n".join(lines).encode()[:AUTO_BYTES].decode("utf-8", "ignore").strip()
        if len(cut) < len(text):
            self.notices.append(
                f"{place.path}: only its first {AUTO_LINES} lines, {AUTO_BYTES // 1000} KB at most, are read."
            )
        if self.wanted.auto:
            cut = f"{HOW.format(directory=place.path.parent)}\n\n{cut or '(nothing yet)'}"
        if cut:
            self.files.append(MemoryFile(place.path, "Auto", cut))

    def _excluded(self, path: Path) -> bool:
        if not self.wanted.excluded:
            return False
        from pathspec import GitIgnoreSpec  # noqa: PLC0415  seldom set

        return GitIgnoreSpec.from_lines(self.wanted.excluded).match_file(str(path).lstrip("/"))


def told(files: Iterable[MemoryFile]) -> str:
    """Memory as the model reads it: each file's text under its path."""
    blocks = [f"# {file.path}\n{file.text}" for file in files]
    if not blocks:
        return ""
    return (
        "<memory>\nStanding instructions from the user and the project, by file.\n\n"
        + "\n\n".join(blocks)
        + "\n</memory>"
    )


def braces(pattern: str, left: int = 64) -> list[str]:
    """`src/{a,b}.ts` as two patterns."""
    start = pattern.find("{")
    end = pattern.find("}", start)
    if start < 0 or end < 0 or left <= 0:
        return [pattern]
    options = pattern[start + 1 : end].split(",")
    return [
        each
        for option in options
        for each in braces(pattern[:start] + option + pattern[end + 1 :], left // len(options))
    ]


def _covers(rule: MemoryFile, path: Path, cwd: Path) -> bool:
    from pathspec import GitIgnoreSpec  # noqa: PLC0415  few projects have rules

    below = str(path.relative_to(cwd)) if within(path, cwd) else str(path).lstrip("/")
    try:
        return GitIgnoreSpec.from_lines(rule.paths).match_file(below)
    except ValueError:
        return False


def _regular(path: Path) -> bool:
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except (OSError, ValueError):
        return False


# ---- what the person has allowed ------------------------------------------------


def approved(wanted: Wanted) -> frozenset[Path]:
    """Files outside of this project that its memory may read."""
    try:
        found = json.loads(_record(wanted).read_bytes()).get(str(wanted.cwd))
    except (OSError, ValueError, AttributeError):
        return frozenset()
    return frozenset(Path(each) for each in found if isinstance(each, str)) if isinstance(found, list) else frozenset()


def approve(wanted: Wanted, path: Path) -> None:
    """Allow one for good. Raises OSError where it cannot be recorded."""
    record = _record(wanted)
    try:
        whole = json.loads(record.read_bytes())
    except (OSError, ValueError):
        whole = {}
    whole = whole if isinstance(whole, dict) else {}
    whole[str(wanted.cwd)] = sorted({*map(str, approved(wanted)), os.path.realpath(path)})
    record.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = record.with_suffix(".new")
    fresh.write_text(json.dumps(whole, indent=1))
    fresh.replace(record)


def _record(wanted: Wanted) -> Path:
    return paths.config_home(wanted.env) / "imports.json"
