"""Calls that a model printed as text: one table of dialects, one way to hold them back, one to read them.

A new dialect is an entry in a module here, its name in the table, and its tests.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from harness.providers.calls import Offered
from harness.providers.dialects import channels, functions, invoke, jsons, pythonic, sections
from harness.providers.dialects.code import CodeState
from harness.providers.dialects.entry import Dialect, Found, PrintedCall, is_certain, settled

# The order is that of trying, where several begin with the same literal.
TABLE: tuple[Dialect, ...] = (
    *channels.ENTRIES,
    *functions.ENTRIES,
    *jsons.ENTRIES,
    *invoke.ENTRIES,
    *sections.ENTRIES,
    *pythonic.ENTRIES,
)

_MARKED = tuple(entry for entry in TABLE if not entry.whole)
_WHOLE = tuple(entry for entry in TABLE if entry.whole)
_LITERALS = sorted({opener for entry in _MARKED for opener in entry.openers}, key=len, reverse=True)
_OPENER = re.compile("|".join(map(re.escape, _LITERALS)))
_MAY_BEGIN = re.compile(f"[{re.escape(''.join({literal[0] for literal in _LITERALS}))}]")
_LONGEST = len(_LITERALS[0])
_WINDOW = 120  # characters within which `begins` decides


@dataclass(slots=True)
class Extracted:
    calls: list[PrintedCall] = field(default_factory=list)
    text: str = ""
    thinking: str = ""
    dialect: str = ""
    after: str = ""  # the text behind the last call


def extract(text: str, offered: Offered, *, cut: bool, whole: bool = True) -> Extracted | None:
    """The calls in a whole message, and the text without them; None where there are none.

    `cut`: the answer hit its limit, so that a call whose closing tag is missing is no call to be made.
    `whole`: a message that is one call and nothing else needs no marker.
    """
    found = (whole and _whole(text, offered)) or _marked(text, offered)
    if found:
        found.calls = [settled(call, offered, cut=cut) for call in found.calls]
    return found


def _whole(text: str, offered: Offered) -> Extracted | None:
    start = len(text) - len(text.lstrip())
    for entry in _WHOLE:
        if not text.startswith(entry.openers, start):
            continue
        found = entry.read(text, start, offered)
        if found and not text[found.end :].strip() and all(is_certain(call, offered) for call in found.calls):
            return Extracted(found.calls, found.text, found.thinking, entry.name)
    return None


def _marked(text: str, offered: Offered) -> Extracted | None:
    result, kept, code = Extracted(), [], CodeState()
    shown = at = 0  # text is kept from `shown` on; openers are looked for from `at` on
    while match := _OPENER.search(text, at):
        code.feed(text[at : match.start()])
        entry, found = (None, None) if code.inside else _read(text, match, offered)
        if entry is None or found is None:
            code.feed(match[0])
            at = match.end()
            continue
        kept += [text[shown : match.start()], found.text]
        result.calls += found.calls
        result.thinking += found.thinking
        result.dialect = entry.name
        shown = at = found.end
    if not result.dialect:
        return None
    result.after = text[shown:]
    result.text = "".join((*kept, result.after))
    return result


def _read(text: str, match: re.Match[str], offered: Offered) -> tuple[Dialect | None, Found | None]:
    for entry in _MARKED:
        if match[0] in entry.openers and (found := entry.read(text, match.start(), offered)):
            return entry, found
    return None, None


def overlap(text: str, literals: Sequence[str]) -> int:
    """How many characters at the end of `text` may be the beginning of one of `literals`."""
    firsts = {literal[0] for literal in literals}
    for size in range(min(len(text), max(map(len, literals)) - 1), 0, -1):
        if text[-size] in firsts and any(literal.startswith(text[-size:]) for literal in literals):
            return size
    return 0


class HoldBack:
    """Lets text through until something begins that may be a call; from there on it keeps it back."""

    def __init__(self, offered: Offered) -> None:
        self._offered = offered
        self._kept = ""
        self._starting = True  # nothing has been let through
        self._held = False  # a call has begun: what it is comes out when the message is whole
        self._code = CodeState()
        self._unread: list[str] = []  # let through, and not yet looked at for code

    def feed(self, text: str) -> str:
        """Take text; return what may be shown."""
        if self._held:
            return ""
        self._kept += text
        if self._starting and self._undecided():
            return ""
        shown: list[str] = []
        while match := _OPENER.search(self._kept):
            shown.append(self._let(match.start()))
            verdict = self._verdict(match[0])
            if verdict is not False:
                self._held = verdict is True
                return "".join(shown)
            shown.append(self._let(len(match[0])))
        tail = self._kept[-_LONGEST:]
        shown.append(self._let(len(self._kept) - (overlap(tail, _LITERALS) if _MAY_BEGIN.search(tail) else 0)))
        return "".join(shown)

    def _undecided(self) -> bool:
        """Whether the start of the message may be, or is, a call without a marker."""
        head = self._kept.lstrip()
        entries = [entry for entry in _WHOLE if head.startswith(entry.openers)]
        self._held = any(entry.begins.match(head) for entry in entries)
        openers = (opener for entry in _WHOLE for opener in entry.openers)
        may_be = bool(entries) or any(opener.startswith(head) for opener in openers)
        self._starting = may_be and len(head) < _WINDOW
        return self._held or self._starting

    def _verdict(self, literal: str) -> bool | None:
        """Whether a call begins at the opener now first in `_kept`; None where too little has come to tell."""
        self._code.feed("".join(self._unread))
        self._unread.clear()
        if self._code.inside:
            return False
        if any(entry.begins.match(self._kept) for entry in _MARKED if literal in entry.openers):
            return True
        return None if len(self._kept) < _WINDOW else False

    def _let(self, size: int) -> str:
        shown, self._kept = self._kept[:size], self._kept[size:]
        self._unread.append(shown)
        return shown
