"""What the model is told besides the conversation: the system prompt, and the facts of this session.

The system prompt is the same for every session of a version, so that servers' prefix caches hold. Facts that
differ (directory, date, git state, mode) ride at the end of the first message, and are frozen there.
"""

import os
import platform
import re
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from importlib import resources
from pathlib import Path

from harness.messages import Mode

# Programs whose presence changes what a model would try; looked up on PATH, never started.
PROGRAMS = ("git", "rg", "python3", "pytest", "uv", "ruff", "mypy", "node", "npm", "cargo", "go", "make", "gcc", "java")

_MODES: Mapping[Mode, str] = {
    "default": "default: edits and most commands are put to the user first",
    "acceptEdits": "acceptEdits: edits in the project run without asking",
    "plan": "plan: read only. Investigate, then answer with a plan or a review; nothing can be changed",
    "auto": "auto: reads and edits in the project run, the rest is judged",
    "dontAsk": "dontAsk: only what is read-only or allowed by a rule runs; nothing is asked",
    "bypassPermissions": "bypassPermissions: nothing is asked; the sandbox still holds",
}


def system_prompt() -> str:
    return resources.files("harness").joinpath("prompts", "system.md").read_text("utf-8").strip()


@dataclass(frozen=True, slots=True)
class Facts:
    """`sandbox` is one sentence on what holds commands; `headless`: nobody can be asked."""

    cwd: Path
    mode: Mode
    sandbox: str
    headless: bool


def environment(facts: Facts) -> str:
    """The block that ends the first user message. Starts no process: it is on the way to the first request."""
    lines = [
        f"Working directory: {facts.cwd} (relative paths start here)",
        f"System: {platform.system()} {platform.release()}, commands run in bash",
        f"Python: {platform.python_version()}{_virtual_env(facts.cwd)}",
        f"Programs: {', '.join(p for p in PROGRAMS if shutil.which(p)) or 'none of the usual ones'}",
        f"Git: {git_branch(facts.cwd)}",
        f"Sandbox: {facts.sandbox}",
        f"Permission mode: {_MODES[facts.mode]}" + ("; nobody can be asked in this run" if facts.headless else ""),
        f"Date: {date.today().isoformat()}",  # noqa: DTZ011  the person's own day
    ]
    return "<environment>\n" + "\n".join(lines) + "\n</environment>"


def _virtual_env(cwd: Path) -> str:
    active = os.environ.get("VIRTUAL_ENV")
    found = [name for name in (".venv", "venv") if (cwd / name / "bin" / "python").exists()]
    if active and Path(active) != Path(sys.prefix):
        return f", active virtual environment {active}"
    return f", virtual environment in ./{found[0]} (run ./{found[0]}/bin/python)" if found else ""


def git_branch(cwd: Path) -> str:
    """The branch as `.git/HEAD` has it, read as text: git itself is never run on an untrusted project here."""
    for directory in (cwd, *cwd.parents):
        marker = directory / ".git"
        try:
            if marker.is_file():  # a linked worktree: the file names the directory that holds HEAD
                marker = directory / marker.read_text("utf-8").removeprefix("gitdir:").strip()
            head = _head(marker / "HEAD")
        except (OSError, UnicodeDecodeError):
            continue
        if head:
            return head
    return "not a repository"


def _head(path: Path) -> str:
    """What HEAD says; empty where there is none. A repository may be hostile: a pipe is not read, and a branch
    name that could carry a sentence is not repeated."""
    if not path.is_file():
        return ""
    head = path.read_text("utf-8").strip()
    if not head.startswith("ref:"):
        return f"detached at {head[:12]}"
    branch = head.removeprefix("ref: refs/heads/")
    return f"on {branch}" if re.fullmatch(r"[\w./@+-]{1,100}", branch) else "on a branch with an unusual name"
