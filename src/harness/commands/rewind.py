"""`harness rewind`: bring back the files, the conversation or both, as they were before a prompt; list; undo."""

import argparse
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from harness import paths
from harness.checkpoints.back import Rewound, Wish, history_of, json_rows, rows, told, way_to
from harness.errors import EXIT_OK, HarnessError, UsageError
from harness.events import System
from harness.journal import Journal
from harness.journal.store import find, newest
from harness.render import safe

Json = dict[str, Any]
_HELP = """\
Bring back what was there before prompt N of a session: files and conversation, or one of them.
N.K is a later state within that turn (files only). --undo takes the last rewind back."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(
            f"harness rewind: {message}.", "Try: harness rewind --list, then harness rewind --to 2 --files"
        )


def main(argv: Sequence[str]) -> int:
    """Rewind a session of this directory and say what changed; returns the exit code.

    Raises:
        HarnessError: no such session or checkpoint, one that is no longer kept, or files that cannot be written.
    """
    p = _Parser(prog="harness rewind", description=_HELP, formatter_class=argparse.RawDescriptionHelpFormatter)
    what = p.add_mutually_exclusive_group(required=True)
    what.add_argument("--to", metavar="N", help="the prompt, or N.K, as --list numbers them")
    what.add_argument("--list", action="store_true", help="list the session's prompts and checkpoints")
    what.add_argument("--undo", action="store_true", help="undo the last rewind")
    p.add_argument("--session", metavar="ID", help="the session (default: the last one of this directory)")
    p.add_argument("--files", action="store_true", help="only files (with --conversation: both)")
    p.add_argument("--conversation", action="store_true", help="only the conversation (with --files: both)")
    p.add_argument("--json", action="store_true", help="print one JSON object")
    given = p.parse_args(argv)
    file = _session(given.session, Path.cwd().resolve(), os.environ)
    if given.list:
        history = history_of(file)
        _print(json.dumps(json_rows(history)) if given.json else "\n".join(rows(history)) or "No prompts yet.")
        return EXIT_OK
    wish = Wish.of(files=given.files, conversation=given.conversation)
    answer = _done(file, None if given.undo else given.to, wish)
    _print(json.dumps(answer) if given.json else "\n".join(answer["told"]))
    return EXIT_OK


def _done(file: Path, number: str | None, wish: Wish) -> Json:
    """Rewind, or undo the last rewind (`number` None), while nobody else writes the session."""
    journal = Journal(file, file.stem, _cwd(file))
    try:
        journal.lock()
        way = way_to(history_of(file), number, wish)  # read when no other process can write any more
        data = dict(way.data)
        answer = _restored(file, way.snapshot, data) if way.wish.files else Rewound("").json()
        journal.write(System(subtype="rewind", data=data))
        if way.wish.conversation:
            journal.undo_back() if number is None else journal.back_to(way.parent)
    except OSError as error:
        raise HarnessError(f"The rewind cannot be written to {file}: {error.strerror}.", "Free some space.") from None
    finally:
        journal.close()
    return {**answer, "told": list(told(way, answer["filesChanged"], answer["notRestored"], _cwd(file)))}


def _restored(file: Path, snapshot: str, data: Json) -> Json:
    """Restore the files of a session that does not run here; `data` gets what undoes it."""
    from harness.checkpoints.rewind import rewind  # noqa: PLC0415  --list needs none of it
    from harness.checkpoints.scan import Scanner  # noqa: PLC0415
    from harness.checkpoints.store import Store, store_file  # noqa: PLC0415
    from harness.checkpoints.tree import decode  # noqa: PLC0415

    if not snapshot:
        return Rewound("").json()
    home = paths.config_home()
    place = store_file(home, _cwd(file))
    if not place.exists():
        raise HarnessError("The checkpoints of this project are no longer kept.", "cleanupPeriodDays says how long.")
    store = Store(place)
    try:
        roots = tuple(Path(root) for root in decode(store.get(snapshot)))
        done = rewind(store, Scanner(store, roots, home), snapshot)
        store.record(done.before, file.stem, store.last_prompt(file.stem))
    finally:
        store.close()
    data["before"] = done.before
    return done.json()


def _session(name: str | None, cwd: Path, env: Mapping[str, str]) -> Path:
    home = paths.config_home(env)
    if name is not None:
        return find(home, cwd, name)
    if last := newest(home, cwd, by_person=False):
        return last.path
    raise UsageError(f"There is no session of {cwd}.", "Go to the session's directory, or give --session ID.")


def _cwd(file: Path) -> Path:
    """The directory that a session began in, as its first line says."""
    with file.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            try:
                entry = json.loads(line)
            except ValueError:
                continue
            if isinstance(entry, dict) and isinstance(entry.get("cwd"), str):
                return Path(entry["cwd"])
    raise HarnessError(f"{file} does not say which directory it belongs to.", "Choose another session.")


def _print(text: str) -> None:
    print(safe(text) if os.isatty(1) else text)  # noqa: T201
