"""Where snapshots are kept: one SQLite file a project, in our own directory, never in the user's `.git`.

A database and not a file for each object: thousands of small objects are written in one go, a killed process leaves
nothing half-written, two sessions of one project share it, and what is swept away is room for the next.
"""

import hashlib
import os
import sqlite3
import time
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from harness.checkpoints.tree import decode
from harness.errors import HarnessError
from harness.paths import project_key

PROMPTS = 100  # of a session, whose snapshots are kept
MAX_BYTES = 2 << 30  # of a project's file; beyond it the oldest snapshots go
DAY = 86_400.0
_PATIENCE = 30.0  # seconds to wait for another session that is writing
_TABLES = """
    CREATE TABLE IF NOT EXISTS object (id TEXT PRIMARY KEY, data BLOB NOT NULL);
    CREATE TABLE IF NOT EXISTS seen (path BLOB PRIMARY KEY, data TEXT NOT NULL);
    CREATE TABLE IF NOT EXISTS snapshot (id TEXT, session TEXT, prompt INTEGER, time REAL,
                                         PRIMARY KEY (session, prompt, id));
    CREATE TABLE IF NOT EXISTS swept (time REAL);
"""


def store_file(home: Path, cwd: Path) -> Path:
    return home / "checkpoints" / f"{project_key(cwd.resolve())}.sqlite"


class Store:
    """Objects by the hash of their bytes, what was last seen of each directory, and which snapshots there are.

    One thread at a time. All methods raise HarnessError where the file cannot be read or written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        for missing in reversed([d for d in path.parents if not d.exists()]):
            missing.mkdir(mode=0o700, exist_ok=True)
        try:
            path.touch(mode=0o600)
            self._db = sqlite3.connect(path, timeout=_PATIENCE, check_same_thread=False, isolation_level=None)
            self._db.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;" + _TABLES)
        except (sqlite3.Error, OSError) as error:
            raise _broken(path, error) from error
        self._open = False

    def close(self) -> None:
        self._db.close()

    def put(self, data: bytes) -> str:
        """Keep these bytes and return their id."""
        key = hashlib.blake2b(data, digest_size=16).hexdigest()
        if not self._rows("SELECT 1 FROM object WHERE id = ?", key):
            packed = zlib.compress(data, 1)
            stored = b"z" + packed if len(packed) < len(data) else b"r" + data
            self._write("INSERT OR IGNORE INTO object VALUES (?, ?)", key, stored)
        return key

    def get(self, key: str) -> bytes:
        for (data,) in self._rows("SELECT data FROM object WHERE id = ?", key):
            return zlib.decompress(data[1:]) if data[:1] == b"z" else bytes(data[1:])
        raise HarnessError(
            "This checkpoint is no longer kept.",
            f"The last {PROMPTS} prompts of a session are, as long as cleanupPeriodDays and the size allow.",
        )

    def has(self, keys: Iterable[str]) -> bool:
        return all(self._rows("SELECT 1 FROM object WHERE id = ?", key) for key in keys)

    def seen(self) -> dict[str, str]:
        return {os.fsdecode(path): data for path, data in self._rows("SELECT path, data FROM seen")}

    def see(self, path: str, data: str) -> None:
        self._write("INSERT OR REPLACE INTO seen VALUES (?, ?)", os.fsencode(path), data)

    def forget(self, path: str) -> None:
        self._write("DELETE FROM seen WHERE path = ?", os.fsencode(path))

    def record(self, snapshot: str, session: str, prompt: int) -> None:
        """Say that this snapshot belongs to the session's prompt of that number: it stays as long as that does."""
        self._write("INSERT OR REPLACE INTO snapshot VALUES (?, ?, ?, ?)", snapshot, session, prompt, time.time())
        self.commit()

    def last_prompt(self, session: str) -> int:
        return int(self._rows("SELECT COALESCE(MAX(prompt), 0) FROM snapshot WHERE session = ?", session)[0][0])

    def commit(self) -> None:
        if self._open:
            self._run("COMMIT")
            self._open = False

    def size(self) -> int:
        pages, free, each = (self._rows(f"PRAGMA {p}")[0][0] for p in ("page_count", "freelist_count", "page_size"))
        return int((pages - free) * each)

    def sweep(self, days: float, most: int = MAX_BYTES) -> None:
        """Let go of snapshots that are too old or too many, and of all that only they held."""
        self.commit()
        self._write("DELETE FROM snapshot WHERE time < ?", time.time() - days * DAY)
        self._write(
            "DELETE FROM snapshot WHERE prompt <= (SELECT MAX(s.prompt) FROM snapshot s "
            "WHERE s.session = snapshot.session) - ?",
            PROMPTS,
        )
        self._let_go()
        while self.size() > most and (rows := self._rows("SELECT rowid FROM snapshot ORDER BY time")[:-1]):
            for (row,) in rows[: (len(rows) + 1) // 2]:
                self._write("DELETE FROM snapshot WHERE rowid = ?", row)
            self._let_go()
        self._write("DELETE FROM swept")
        self._write("INSERT INTO swept VALUES (?)", time.time())
        self.commit()

    def due(self) -> bool:
        """Whether the last sweep was more than a day ago."""
        rows = self._rows("SELECT time FROM swept")
        if not rows:
            self._write("INSERT INTO swept VALUES (?)", time.time())
            self.commit()
        return bool(rows) and float(rows[0][0]) < time.time() - DAY

    def _let_go(self) -> None:
        live = set(self._live())
        dead = [key for (key,) in self._rows("SELECT id FROM object") if key not in live]
        for key in dead:
            self._write("DELETE FROM object WHERE id = ?", key)

    def _live(self) -> Iterator[str]:
        """What snapshots reach, and what is known of the directories as they are: the next snapshot's material."""
        from harness.checkpoints.seen import ids  # noqa: PLC0415

        held: set[str] = set()
        waiting = [key for (key,) in self._rows("SELECT DISTINCT id FROM snapshot")]
        for (data,) in self._rows("SELECT data FROM seen"):
            held.update(ids(data))
        yield from held
        walked: set[str] = set()
        while waiting:
            key = waiting.pop()
            if key in walked:
                continue
            walked.add(key)
            yield key
            if not self._rows("SELECT 1 FROM object WHERE id = ?", key):
                continue
            for entry in decode(self.get(key)).values():
                if entry.kind == "directory":
                    waiting.append(entry.value)
                elif entry.kind == "file":
                    yield entry.value

    def _write(self, statement: str, *values: object) -> None:
        if not self._open:
            self._run("BEGIN IMMEDIATE")
            self._open = True
        self._run(statement, *values)

    def _rows(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        return self._run(statement, *values).fetchall()

    def _run(self, statement: str, *values: object) -> sqlite3.Cursor:
        try:
            return self._db.execute(statement, values)
        except sqlite3.Error as error:
            self._open = False
            if self._db.in_transaction:
                self._db.rollback()
            raise _broken(self.path, error) from error


def _broken(path: Path, error: Exception) -> HarnessError:
    return HarnessError(
        f"The checkpoint store {path} cannot be used: {error}.",
        "Free some space, or delete that file: its checkpoints are lost then, nothing else.",
    )


def sweep_unused(home: Path, days: float) -> None:
    """Delete the stores of projects that nobody has worked in for that long."""
    for path in (home / "checkpoints").glob("*.sqlite"):
        try:
            if path.stat().st_mtime < time.time() - days * DAY:
                for part in (path, path.with_name(path.name + "-wal"), path.with_name(path.name + "-shm")):
                    part.unlink(missing_ok=True)
        except OSError:  # another session is at it, or it is not ours to delete
            continue
