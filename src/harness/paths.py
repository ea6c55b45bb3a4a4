"""Where things are: our state, and paths as the model writes them. Pure: nothing here touches the disk."""

import os
import re
import unicodedata
from collections.abc import Mapping
from pathlib import Path

# `sdk.md` 5: the projects/ key of a directory; longer ones are cut and get a hash.
_KEY_LIMIT = 200


def config_home(env: Mapping[str, str] = os.environ) -> Path:
    """The state directory: `$HARNESS_CONFIG_DIR`, else `$CLAUDE_CONFIG_DIR`, else `~/.harness`.

    Run by an SDK (`CLAUDE_CODE_ENTRYPOINT=sdk-*`), `$CLAUDE_CONFIG_DIR` wins: the SDK reads sessions there.
    """
    names = ["HARNESS_CONFIG_DIR", "CLAUDE_CONFIG_DIR"]
    if env.get("CLAUDE_CODE_ENTRYPOINT", "").startswith("sdk-"):
        names.reverse()
    for name in names:
        if value := env.get(name):
            return _expanded(value).absolute()
    return Path(env.get("HOME") or Path.home()) / ".harness"


def placeholder_journal(project: Path) -> Path:
    """Lock and journal of what is in a project only while its commands run (`sandbox/placeholders.py`)."""
    import hashlib  # noqa: PLC0415  many need paths, few this one

    return config_home() / "sandbox" / f"{hashlib.sha256(os.fsencode(project)).hexdigest()[:24]}.lock"


def claude_home(env: Mapping[str, str] = os.environ) -> Path:
    """Where people keep what they wrote for Claude Code: `$CLAUDE_CONFIG_DIR`, else `~/.claude`."""
    if value := env.get("CLAUDE_CONFIG_DIR"):
        return _expanded(value).absolute()
    return Path(env.get("HOME") or Path.home()) / ".claude"


def project_key(directory: Path) -> str:
    """The name under `projects/` for a real directory: every character outside [A-Za-z0-9] becomes `-`."""
    name = unicodedata.normalize("NFC", str(directory))
    key = re.sub(r"[^A-Za-z0-9]", "-", name)
    return key if len(key) <= _KEY_LIMIT else f"{key[:_KEY_LIMIT]}-{_base36(_js_hash(name))}"


def _js_hash(text: str) -> int:
    """JavaScript's 32-bit string hash, made positive: the suffix that session readers expect."""
    value = 0
    for unit in memoryview(text.encode("utf-16-le", "surrogatepass")).cast("H"):
        value = (value * 31 + unit) & 0xFFFFFFFF
    return abs(value - (1 << 32) if value & 0x80000000 else value)


def _base36(value: int) -> str:
    digits = ""
    while value:
        value, rest = divmod(value, 36)
        digits = "0123456789abcdefghijklmnopqrstuvwxyz"[rest] + digits
    return digits or "0"


def resolve(path: str, cwd: Path) -> Path:
    """A path as the model wrote it, made absolute and lexically normal (`..` folded, links not followed).

    Two leading slashes become one: POSIX lets `//etc` be another place than `/etc`, here it would be another name
    for it, which no rule knows.
    """
    normal = os.path.normpath(cwd / _expanded(path) if "~" in path else os.path.join(cwd, path))  # noqa: PTH118  quick
    return Path(normal[1:] if normal.startswith("//") else normal)


def _expanded(path: str) -> Path:
    """With `~` and `~name` made a home; as it is where nobody has that name."""
    try:
        return Path(path).expanduser()
    except (RuntimeError, ValueError):  # no such user; no text that could be a user's name
        return Path(path)


def within(path: Path, root: Path) -> bool:
    """Whether `path` is `root` or below it, by components: `/proj-evil` is not within `/proj`."""
    text, base = str(path), str(root)
    if base in {"/", "."}:
        return path == root or root in path.parents
    return text.startswith(base) and text[len(base) : len(base) + 1] in {"", "/"}


def shown(path: Path, cwd: Path) -> str:
    """A path for people and models: relative where it lies below `cwd`."""
    return str(path.relative_to(cwd)) if within(path, cwd) else str(path)
