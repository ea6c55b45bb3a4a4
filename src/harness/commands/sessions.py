"""`harness sessions list|show|rename|export|rm`: the conversations kept on this machine."""

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import NoReturn

from harness import paths
from harness.errors import EXIT_OK, HarnessError, UsageError
from harness.journal import Journal, store
from harness.journal.text import exported, row
from harness.render import safe


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{self.prog}: {message}.", "See harness sessions --help.")


def main(argv: Sequence[str]) -> int:
    """Do one of them; returns the exit code.

    Raises:
        HarnessError: there is no such session, another process is in it, or a file cannot be used.
    """
    given = _parser().parse_args(argv)
    act: Callable[[argparse.Namespace], None] = given.act
    try:
        act(given)
    except OSError as error:
        raise HarnessError(f"{error.filename} cannot be used: {error.strerror}.", "Mend its permissions.") from None
    return EXIT_OK


def _parser() -> argparse.ArgumentParser:
    p = _Parser(prog="harness sessions", description="The conversations kept on this machine.")
    commands = p.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, act: Callable[[argparse.Namespace], None], what: str, *, one: bool = True) -> _Parser:
        sub: _Parser = commands.add_parser(name, help=what, description=what)
        sub.set_defaults(act=act)
        if one:
            sub.add_argument("session", metavar="ID|NAME")
        return sub

    lists = command("list", _list, "list this directory's sessions, the newest first", one=False)
    lists.add_argument("search", nargs="?", default="", help="only those whose name or prompts hold this")
    lists.add_argument("--all", action="store_true", help="those of all directories")
    lists.add_argument("--json", action="store_true", help="an array of objects")
    show = command("show", _show, "print a session")
    show.add_argument("--json", action="store_true", help="its messages as an array")
    export = command("export", _export, "write a session as Markdown, or as JSON where the file's name ends so")
    export.add_argument("file", nargs="?", metavar="FILE", help="default: standard output")
    export.add_argument("--json", action="store_true", help="as JSON")
    rename = command("rename", _rename, "give a session a name")
    rename.add_argument("name")
    remove = command("rm", _remove, "delete sessions and what lies beside them", one=False)
    remove.add_argument("sessions", nargs="+", metavar="ID|NAME")
    return p


def _list(given: argparse.Namespace) -> None:
    home, cwd = paths.config_home(), Path.cwd().resolve()
    places = store.projects(home, cwd)
    found = store.matching(store.sessions(places if given.all else places[:1]), given.search)
    if given.json:
        _print(json.dumps([asdict(one) | {"path": str(one.path)} for one in found], indent=2))
        return
    for one in found:
        _print(safe(row(one, where=given.all)))
    if not found:
        print("No sessions here." + ("" if given.all else " --all lists those of all directories."), file=sys.stderr)  # noqa: T201


def _show(given: argparse.Namespace) -> None:
    text = exported(_find(given.session), as_json=given.json)
    _print(text if given.json else safe(text))


def _export(given: argparse.Namespace) -> None:
    text = exported(_find(given.session), as_json=given.json or (given.file or "").endswith(".json"))
    if given.file:
        Path(given.file).write_text(text + "\n", "utf-8", "backslashreplace")
    else:
        _print(safe(text) if sys.stdout.isatty() else text)


def _rename(given: argparse.Namespace) -> None:
    file = _find(given.session)
    journal = Journal(file, file.stem, Path.cwd())
    journal.rename(given.name)
    journal.close()
    _print(safe(f"{file.stem} is named {given.name!r}."))


def _remove(given: argparse.Namespace) -> None:
    for session in given.sessions:
        file = _find(session)
        if not store.remove(file):
            raise HarnessError(f"The session {file.stem} is in use by another process.", "End that one first.")
        _print(f"{file.stem} is deleted.")


def _find(wanted: str) -> Path:
    return store.find(paths.config_home(), Path.cwd().resolve(), wanted)


def _print(text: str) -> None:
    print(text.encode("utf-8", "backslashreplace").decode())  # noqa: T201
