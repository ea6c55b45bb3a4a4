"""The few files that are being worked on, read again after a compaction: what the model would look up first."""

from collections.abc import Mapping
from pathlib import Path

from harness.files import FileError, Files
from harness.paths import resolve, shown

FILES = 5
_LARGEST = 4 << 20  # bytes of a file that is looked at


def in_work(files: Files, cwd: Path, ledger: Mapping[str, str], room: int) -> str:
    """The latest of `ledger` (path to `changed` or `read`), changed ones first, as `room` characters hold them."""
    latest = list(ledger.items())[::-1]
    wanted = [path for path, how in latest if how == "changed"] + [path for path, how in latest if how != "changed"]
    blocks: list[str] = []
    for name in wanted[:FILES]:
        path = resolve(name, cwd)
        text = _text(files, path)
        block = f"# {shown(path, cwd)}, as it is now\n{text}"
        if text and len(block) <= room:
            blocks.append(block)
            room -= len(block)
    return "<files>\n" + "\n\n".join(blocks) + "\n</files>" if blocks else ""


def _text(files: Files, path: Path) -> str:
    """'' for what is gone, no text, or outside of the project: what was decided on then is not read again unasked."""
    try:
        with files.open_read(path) as file:
            data = file.read(_LARGEST)
        return data.decode()
    except (FileError, OSError, UnicodeDecodeError):
        return ""
