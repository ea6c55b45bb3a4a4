"""A sub-agent's file: the session file's form, beside it in a directory of its own."""

import json
from pathlib import Path

from harness.events import Event
from harness.journal import Journal
from harness.session.origin import Origin


class Transcript:
    """Its events, kept as they come. What cannot be written is let go: the session's own file is what counts."""

    def __init__(self, journal: Journal | None) -> None:
        self._journal = journal

    @property
    def path(self) -> Path | None:
        return self._journal.path if self._journal else None

    @staticmethod
    def of(origin: Origin, agent_id: str, cwd: Path, call_id: str) -> "Transcript":
        """Beside the session's file, if one is kept."""
        if origin.journal is None:
            return Transcript(None)
        path = origin.file.with_suffix("") / "subagents" / f"agent-{agent_id}.jsonl"
        journal = Journal(path, origin.id, cwd)
        journal.entries.agent = agent_id
        try:
            journal.lock()
            path.with_suffix(".meta.json").write_text(json.dumps({"toolUseId": call_id}), "utf-8")
        except OSError:
            return Transcript(None)
        return Transcript(journal)

    def write(self, event: Event) -> None:
        try:
            if self._journal:
                self._journal.write(event)
        except OSError:
            self.close()
            self._journal = None

    def close(self) -> None:
        if self._journal:
            self._journal.close()
