"""What changed between two texts, as hunks for people and as a region for the model; and where a miss meant to be."""

import json
from collections.abc import Sequence
from difflib import SequenceMatcher, get_close_matches
from typing import Any

from harness.tools.lookalike import simple_line
from harness.tools.textfile import lines_of, numbered

_AROUND = 3  # lines of context
_REGION_LINES = 30
_SEARCHED_LINES = 200_000  # for lines that are equal
_COMPARED_LINES = 5000  # for lines that are alike
_DIFFED_LINES = 3000


def changed_lines(before: Sequence[str], after: Sequence[str]) -> tuple[int, int, int]:
    """(first, end in `before`, end in `after`) of the lines that differ, from 0, ends exclusive."""
    shorter = min(len(before), len(after))
    first = next((i for i in range(shorter) if before[i] != after[i]), shorter)
    same = next((i for i in range(shorter - first) if before[-1 - i] != after[-1 - i]), shorter - first)
    return first, len(before) - same, len(after) - same


def structured_patch(before: str, after: str) -> list[dict[str, Any]]:
    """Hunks as SDKs read them: `oldStart, oldLines, newStart, newLines, lines`, numbers from 1."""
    old, new = lines_of(before), lines_of(after)
    first, old_end, new_end = changed_lines(old, new)
    base = max(first - _AROUND, 0)
    old_part, new_part = old[base : old_end + _AROUND], new[base : new_end + _AROUND]
    if max(len(old_part), len(new_part)) > _DIFFED_LINES:
        head = first - base
        codes = [("equal", 0, head, 0, head), ("replace", head, old_end - base, head, new_end - base)]
        groups = [codes]
    else:
        groups = list(SequenceMatcher(None, old_part, new_part, autojunk=False).get_grouped_opcodes(_AROUND))
    return [_hunk(group, old_part, new_part, base) for group in groups]


def _hunk(group: Sequence[tuple[str, int, int, int, int]], old: list[str], new: list[str], base: int) -> dict[str, Any]:
    lines = []
    for kind, a, b, c, d in group:
        if kind == "equal":
            lines += [f" {line}" for line in old[a:b]]
        else:
            lines += [f"-{line}" for line in old[a:b]] + [f"+{line}" for line in new[c:d]]
    _, old_start, _, new_start, _ = group[0]
    _, _, old_end, _, new_end = group[-1]
    return {
        "oldStart": base + old_start + 1,
        "oldLines": old_end - old_start,
        "newStart": base + new_start + 1,
        "newLines": new_end - new_start,
        "lines": lines,
    }


def changed_region(before: str, after: str) -> str:
    """The lines of `after` that differ and those around them, numbered, capped."""
    new = lines_of(after)
    first, _, end = changed_lines(lines_of(before), new)
    start, stop = max(first - _AROUND, 0), min(end + _AROUND, len(new))
    if stop - start <= _REGION_LINES:
        return numbered(new[start:stop], start + 1)
    half = _REGION_LINES // 2
    left_out = f"     …\t[{stop - start - 2 * half} lines]"
    return "\n".join(
        [numbered(new[start : start + half], start + 1), left_out, numbered(new[stop - half : stop], stop - half + 1)]
    )


def nearest(text: str, old: str) -> str:
    """The region of `text` most like `old`, numbered, and the first difference; empty if nothing is like it."""
    lines, wanted = lines_of(text), lines_of(old)
    start = _best_start([simple_line(line) for line in lines[:_SEARCHED_LINES]], [simple_line(line) for line in wanted])
    if start is None:
        return ""
    shown = lines[start : start + min(len(wanted) + 1, _REGION_LINES)]
    said = [f"Nearest is line {start + 1}:", numbered(shown, start + 1)]
    for number, line in enumerate(wanted):
        there = lines[start + number] if start + number < len(lines) else None
        if there is None:
            said.append(f"The file ends before line {number + 1} of old_string: {_quoted(line)}")
            break
        if there != line:
            said.append(f"First difference, line {start + number + 1}:")
            said.append(f"  file       {_quoted(there)}\n  old_string {_quoted(line)}")
            break
    return "\n".join(said)


def _best_start(lines: list[str], wanted: list[str]) -> int | None:
    """Where the window with most of the wanted lines begins; else where the line most like one of them is."""
    known = {line for line in wanted if len(line) > 3}
    hits = [i for i, line in enumerate(lines) if line in known]
    if hits:
        offsets = {line: number for number, line in reversed(list(enumerate(wanted)))}
        starts: dict[int, int] = {}
        for i in hits:
            begin = max(i - offsets[lines[i]], 0)
            starts[begin] = starts.get(begin, 0) + 1
        return max(starts, key=lambda begin: (starts[begin], -begin))
    longest = max(wanted, key=len, default="")
    close = get_close_matches(longest, lines[:_COMPARED_LINES], 1, 0.6) if longest else []
    return max(lines.index(close[0]) - wanted.index(longest), 0) if close else None


def _quoted(line: str) -> str:
    """A line with what is invisible in it made visible."""
    return json.dumps(line if len(line) <= 200 else f"{line[:200]}…", ensure_ascii=not line.isascii())
