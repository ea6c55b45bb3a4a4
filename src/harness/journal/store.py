"""The session files on this machine: found by id, name or directory, listed without reading them whole, copied, swept.

A listing reads the first and the last 64 KiB of each file by text search, as other readers of the layout do.
"""

import contextlib
import fcntl
import json
import os
import re
import shutil
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from harness.codec import line
from harness.errors import UsageError
from harness.journal.fold import Json, parsed
from harness.paths import project_key
from harness.settings.places import content
from harness.start import is_id

PART = 64 << 10  # bytes
DAY = 86_400.0  # seconds
_NOT_SAID = re.compile(r"<(local-command-stdout|session-start-hook|command-name|command-message|tick|goal|bash-input)>")


@dataclass(frozen=True, slots=True)
class Info:
    """A session as a listing shows it. `by_person`: it was held at a terminal."""

    id: str
    path: Path
    modified: float  # seconds since the epoch
    size: int
    title: str = ""
    first_prompt: str = ""
    last_prompt: str = ""
    cwd: str = ""
    branch: str = ""
    by_person: bool = True

    @property
    def name(self) -> str:
        return self.title or self.last_prompt or self.first_prompt


def info(path: Path) -> Info | None:
    """What a file says of itself; None where it is no conversation."""
    try:
        with path.open("rb") as file:
            found = os.fstat(file.fileno())
            head = file.read(PART).decode("utf-8", "replace")
            file.seek(max(0, found.st_size - PART))
            tail = file.read(PART).decode("utf-8", "replace") if found.st_size > PART else head
    except OSError:
        return None
    if not is_id(path.stem) or '"isSidechain":true' in head.partition("\n")[0].replace(" ", ""):
        return None
    title = _last(tail, "customTitle") or _last(head, "customTitle") or _last(tail, "aiTitle") or _last(head, "aiTitle")
    first = next(_prompts(head), "")
    if not title and not first:
        return None
    surface = _first(head, "entrypoint")
    return Info(
        id=path.stem,
        path=path,
        modified=found.st_mtime,
        size=found.st_size,
        title=title,
        first_prompt=first,
        last_prompt=_last(tail, "lastPrompt"),
        cwd=_first(head, "cwd"),
        branch=_last(tail, "gitBranch"),
        by_person=surface in {"", "cli"} or '"entrypoint":"cli"' in tail,
    )


def projects(home: Path, cwd: Path) -> list[Path]:
    """The directories of sessions: this project's, those of its worktrees, all the others."""
    base = home / "projects"
    near = [base / project_key(place) for place in (cwd, *worktrees(cwd))]
    with contextlib.suppress(OSError):
        near += sorted(place for place in base.iterdir() if place.is_dir() and place not in near)
    return list(dict.fromkeys(near))


def sessions(places: Iterable[Path]) -> list[Info]:
    """What these directories hold, the newest first."""
    files = (file for place in places for file in place.glob("*.jsonl"))
    return sorted((one for file in files if (one := info(file))), key=lambda one: one.modified, reverse=True)


def matching(found: Iterable[Info], words: str) -> list[Info]:
    """Those whose name or prompts hold these words."""
    wanted = words.casefold()
    return [one for one in found if wanted in f"{one.title}\n{one.first_prompt}\n{one.last_prompt}".casefold()]


def newest(home: Path, cwd: Path, *, by_person: bool) -> Info | None:
    """The newest session of this directory; `by_person`: of those held at a terminal."""
    place = home / "projects" / project_key(cwd)
    times = []
    for file in place.glob("*.jsonl"):
        with contextlib.suppress(OSError):
            times.append((file.stat().st_mtime_ns, file))
    found = (one for _, file in sorted(times, reverse=True) if (one := info(file)))
    return next((one for one in found if one.by_person or not by_person), None)


def find(home: Path, cwd: Path, wanted: str) -> Path:
    """The file of the session with that id or name, the nearest first.

    Raises:
        UsageError: there is none, or there are several of that name.
    """
    for place in projects(home, cwd):
        if is_id(wanted):
            if (file := place / f"{wanted.lower()}.jsonl").is_file():
                return file
            continue
        named = [one for one in sessions([place]) if one.title.casefold() == wanted.casefold()]
        if len(named) > 1:
            ids = ", ".join(one.id for one in named[:5])
            raise UsageError(f"Several sessions are named {wanted!r}: {ids}.", "Name one by its id.")
        if named:
            return named[0].path
    kind = "with the id" if is_id(wanted) else "named"
    raise UsageError(f"No conversation found {kind} {wanted}.", "harness sessions list --all shows those there are.")


def worktrees(cwd: Path) -> list[Path]:
    """The worktrees of the repository that holds `cwd`, read as text: git is not run for it."""
    for directory in (cwd, *cwd.parents):
        marker = directory / ".git"
        if marker.is_file():  # a linked worktree: its own directory lies in the repository's
            marker = Path(_text(marker).partition("gitdir:")[2].strip()).parent.parent
        if marker.is_dir():
            linked = (_text(file).strip() for file in marker.glob("worktrees/*/gitdir"))
            return [marker.parent, *(Path(text).parent for text in linked if text)]
    return []


def copy(source: Path, target: Path, session_id: str, until: str | None = None) -> None:
    """A session's file under another id, whole or not at all: up to the entry `until`, with a name of its own.

    Raises:
        OSError: it cannot be written.
    """
    made = target.with_suffix(".new")
    title = ""
    with source.open(encoding="utf-8", errors="replace", newline="\n") as lines, _private(made) as out:
        for text in lines:
            entry = parsed(text)
            if entry is None:
                continue  # torn
            title = str(entry.get("customTitle") or title)
            out.write(line(_forked(entry, session_id)) + "\n")
            if until is not None and entry.get("uuid") == until:
                break
        if title:
            out.write(line({"type": "custom-title", "customTitle": copied(title), "sessionId": session_id}) + "\n")
    made.replace(target)


def copied(title: str) -> str:
    """The name of a copy."""
    return f"{title} (fork)" if title else ""


def _forked(entry: Json, session_id: str) -> Json:
    came = {"sessionId": entry.get("sessionId"), "messageUuid": entry["uuid"]} if "uuid" in entry else None
    own = {**entry, "sessionId": session_id} if "sessionId" in entry else entry
    return {**own, "forkedFrom": came} if came and entry.get("type") in {"user", "assistant", "system"} else own


def remove(path: Path) -> bool:
    """Delete a session's file and what lies beside it; False where somebody holds it.

    Raises:
        OSError: it cannot be deleted.
    """
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        path.unlink()
    shutil.rmtree(path.with_suffix(""), ignore_errors=True)
    return True


def sweep(home: Path, days: float) -> int:
    """Delete our sessions that nobody has gone on with for so many days; how many there were.

    Other programs' files (where the directory is theirs, too) stay: ours begin with a line of our own type.
    """
    base = home / "projects"
    try:
        if not base.is_dir():
            return 0
        (base / ".swept").touch(mode=0o600)  # `opening.tidied` looks at its time
        return sum(_swept(file, time.time() - days * DAY) for file in base.glob("*/*.jsonl"))
    except OSError:
        return 0  # nobody waits for it; the next start tries again


def _swept(file: Path, before: float) -> bool:
    try:
        if file.stat().st_mtime >= before:
            return False
        with file.open("rb") as opened:
            ours = opened.read(20).startswith(b'{"type":"harness"')
        return ours and remove(file)
    except OSError:
        return False


def _prompts(head: str) -> Iterator[str]:
    for text in head.split("\n"):
        if '"user"' not in text or '"tool_result"' in text:
            continue
        match parsed(text):
            case {"isMeta": True} | {"isCompactSummary": True}:
                continue
            case {"type": "user", "message": {"content": content}}:
                blocks = [{"text": content}] if isinstance(content, str) else content
                for block in blocks if isinstance(blocks, list) else ():
                    said = str(block.get("text") or "") if isinstance(block, dict) else ""
                    if said.strip() and not _NOT_SAID.search(said):
                        yield " ".join(said.split())[:200]


def _first(text: str, key: str) -> str:
    found = re.search(rf'"{key}": ?"((?:[^"\\]|\\.)*)"', text)
    return _value(found[1]) if found else ""


def _last(text: str, key: str) -> str:
    found = ""
    for match in re.finditer(rf'"{key}": ?"((?:[^"\\]|\\.)*)"', text):
        found = match[1]
    return _value(found)


def _value(raw: str) -> str:
    try:
        return str(json.loads(f'"{raw}"'))
    except ValueError:
        return raw


def _text(file: Path) -> str:
    try:
        return (content(file) or b"").decode("utf-8", "replace")[:4096]
    except OSError:
        return ""


def _private(path: Path):  # type: ignore[no-untyped-def]
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    return os.fdopen(descriptor, "w", encoding="utf-8")
