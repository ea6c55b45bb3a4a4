"""What servers have taught, in one file of the cache directory: a dated entry for each endpoint and model."""

import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def entry(file: Path, endpoint: str, model: str) -> dict[str, Any]:
    """What is known of this model here; empty where nothing is, or the file is unreadable."""
    found = _read(file).get(_key(endpoint, model))
    return found if isinstance(found, dict) else {}


def remember(file: Path, endpoint: str, model: str, **parts: Mapping[str, Any]) -> None:
    """Put these parts in place of the entry's own, with the date.

    The cache is a convenience: where it cannot be written, nothing is kept.
    """
    entries = _read(file)
    before = entries.get(_key(endpoint, model))
    kept = before if isinstance(before, dict) else {}
    entries[_key(endpoint, model)] = {**kept, "learnt": time.strftime("%Y-%m-%d"), **parts}
    temporary = file.with_name(f"{file.name}.{os.getpid()}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(json.dumps(entries, indent=1), encoding="utf-8")
        temporary.replace(file)
    except OSError:
        pass  # a read-only home must not stop the session


def _key(endpoint: str, model: str) -> str:
    return f"{endpoint} {model}"


def _read(file: Path) -> dict[str, object]:
    try:
        entries = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return entries if isinstance(entries, dict) else {}
