"""Where two requests differ, in words and lines that a person can read. Pure."""

import difflib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from harness.errors import HarnessError

_LINES = 40  # of a diff that are shown
_WIDTH = 160
_AROUND = 60  # characters shown before the first that differs


class Difference(HarnessError):
    """A session that was run again did not come to the same."""


def described(recorded: bytes, made: bytes) -> str:
    """The first difference: `in messages[2] (user).content:` and a diff."""
    try:
        old, new = json.loads(recorded), json.loads(made)
    except ValueError:
        old = new = None
    found = _first("", old, new)
    if found is None:
        at = next(
            (i for i, (a, b) in enumerate(zip(recorded, made, strict=False)) if a != b), min(len(recorded), len(made))
        )
        start = max(0, at - _AROUND)
        was, now = (repr(data[start : at + _AROUND])[2:-1] for data in (recorded, made))
        return f"in how it is written, from byte {at} on:\n- {was}\n+ {now}"
    where, was, now = found
    return f"in {where}:\n" + "\n".join(_diff(was, now))


def _first(where: str, old: Any, new: Any) -> tuple[str, Any, Any] | None:
    """The place of the first difference, and what stands there."""
    if type(old) is type(new) and isinstance(old, Mapping):
        for key in (*old, *(key for key in new if key not in old)):
            if key not in old or key not in new:
                return f"{where}.{key}".lstrip("."), old.get(key, _NOTHING), new.get(key, _NOTHING)
            if (found := _first(f"{where}.{key}".lstrip("."), old[key], new[key])) is not None:
                return found
        return None
    if type(old) is type(new) and isinstance(old, list):
        for number in range(max(len(old), len(new))):
            was, now = (each[number] if number < len(each) else _NOTHING for each in (old, new))
            named = f"{where}[{number}]{_called(was if was is not _NOTHING else now)}"
            if (found := _first(named, was, now)) is not None:
                return found
        return None
    return None if old == new and type(old) is type(new) else (where, old, new)


_NOTHING = "(nothing)"


def _called(item: Any) -> str:
    """Of a message its role, of a tool its name."""
    match item:
        case {"role": str(role)}:
            return f" ({role})"
        case {"function": {"name": str(name)}}:
            return f" ({name})"
    return ""


def _diff(was: Any, now: Any) -> Iterator[str]:
    old, new = (
        each if isinstance(each, str) else json.dumps(each, ensure_ascii=False, indent=1) for each in (was, now)
    )
    rows = list(difflib.unified_diff(old.split("\n"), new.split("\n"), "recorded", "now", lineterm="", n=2))
    yield from _clipped(rows[:_LINES])
    if len(rows) > _LINES:
        yield f"... {len(rows) - _LINES} more lines"


def _clipped(rows: Sequence[str]) -> Iterator[str]:
    """Long lines, cut to where they first differ from the line that they replace."""
    for number, row in enumerate(rows):
        if len(row) <= _WIDTH:
            yield row
            continue
        beside = [each for each in rows[max(0, number - 1) : number + 2] if each[:1] != row[:1]]
        other = beside[-1] if row[:1] == "-" and beside else beside[0] if beside else ""
        at = next((i for i, (a, b) in enumerate(zip(row[1:], other[1:], strict=False)) if a != b), 0)
        start = max(1, at - _AROUND)
        before, after = "…" if start > 1 else "", "…" if start + _WIDTH < len(row) else ""
        yield f"{row[0]}{before}{row[start : start + _WIDTH]}{after}"
