"""Commands that change files by name, what they would touch, and the removals that always ask."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from harness.permissions.bash.options import Spec, parse_options
from harness.permissions.bash.readonly import sed_operands
from harness.permissions.bash.words import Word
from harness.permissions.paths import Roots, normal
from harness.permissions.tables import names

# What acceptEdits lets run within the working directories, with the options that change nothing about that.
WRITERS: dict[str, Spec] = {
    "mkdir": Spec("pv", "parents verbose"),
    "touch": Spec("acmh", "no-create"),
    "rm": Spec("rRfdvI", "recursive force dir verbose one-file-system"),
    "rmdir": Spec("pv", "parents verbose ignore-fail-on-non-empty"),
    "mv": Spec("fnuvT", "force no-clobber update verbose no-target-directory"),
    "cp": Spec("afnprRuvTdP", "archive force no-clobber recursive update verbose no-target-directory"),
}
# Others that write what they are given: never approved by a mode, and named so that plan mode asks for them.
OTHER_WRITERS = names("ln install dd truncate tee chmod chown chgrp shred unlink mkfifo mknod rsync patch")
# Programs whose operands are files that they read, beyond the read-only list: Read rules hold for them.
OTHER_READERS = names(
    "tar zip unzip gzip gunzip zcat bzip2 xz base64 base32 xxd od awk gawk mawk nawk less more most bat view vi vim "
    "nvim nano emacs ed dd install rsync scp tee split csplit shuf pr fmt expand unexpand join iconv openssl gpg "
    "curl wget python python3 perl ruby node php sh bash zsh dash source . jq yq sqlite3 ln link patch"
)


@dataclass(frozen=True, slots=True)
class Touching:
    """Paths, as written, that a command reads and writes."""

    reads: tuple[Word, ...]
    writes: tuple[Word, ...]
    removes: bool = False  # and nothing new is put there


def touches(words: Sequence[Word]) -> Touching | str:
    """What one of `WRITERS` (or `sed -i`) would touch; why that is not known, where it is not."""
    name = words[0].text if words and words[0].literal else ""
    if name == "sed":
        found = sed_operands(words)
        if isinstance(found, str):
            return found
        return Touching(found[0], found[0]) if found[1] and found[0] else "`sed` without a file to edit"
    spec = WRITERS.get(name)
    if spec is None:
        return f"`{name}` is not on the list of file commands"
    arguments = words[1:]
    if any(word.loose - {"tilde", "glob"} for word in arguments):
        return "which files it changes is known only when it runs"
    parsed = parse_options(spec, [word.text for word in arguments])
    if parsed is None or any("glob" in word.loose and word.text[:1] in "*?[" for word in arguments):
        return f"an option of `{name}` is not on its list"
    operands = tuple(arguments[i] for i in parsed.operands)
    if not operands:
        return f"`{name}` without operands"
    if name not in {"cp", "mv"}:
        return Touching((), operands, removes=name in {"rm", "rmdir"})
    *sources, target = operands
    landing = [_below(target, source) for source in sources]
    if not sources or None in landing:
        return f"where `{name}` puts its files is not known"
    moved = operands if name == "mv" else (target,)
    return Touching(operands, (*moved, *(word for word in landing if word)))


def _below(directory: Word, source: Word) -> Word | None:
    """Where a source lands if the target is a directory; None where its name could be anything's."""
    name = source.text.rstrip("/").rsplit("/", 1)[-1]
    if name in {".", "..", "", "~"} or (name.startswith(".") and "glob" in source.loose):
        return None
    return Word("", f"{directory.text.rstrip('/')}/{name}", directory.loose | source.loose)


# ---- removals that no rule and no mode approves (`conventions.md` 2.4)

_VARIABLE = re.compile(r"\$(\w+|\{\w+\})|\$\{\w+[^}]*\}")


def critical_removal(
    words: Sequence[Word], cwds: Sequence[Path | None], roots: Roots, *, from_input: bool = False
) -> str:
    """Why this `rm` or `rmdir` must be confirmed by a person; '' where it need not be.

    `from_input`: its operands come from elsewhere (`xargs`).
    """
    if not words or words[0].text.rsplit("/", 1)[-1] not in {"rm", "rmdir"}:
        return ""
    options = [word.text for word in words[1:] if word.text.startswith("-") and word.text != "-"]
    targets = [word for word in words[1:] if word.text.startswith("-") is False]
    recursive = words[0].text.endswith("rmdir") or any(
        option in {"--recursive", "--no-preserve-root"} or re.match(r"-\w*[rR]", option) for option in options
    )
    if from_input and recursive and not targets:
        return "what it removes is read from its input"
    critical = _critical_places(roots)
    for word in targets:
        for text in _alternatives(word):
            for cwd in cwds or (None,):
                if problem := _critical(text, word, cwd, recursive, critical, roots):
                    return problem
    return ""


def _critical_places(roots: Roots) -> set[Path]:
    bases = {roots.cwd, roots.project, roots.home}
    bases |= {normal(roots.real(base)) for base in bases}
    return bases | {parent for base in bases for parent in base.parents}


def _alternatives(word: Word) -> Iterator[str]:
    """The word, or with its first braces expanded (nested ones: each part on its own)."""
    match = re.search(r"\{([^{}]*,[^{}]*)\}", word.text) if "brace" in word.loose else None
    if not match:
        yield word.text
        return
    for part in match[1].split(","):
        yield word.text[: match.start()] + part + word.text[match.end() :]


def _critical(text: str, word: Word, cwd: Path | None, recursive: bool, critical: set[Path], roots: Roots) -> str:
    text = re.sub(r"\A\$(HOME\b|\{HOME\})", str(roots.home), text)
    text = re.sub(r"\A\$(PWD\b|\{PWD\})", str(cwd or "/"), text)
    if "tilde" in word.loose and text.startswith("~"):
        if text != "~" and not text.startswith("~/"):
            return "it removes another user's home" if "/" not in text.rstrip("/*") else ""
        text = str(roots.home) + text[1:]
    variable = _VARIABLE.match(text)
    if variable or (word.loose & {"variable", "substitution", "complex"} and text.startswith(("$", "`"))):
        rest = text[variable.end() :] if variable else ""
        bare = bool(variable) and re.fullmatch(r"/+[./*]*", rest)
        return "it removes everything below a variable that may be empty" if bare else ""
    globbed = "glob" in word.loose and recursive
    if globbed and re.search(r"(\A|/)\.?\*+/?\Z", text):
        text = re.sub(r"\.?\*+/?\Z", "", text) or "."
        critical = critical | set(roots.extra)
        globbed = "*" in text or "?" in text or "[" in text
    if not text.startswith("/"):
        if cwd is None:
            return "it removes from a place that is not known" if recursive and text in {".", "*", "./"} else ""
        text = f"{cwd}/{text}"
    lexical, real = normal(Path(text)), normal(roots.real(Path(text)))
    if globbed and any(_matches_glob(lexical, place) for place in critical):
        return f"it may remove {lexical}"
    for path in (lexical, real):
        if path in critical or len(path.parts) <= 2:
            return f"it removes {path}"
    return ""


def _matches_glob(pattern: Path, place: Path) -> bool:
    pairs = list(zip(pattern.parts, place.parts, strict=False))
    return len(pattern.parts) == len(place.parts) and all(fnmatchcase(name, glob) for glob, name in pairs)
