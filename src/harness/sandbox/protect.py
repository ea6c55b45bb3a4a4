"""What inside the project no command may change: names that git, editors, shells or we ourselves execute later.

Here the disk is read and the facts are returned; `bwrap` and `seatbelt` turn them into mounts and rules.
Whatever is missing but would be executed if it appeared gets a placeholder (CVE-2026-25725's class).
"""

import os
import re
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from harness.errors import SandboxUnavailable
from harness.sandbox.masks import mode

# Protected also when missing; never to be a link, since a link cannot be covered. What is missing is an empty directory
# meanwhile, `.mcp.json` too: no git sees one, so `git add -A` cannot commit it.
ALWAYS = (".harness", ".claude", ".mcp.json")
# Protected where they exist.
_NAMES = """
    .vscode .idea .husky .devcontainer .config/git .gitmodules .gitconfig .bashrc .bash_profile .bash_login
    .profile .zshrc .zshenv .zprofile .envrc .npmrc .yarnrc .yarnrc.yml .pre-commit-config.yaml .ripgreprc
"""
NAMES = tuple(_NAMES.split())
_TOPS = frozenset(name.partition("/")[0] for name in NAMES)
WRITABLE_WITHIN = (".claude/worktrees",)
SKIPPED = frozenset({"node_modules", ".venv", "venv", "__pycache__", ".tox", ".mypy_cache", "target"})
SCAN_DEPTH = 4
# Each name is a mount, and mounts are what a sandbox's start costs. Beyond this many a nested repository is one name:
# its whole `.git` is read-only, and commits in it are the user's own.
MOUNTED = 40
SETTLED = 2_000_000_000  # nanoseconds after which a directory's ctime tells every change
_BOUND = 4 << 20  # bytes of a file that is read here
SCAN_LIMIT = 20_000  # directories looked at; beyond it a nested repository is not seen


@dataclass(frozen=True, slots=True)
class Placeholder:
    """An entry that exists only while a command runs. `content` None: an empty directory."""

    path: Path
    content: bytes | None = b""


@dataclass(slots=True)
class Protection:
    """`read_only`: existing paths or placeholders. `pinned`: writable, but not to be renamed or replaced.
    `sighted`: see `sightings`."""

    read_only: list[Path] = field(default_factory=list)
    pinned: list[Path] = field(default_factory=list)
    placeholders: list[Placeholder] = field(default_factory=list)
    sighted: frozenset[Path] = frozenset()

    def missing(self, path: Path, content: bytes | None) -> None:
        self.placeholders.append(Placeholder(path, content))
        self.read_only.append(path)


def survey(root: Path) -> Protection:
    """Everything to protect below a writable directory.

    Raises SandboxUnavailable where a name that must be covered is a symbolic link.
    """
    found = Protection()
    _configuration(root, found)
    entries, bare = _repositories(root)
    for git in entries:
        if git.is_symlink():
            raise _is_link(git)
        if git.is_dir() and len(found.read_only) < MOUNTED:
            _git_directory(git, found)
        else:
            found.read_only.append(git)
            if git.parent == root and (linked := linked_worktree(git)):
                _worktree(*linked, found)
    _check_links(found)
    found.sighted = frozenset((*entries, *bare, *_names(root)))
    return found


def _check_links(found: Protection) -> None:
    """A mount, or an entry of ours, at a link would be one at whatever the link names: a secret would be shown inside,
    a place outside of the project be writable. Raises SandboxUnavailable."""
    placed = (placeholder.path for placeholder in found.placeholders)
    for path in {each for one in (*found.read_only, *found.pinned, *placed) for each in (one, one.parent)}:
        if os.path.islink(path):  # noqa: PTH114  many of them: no Path objects
            raise _is_link(path)


def sightings(root: Path) -> frozenset[Path]:
    """What a command can have made and others may execute: repositories, with or without a working tree, and names
    that are protected once they exist. Looked for again after a command."""
    entries, bare = _repositories(root)
    return frozenset((*entries, *bare, *_names(root)))


def scanned(root: Path) -> tuple[list[str], list[Path]]:
    """The directories that are looked at for repositories, and the `.git` found there."""
    directories: list[str] = []
    return directories, _repositories(root, directories)[0]


def _names(root: Path) -> Iterator[Path]:
    return (path for name in _named(root) if os.path.lexists(path := root / name))


def _named(root: Path) -> tuple[str, ...]:
    """The protected names that may be there: one reading of the directory instead of one question for each."""
    try:
        return _look(str(root)).named
    except OSError:
        return NAMES


def linked_worktree(gitfile: Path) -> tuple[Path, Path] | None:
    """(shared git directory, this worktree's directory in it), if the latter points back to `gitfile`.

    Without that check a hostile `.git` file could make any directory writable.
    """
    try:
        target = _text(gitfile).split("gitdir:", 1)[1].strip()
        own = Path(os.path.realpath(gitfile.parent / target))
        back = _text(own / "gitdir").strip()
        common = Path(os.path.realpath(own / _text(own / "commondir").strip()))
    except (OSError, IndexError, UnicodeDecodeError, ValueError):
        return None
    ours = os.path.realpath(own / back) == os.path.realpath(gitfile)
    return (common, own) if ours and own.parent == common / "worktrees" and (common / "HEAD").is_file() else None


def _configuration(root: Path, found: Protection) -> None:
    for name in ALWAYS:
        path = root / name
        if path.is_symlink():
            raise _is_link(path)
        if not path.exists():
            found.missing(path, None)
        else:
            found.read_only.append(path)
    for name in _named(root):
        # Of a link the target is protected; the link itself can be replaced (a documented residual).
        if mode(root / name) and root in (path := Path(os.path.realpath(root / name))).parents:
            found.read_only.append(path)
    found.pinned += [root / name for name in WRITABLE_WITHIN if (root / name).is_dir()]


def _repositories(root: Path, visited: list[str] | None = None) -> tuple[list[Path], list[Path]]:
    """Every `.git` to a depth of four, the project's own and those of nested repositories; and every directory that
    git takes for a repository without one."""
    entries: list[Path] = []
    bare: list[Path] = []
    level, seen = [str(root)], 0
    for _ in range(SCAN_DEPTH + 1):
        below: list[str] = []
        for directory in level:
            seen += 1
            if seen > SCAN_LIMIT:
                return entries, bare
            try:
                found = _look(directory)
            except OSError:
                continue  # vanished or unreadable: then not the command's to read either
            below += found.below
            if visited is not None:
                visited.append(directory)
            if found.git:
                entries.append(Path(directory, ".git"))
            if found.bare:
                bare.append(Path(directory))
        level = below
    return entries, bare


@dataclass(frozen=True, slots=True)
class _Seen:
    """A directory as it was when it was read. No program can set a ctime; every new or removed entry changes it."""

    ctime: int
    inode: int
    git: bool
    bare: bool
    named: tuple[str, ...]
    below: tuple[str, ...]


_BARE = {"HEAD", "objects", "refs"}
_seen: dict[str, _Seen] = {}


def _look(directory: str) -> _Seen:
    """The directory as it is now: read again only if it has changed since, a `stat` being a fifth of the work."""
    state = os.stat(directory, follow_symlinks=False)  # noqa: PTH116  20,000 of them: no Path objects
    known = _seen.get(directory)
    if known and known.ctime == state.st_ctime_ns and known.inode == state.st_ino:
        return known
    names, below = set(), []
    with os.scandir(directory) as entries:
        for entry in entries:
            names.add(entry.name)
            if entry.name != ".git" and entry.name not in SKIPPED and entry.is_dir(follow_symlinks=False):
                below.append(entry.path)
    named = tuple(name for name in NAMES if name.partition("/")[0] in names) if names & _TOPS else ()
    found = _Seen(state.st_ctime_ns, state.st_ino, ".git" in names, names >= _BARE, named, tuple(below))
    # A change within one tick of the clock leaves the ctime as it is: what is that young is read again.
    if time.time_ns() - state.st_ctime_ns > SETTLED:
        if len(_seen) > 2 * SCAN_LIMIT:
            _seen.clear()
        _seen[directory] = found
    return found


def _git_directory(git: Path, found: Protection) -> None:
    found.pinned.append(git)
    for name, content in (("hooks", None), ("config", b""), ("commondir", b".\n")):
        # `commondir` would redirect configuration and hooks to another directory; "." means this one.
        path = git / name
        if path.is_symlink():
            raise _is_link(path)
        if path.exists():
            found.read_only.append(path)
        elif name != "config":
            found.missing(path, content)
    if os.path.lexists(attributes := git / "info" / "attributes"):
        found.pinned.append(attributes.parent)
        found.read_only.append(attributes)
    _worktree_config(git, git, found)
    if (git / "worktrees").is_dir():
        found.read_only.append(git / "worktrees")
    if (modules := git / "modules").is_dir() and not modules.is_symlink():
        _modules(modules, found)


def _modules(directory: Path, found: Protection, depth: int = SCAN_DEPTH) -> None:
    """The git directories of submodules: a name with slashes lies deeper, and every step is pinned."""
    found.pinned.append(directory)
    for path in sorted(directory.iterdir()):
        if path.is_symlink() or not path.is_dir():
            continue
        if (path / "HEAD").exists():
            _git_directory(path, found)
        elif depth:
            _modules(path, found, depth - 1)


def _worktree(common: Path, own: Path, found: Protection) -> None:
    _git_directory(common, found)
    found.pinned.append(own)
    found.read_only += [own / "commondir", own / "gitdir"]
    _worktree_config(common, own, found)


def _worktree_config(common: Path, own: Path, found: Protection) -> None:
    """`config.worktree` counts only where the configuration switches it on."""
    path = own / "config.worktree"
    if path.exists():
        found.read_only.append(path)
    elif re.search(rb"worktreeconfig", _bytes(common / "config"), re.IGNORECASE):
        found.missing(path, b"")


def _bytes(path: Path) -> bytes:
    """A regular file's bytes, b'' for all else: commands can write here. What a link names is not read, and a pipe is
    not waited for."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return b""
    with os.fdopen(descriptor, "rb") as file:
        return file.read(_BOUND) if stat.S_ISREG(os.fstat(descriptor).st_mode) else b""


def _text(path: Path) -> str:
    return _bytes(path).decode()


def _is_link(path: Path) -> SandboxUnavailable:
    return SandboxUnavailable(
        f"{path} is a symbolic link: the sandbox cannot keep commands from replacing it.",
        "Put the directory or file itself in the link's place, or run with --no-sandbox.",
    )
