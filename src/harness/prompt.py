"""What the model is told besides the conversation: the system prompt, and the facts of this session.

The system prompt is the same for every session of a version, so that servers' prefix caches hold. Facts that
differ (directory, date, git state, mode) ride at the end of the first message, and are frozen there: what changes
is said with a later prompt, and all of it once more after a compaction.
"""

import os
import platform
import re
import shutil
import stat
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from harness.messages import HistoryMessage, Mode, Text, User

# Programs whose presence changes what a model would try; looked up on PATH, never started.
PROGRAMS = (
    "git",
    "rg",
    "python3",
    "pytest",
    "uv",
    "ruff",
    "mypy",
    "node",
    "npm",
    "cargo",
    "go",
    "make",
    "gcc",
    "java",
    "curl",
)
_IN_PYTHON = ("pytest", "ruff", "mypy")

_SMALL = "So ask for one file, or a part of one, at a time, and print little: what is too long is cut."
_OPEN, _CLOSE = "<environment>", "</environment>"

_MODES: Mapping[Mode, str] = {
    "default": "default: reads and read-only commands (ls, git diff) run, all else needs the user's yes",
    "acceptEdits": "acceptEdits: reads, edits in the project and sandboxed commands run, all else needs the user's yes",
    "plan": "plan: nothing can be changed. Reads and read-only commands (ls, git diff) run, other commands need the "
    "user's yes. Answer with a plan or a review{plan}",
    "auto": "auto: reads and edits in the project run, the rest is judged by what the user said",
    "dontAsk": "dontAsk: reads and read-only commands (ls, git diff) run, all else is denied",
    "bypassPermissions": "bypassPermissions: nothing is asked; the sandbox still holds",
}


def system_prompt() -> str:
    return Path(__file__).with_name("prompts").joinpath("system.md").read_text("utf-8").strip()


@dataclass(frozen=True, slots=True)
class Facts:
    """`sandbox` is one sentence on what holds commands; `headless`: nobody can be asked; `allowed`: the user's
    allow rules as written, and what the settings allow besides; `plan`: the file that plan mode may write;
    `programs`: what commands find besides the machine's own; `window`: its tokens, where it is so small that it must
    be known."""

    cwd: Path
    mode: Mode
    sandbox: str
    headless: bool
    allowed: tuple[str, ...] = ()
    plan: Path | None = None
    programs: tuple[str, ...] = ()
    window: int = 0


def environment(facts: Facts) -> str:
    """The block that ends the first user message. Starts no process: it is on the way to the first request."""
    there = [program for program in PROGRAMS if program in facts.programs or shutil.which(program)]
    lines = [
        f"Working directory: {_printable(str(facts.cwd))} (relative paths start here)",
        f"System: {platform.system()} {platform.release()}, commands run in bash",
        f"Python: {_python(facts.cwd)}",
        f"Programs: {', '.join(there) or 'none of the usual ones'}",
        f"Git: {git_branch(facts.cwd)}",
        f"Sandbox: {facts.sandbox}",
        f"Permission mode: {_MODES[facts.mode].replace('{plan}', _plan(facts))}" + _rest(facts),
        *([f"Context window: {facts.window:,} tokens. {_SMALL}"] if facts.window else []),
        f"Date: {date.today().isoformat()}",  # noqa: DTZ011  the person's own day
    ]
    return "\n".join([_OPEN, *lines, _CLOSE])


def untold(now: str, history: Iterable[HistoryMessage]) -> str:
    """The lines of an environment block that the conversation's own blocks do not have so; '' where it has them all."""
    known: dict[str, str] = {}
    for message in history:
        if isinstance(message, User):  # whose first part is what the person wrote
            told = (part.text for part in message.parts[1:] if isinstance(part, Text))
            known |= {_key(line): line for text in told if text.startswith(_OPEN) for line in text.splitlines()}
    news = [line for line in now.splitlines()[1:-1] if known.get(_key(line)) != line]
    return "\n".join([_OPEN, *(["Changed:"] if known else []), *news, _CLOSE]) if news else ""


def _key(line: str) -> str:
    return line.partition(": ")[0]


def _printable(text: str) -> str:
    """The name of a directory or a rule may hold anything, line ends too: what is not plain text comes escaped."""
    return text if text.isprintable() else ascii(text)


def _plan(facts: Facts) -> str:
    return f"; a long plan may be kept in {_printable(str(facts.plan))}, the one file to write" if facts.plan else ""


def _rest(facts: Facts) -> str:
    """What the mode leaves open: the user's rules, and what becomes of a question without a person."""
    rules = f"; allowed too: {', '.join(map(_printable, facts.allowed[:20]))}" if facts.allowed else ""
    asks = facts.mode not in {"dontAsk", "bypassPermissions"}
    return rules + ("; nobody can be asked in this run: what needs a yes is denied" if facts.headless and asks else "")


def _python(cwd: Path) -> str:
    """The environment that the project's commands are meant for, its version and what of PROGRAMS it holds."""
    active = os.environ.get("VIRTUAL_ENV")
    place = Path(active) if active and Path(active) != Path(sys.prefix) else None
    how = f"active virtual environment {place}"
    for name in () if place else (".venv", "venv"):
        if os.path.exists(cwd / name / "bin" / "python"):  # noqa: PTH110  never raises
            place, how = cwd / name, f"virtual environment, run ./{name}/bin/python"
            break
    if place is None:
        return "no virtual environment"
    version = re.search(r"^version(?:_info)? *= *([0-9][0-9.]{0,20})", _start_of(place / "pyvenv.cfg"), re.MULTILINE)
    held = [program for program in _IN_PYTHON if os.path.exists(place / "bin" / program)]  # noqa: PTH110  as above
    return (f"{version[1]}, " if version else "") + how + (f" (has {', '.join(held)})" if held else "")


def git_branch(cwd: Path) -> str:
    """The branch as `.git/HEAD` has it, read as text: git itself is never run on an untrusted project here."""
    for directory in (cwd, *cwd.parents):
        marker = directory / ".git"
        # a linked worktree: the file names the directory that holds HEAD
        _, linked, target = _start_of(marker).partition("gitdir:")
        if head := _head(_start_of((directory / target.strip() if linked else marker) / "HEAD")):
            return head
    return "not a repository"


def _start_of(path: Path) -> str:
    """The first 4 KiB of a regular file; empty for all else. A repository may be hostile: a pipe is not waited
    for, and a link is not followed, since what it names may be a secret."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NOCTTY)
    except (OSError, ValueError):  # ValueError: the name holds a NUL
        return ""
    try:
        return os.read(fd, 4096).decode("utf-8", "replace") if stat.S_ISREG(os.fstat(fd).st_mode) else ""
    except OSError:
        return ""
    finally:
        os.close(fd)


def _head(text: str) -> str:
    """What HEAD says; empty where it is no HEAD. A branch name that could carry a sentence is not repeated."""
    text = text.strip()
    if re.fullmatch(r"[0-9a-f]{40,64}", text):
        return f"detached at {text[:12]}"
    if not text.startswith("ref:"):
        return ""
    branch = text.removeprefix("ref:").strip().removeprefix("refs/heads/")
    return f"on {branch}" if re.fullmatch(r"[\w./@+-]{1,100}", branch) else "on a branch with an unusual name"
