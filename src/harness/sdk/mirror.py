"""`--session-mirror`: what was just written to the session's files, told to a program that keeps its own copy."""

import json
from collections.abc import Iterator
from pathlib import Path

from harness.sdk.wire import LINE_LIMIT, Json


class Mirror:
    """Reads what is new in the session's file, and in those of its sub-agents, each time it is asked."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._read: dict[Path, int] = {}
        for path in self._files():  # what was there before is known to whoever brought it
            self._read[path] = path.stat().st_size

    def frames(self) -> Iterator[Json]:
        for path in self._files():
            with path.open("rb") as file:
                file.seek(self._read.get(path, 0))
                data = file.read()
            whole = data[: data.rfind(b"\n") + 1]
            self._read[path] = self._read.get(path, 0) + len(whole)
            for entries in _batches(whole.splitlines()):
                yield {"type": "transcript_mirror", "filePath": str(path), "entries": entries}

    def _files(self) -> list[Path]:
        agents = sorted(self._file.with_suffix("").glob("subagents/agent-*.jsonl"))
        return [path for path in (self._file, *agents) if path.is_file()]


def _batches(lines: list[bytes]) -> Iterator[list[Json]]:
    """Entries in frames that fit a line."""
    batch: list[Json] = []
    size = 0
    for line in lines:
        if batch and size + len(line) > LINE_LIMIT // 2:
            yield batch
            batch, size = [], 0
        try:
            batch.append(json.loads(line))
        except ValueError:  # a foreign writer's
            continue
        size += len(line)
    if batch:
        yield batch
