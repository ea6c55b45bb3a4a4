"""Paths under rules: where they are, which patterns cover them, and which nobody's rule may hand over.

Nothing here reads the disk. What a path really is, links followed, comes from `Roots.real`, which the caller
gives (`os.path.realpath` in a session, a table in tests): a decision is a pure function of it.
"""

import os
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from harness.paths import within
from harness.permissions.patterns import compiled, escaped, folded
from harness.permissions.rules import Rule


@dataclass(frozen=True, slots=True, kw_only=True)
class Roots:
    """The places that path decisions depend on. All absolute.

    `cwd` is the directory the session started in, never the one a later `cd` led to: relative rules are
    anchored there, and a model must not move them. `real` follows links (`os.path.realpath`): it takes a path
    whose `..` are not folded, never raises, and gives the place a kernel would reach.
    """

    project: Path
    cwd: Path
    home: Path
    real: Callable[[Path], Path]
    extra: tuple[Path, ...] = ()  # additional working directories
    readable: tuple[Path, ...] = ()  # free to read in every mode: trusted skills, this session's saved results
    plan_file: Path | None = None  # the one file that plan mode may write


@dataclass(frozen=True, slots=True)
class Place:
    """A path as named, `..` folded, and the place that is really reached."""

    named: Path
    real: Path

    @property
    def both(self) -> tuple[Path, ...]:
        return (self.named,) if self.named == self.real else (self.named, self.real)


def place(path: Path, roots: Roots) -> Place:
    return Place(normal(path), normal(roots.real(path)))


def normal(path: Path) -> Path:
    """`..` folded; POSIX' two leading slashes are one."""
    text = str(path)
    folded_text = "/" + os.path.normpath(text).lstrip("/")
    return path if folded_text == text else Path(folded_text)


# ---- gitignore patterns -------------------------------------------------------------------------------------


def anchored(rule: Rule, roots: Roots) -> tuple[Path, str]:
    """The directory a path rule starts from, and the pattern below it."""
    text = rule.specifier
    if text.startswith("//"):
        return Path("/"), text[1:]
    if text == "~" or text.startswith("~/"):
        return roots.home, text[1:] or "/**"
    if text.startswith("/"):
        return rule.anchor, text
    return roots.cwd, re.sub(r"\A(\./)+", "", text)


def covers(rule: Rule, path: Path, roots: Roots) -> bool:
    """Whether a path rule is about a path as it is named."""
    anchor, pattern = anchored(rule, roots)
    forbids = rule.behavior != "allow"
    spec = compiled(pattern, forbids)
    for base in {anchor, normal(roots.real(anchor))}:
        child, parent = (Path(folded(str(path))), Path(folded(str(base)))) if forbids else (path, base)
        if within(child, parent):
            below = str(child.relative_to(parent))
            if below == ".":
                return forbids and pattern in {"/**", "**"}
            if spec.match_file(below):
                return True
    return False


def path_rule(rules: Iterable[Rule], tool: str, where: Place, roots: Roots) -> Rule | None:
    """The first path rule of family `tool` (Read or Edit) that covers a place.

    An allow rule must cover the name and what it leads to, a deny or ask rule either.
    """
    for rule in rules:
        if rule.kind != "path" or rule.tool != tool:
            continue
        hits = (covers(rule, path, roots) for path in where.both)
        if all(hits) if rule.behavior == "allow" else any(hits):
            return rule
    return None


def may_cover(rules: Iterable[Rule], tool: str, pattern: str, below: bool, roots: Roots) -> Rule | None:
    """The first rule that could cover something a shell glob expands to, or (`below`) something beneath that.

    `pattern` is absolute, links not followed. Too wide rather than too narrow: it is asked for deny rules.
    """
    parts = folded(pattern).strip("/").split("/") if pattern.strip("/") else []
    for rule in rules:
        if rule.kind != "path" or rule.tool != tool:
            continue
        wanted = folded(_absolute(rule, roots, str)).split("/")
        if _overlap(tuple(part for part in wanted if part), tuple(parts), below):
            return rule
    return None


def hidden_globs(rules: Iterable[Rule], roots: Roots) -> tuple[str, ...]:
    """What path rules forbid to read, as gitignore-style globs anchored at `/`: for tools that search files."""
    return tuple(_absolute(rule, roots, escaped) for rule in rules if rule.kind == "path" and rule.tool == "Read")


def _absolute(rule: Rule, roots: Roots, name: Callable[[str], str]) -> str:
    """A deny rule's pattern from the root on; one segment counts at any depth below the anchor.

    `name` makes the anchor's path part of a pattern.
    """
    anchor, text = anchored(rule, roots)
    body = text.rstrip("/")
    floating = "/" not in body or bool(re.fullmatch(r"[^/]+/\*\*", body))
    return "/".join([name(str(anchor)).rstrip("/"), *(["**"] if floating else []), body.strip("/")])


def _overlap(rule: tuple[str, ...], glob: tuple[str, ...], below: bool) -> bool:
    """Whether some path fits both a rule's segments and a glob's; either may end above the other's end.

    A rule that ends first covers everything below; a glob that ends first reaches it only if `below`.
    """
    reached = {0}
    for part in glob:
        reached = _closure(rule, reached)
        if len(rule) in reached:
            return True
        reached = {
            after
            for state in reached
            for after in ([state] if rule[state] == "**" else [state + 1] if _may_equal(rule[state], part) else [])
        }
    reached = _closure(rule, reached)
    return len(rule) in reached or (below and bool(reached))


def _closure(rule: tuple[str, ...], states: set[int]) -> set[int]:
    grown = set(states)
    for state in sorted(states):
        while state < len(rule) and rule[state] == "**":
            state += 1  # noqa: PLW2901  `**` may stand for nothing
            grown.add(state)
    return grown


def _may_equal(one: str, other: str) -> bool:
    """Whether two segments with wildcards might be the same name; unsure counts as yes."""
    wild = re.compile(r"[*?\[\\{]")
    if not wild.search(one):
        return fnmatchcase(one, other) or one == other or "{" in other
    if not wild.search(other):
        return fnmatchcase(other, one.replace("\\", "")) or "\\" in one
    heads, tails = ({wild.split(each)[end] for each in (one, other)} for end in (0, -1))
    if re.search(r"[\[\\{]", one + other):
        tails = {""}
    return _nested(heads, str.startswith) and _nested(tails, str.endswith)


def _nested(pair: set[str], test: Callable[[str, str], bool]) -> bool:
    short, long = min(pair, key=len), max(pair, key=len)
    return test(long, short)


def literal(rule: Rule, roots: Roots) -> Path | None:
    """The one path that a rule without wildcards is about, with all below it; None for a pattern."""
    anchor, text = anchored(rule, roots)
    body = re.sub(r"/\*\*?\Z", "", text.rstrip("/"))
    if re.search(r"[*?\[\\]", body) or "/" not in text.rstrip("/") or body == text.rstrip("/").split("/")[0]:
        return None
    return anchor / body.strip("/")


def beyond(rule: Rule, roots: Roots) -> bool:
    """Whether a rule's wildcards reach outside of the working directories, where no mask can follow them."""
    anchor, _ = anchored(rule, roots)
    bases = (roots.cwd, *roots.extra)
    return rule.kind == "path" and literal(rule, roots) is None and not any(within(anchor, base) for base in bases)


# ---- working directories ------------------------------------------------------


def inside(where: Place, roots: Roots) -> bool:
    """Whether both the name and the real place are in a working directory."""
    bases = (roots.cwd, *roots.extra)
    real = tuple(normal(roots.real(base)) for base in bases)
    return any(within(where.named, base) for base in {*bases, *real}) and any(within(where.real, base) for base in real)


def readable(where: Place, roots: Roots) -> bool:
    bases = (*roots.readable, *([roots.plan_file] if roots.plan_file else []))
    real = (normal(roots.real(base)) for base in bases)  # one may link to another, as a skill's directory does
    return any(within(where.named, base) for base in bases) and any(within(where.real, base) for base in real)


def is_plan_file(where: Place, roots: Roots) -> bool:
    return roots.plan_file is not None and where.named == roots.plan_file == where.real
