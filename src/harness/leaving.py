"""Which commands run outside the sandbox: by settings, or because they cannot work inside and the person says yes.

A command is marked before it is decided on (`Runs`), so that rules, question and run speak of the same thing.
"""

import re
import stat
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from harness.messages import Mode
from harness.paths import within
from harness.sandbox.policy import Level

if TYPE_CHECKING:
    from harness.effects import Effect
    from harness.permissions.bash.leaving import GitConfig

_SECTION = re.compile(r'\s*\[\s*([\w.-]+)(?:\s+"((?:[^"\\]|\\.)*)")?\s*\]\s*(.*)')
_VALUE = re.compile(r"\s*([A-Za-z][\w-]*)\s*(?:=\s*(.*))?$")
_ESCAPED, _CHARACTER = re.compile(r"\\(.)"), r"\1"
_BOUND = 1 << 18  # bytes of one configuration file


@dataclass(frozen=True, slots=True)
class Leaving:
    """`excluded`: the settings' commands. In plan mode, and where nothing of ours holds commands, none leaves."""

    project: Path
    home: Path
    level: Level
    mode: Callable[[], Mode]
    excluded: Sequence[str] = ()

    def placed(self, effect: "Effect") -> "Effect":
        """The effect as it would be had: a command that is to leave is marked so."""
        from harness.effects import Runs  # noqa: PLC0415  with the first call

        if not isinstance(effect, Runs) or self.level not in {"full", "degraded"} or self.mode() == "plan":
            return effect
        if not self.excluded and "git" not in effect.command:
            return effect
        from harness.permissions.bash import leaving, parse  # noqa: PLC0415  loads tree_sitter

        script = parse.parse(effect.command, effect.cwd, self.home)
        if not effect.unsandboxed and leaving.excluded(script, self.excluded):
            return replace(effect, excluded=True)
        need = leaving.need(script, self._config)
        if need is None:
            return effect
        if effect.unsandboxed or need.alone:
            return replace(effect, unsandboxed=True, why=need.why)
        return replace(effect, why=f"{need.why}: run `{need.command}` in a call of its own, the rest as it is")

    def _config(self, directory: Path) -> "GitConfig | None":
        from harness.permissions.bash.leaving import GitConfig  # noqa: PLC0415

        common = repository(directory, self.project)
        if common is None:
            return None
        values: dict[str, list[str]] = {}
        for file in (self.home / ".config/git/config", self.home / ".gitconfig", common / "config"):
            for key, value in settings(_text(file)):
                values.setdefault(key, []).append(value)
        return GitConfig(values)


def repository(directory: Path, project: Path) -> Path | None:
    """The git directory that a git in `directory` would use, with what worktrees share; None where it is another than
    the project's own: what a nested repository's configuration and hooks hold, a command may have written."""
    for place in (directory, *directory.parents):
        marker = place / ".git"
        if (marker / "HEAD").is_file():
            return marker if within(project, place) else None
        _, linked, target = _text(marker).partition("gitdir:")
        if linked:
            own = place / target.strip()
            return own / (_text(own / "commondir").strip() or ".") if within(project, place) else None
    return None


def settings(text: str) -> list[tuple[str, str]]:
    """Keys and values of a git configuration file, without what it includes."""
    found, section = [], ""
    for line in text.splitlines():
        rest = line
        if header := _SECTION.match(line):
            name, sub, rest = header.groups()
            section = name.lower() if sub is None else f"{name.lower()}.{_ESCAPED.sub(_CHARACTER, sub)}"
        if (pair := _VALUE.match(rest)) and section:
            found.append((f"{section}.{pair[1].lower()}", _value(pair[2] or "")))
    return found


def _value(text: str) -> str:
    if not text.startswith('"'):
        text = re.split(r"\s*[#;]", text, maxsplit=1)[0]
    return text.strip().strip('"')


def _text(path: Path) -> str:
    """A regular file's text, '' for all else: a repository may be hostile, and nothing here waits for a pipe."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return ""
        with path.open("rb") as file:
            return file.read(_BOUND).decode("utf-8", "replace")
    except OSError:
        return ""
