"""The six permission modes, as one table: what each does with a class of action that no rule decided."""

from collections.abc import Mapping
from typing import Literal

from harness.messages import MODES, Mode

Verdict = Literal["run", "ask", "classify", "deny"]
Action = Literal[
    "read",  # in a working directory
    "read outside",
    "read sensitive",  # keys, tokens, histories
    "edit",  # in a working directory
    "edit outside",
    "edit protected",
    "command read-only",
    "command on files",  # mkdir touch rm rmdir mv cp sed -i within the working directories
    "command sandboxed",  # and the settings let it run unasked
    "command",
    "fetch",
    "other",  # MCP tools and whatever else we know nothing about
]

# `classify`: a classifier may answer in the person's place. In dontAsk every `ask` becomes a deny (decide.py).
_TABLE = """
                    default  acceptEdits  plan   auto      dontAsk  bypassPermissions
read                run      run          run    run       run      run
read outside        ask      ask          ask    run       ask      run
read sensitive      ask      ask          ask    ask       ask      run
edit                ask      run          deny   run       ask      run
edit outside        ask      ask          deny   classify  ask      run
edit protected      ask      ask          deny   classify  ask      run
command read-only   run      run          run    run       run      run
command on files    ask      run          ask    classify  ask      run
command sandboxed   run      run          ask    run       run      run
command             ask      ask          ask    classify  ask      run
fetch               ask      ask          ask    classify  ask      run
other               ask      ask          ask    classify  ask      run
"""


def _read(table: str) -> Mapping[tuple[str, str], Verdict]:
    header, *rows = table.strip().splitlines()
    cells: dict[tuple[str, str], Verdict] = {}
    for row in rows:
        action, *verdicts = row.rsplit(None, len(MODES))
        for mode, cell in zip(header.split(), verdicts, strict=True):
            cells[action, mode] = cell  # type: ignore[assignment]  # a test pins the table's words
    return cells


VERDICTS = _read(_TABLE)


def verdict(action: Action, mode: Mode) -> Verdict:
    return VERDICTS[action, mode]
