"""What an entry in the table of dialects is, and what reading one gives."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from harness.providers import lenient
from harness.providers.calls import Offered, clean_name
from harness.providers.patterns import Lazy
from harness.providers.repair import canonical, read_arguments


@dataclass(frozen=True, slots=True)
class PrintedCall:
    """A call found in text. `arguments` is JSON text, None where what stood there is unusable or cut off."""

    name: str
    arguments: str | None
    raw: str
    given_id: str = ""
    open: bool = False  # its closing tag is missing


@dataclass(frozen=True, slots=True)
class Found:
    """What stood from an opener to `end`. A dialect with channels also tells text and thinking apart."""

    calls: list[PrintedCall]
    end: int
    text: str = ""
    thinking: str = ""


# DeepSeek's special tokens are written with these, so that no text holds them by chance.
BAR = "\N{FULLWIDTH VERTICAL LINE}"
GAP = "\N{LOWER ONE EIGHTH BLOCK}"

Read = Callable[[str, int, Offered], Found | None]


@dataclass(frozen=True, slots=True)
class Dialect:
    """One way to print calls.

    `openers` are the literals that begin it. `begins` must match at the opener, within its first 120
    characters, for text to be held back. `read` takes (text, where the opener stands, tools offered); None
    means that it is no call and stays text. `whole` dialects have no marker of their own: they count only
    where the message begins with them and holds nothing else.
    """

    name: str
    openers: tuple[str, ...]
    begins: Lazy
    read: Read
    whole: bool = False


@dataclass(slots=True)
class JsonCalls:
    """Reads `{"name", "arguments"}` and its many spellings, alone or in a list."""

    calls: list[PrintedCall] = field(default_factory=list)

    def take(self, value: Any, raw: str) -> bool:
        """Add the calls that `value` is; False where it is none."""
        items = value if isinstance(value, list) else [value]
        calls = [_call(item, raw) for item in items]
        if not calls or None in calls:
            return False
        self.calls += [call for call in calls if call]
        return True


_NAMED = Lazy(r"""[\[\s]*\{\s*["'](?:name|tool_name)["']\s*:\s*["']([\w.:-]+)["']""")


def _call(item: Any, raw: str) -> PrintedCall | None:
    if not isinstance(item, dict):
        return None
    inner = item.get("function")
    if isinstance(inner, dict):
        item = {**item, **inner}
    name = next((item[key] for key in ("name", "tool_name", "function", "tool") if isinstance(item.get(key), str)), "")
    if not name:
        return None
    given = item.get("id") or item.get("tool_call_id")
    arguments = next((item[key] for key in ("arguments", "parameters", "args", "input") if key in item), None)
    text = arguments if isinstance(arguments, str) else "" if arguments is None else canonical(arguments)
    return PrintedCall(name, text, raw, given if isinstance(given, str) else "")


def read_json_calls(text: str, at: int, closers: tuple[str, ...] = ()) -> Found | None:
    """Calls as JSON values from `at` on, one after another, up to a closer (which may be missing at the end).

    The JSON is scanned, not the closer: a closer inside a string is text. One bracket may be missing where
    the closer is there. What names a tool but cannot be read is a call without arguments, never a guess.
    """
    found, start = JsonCalls(), at
    while True:
        try:
            value, end = lenient.read(text, at)
        except lenient.Unreadable:
            value, end = _one_bracket_short(text, at, closers)
        if value is None or not found.take(value, text[start:end].strip()):
            break
        at = lenient.skip(text, end)
        if not text.startswith(("{", ";", ","), at):
            break
        at += text[at] in ";,"
    if not found.calls:
        return _unusable(text, at, closers)
    return Found(found.calls, after(text, at, closers))


def _one_bracket_short(text: str, at: int, closers: tuple[str, ...]) -> tuple[Any, int]:
    stop, _ = find_closer(text, at, closers)
    if stop == len(text):
        return None, at
    try:
        return lenient.read(text[:stop], at, spare=1)
    except lenient.Unreadable:
        return None, at


def _unusable(text: str, at: int, closers: tuple[str, ...]) -> Found | None:
    named = _NAMED.match(text, at)
    if named is None:
        return None
    stop, end = find_closer(text, at, closers)
    return Found([PrintedCall(named[1], None, text[at:stop].strip())], end)


def find_closer(text: str, at: int, closers: tuple[str, ...]) -> tuple[int, int]:
    """Where the nearest closer stands and ends; twice the end of the text where there is none."""
    places = [(place, place + len(closer)) for closer in closers if (place := text.find(closer, at)) >= 0]
    return min(places, default=(len(text), len(text)))


def after(text: str, at: int, closers: tuple[str, ...]) -> int:
    """Where to go on: behind the closer, if only space and surplus brackets stand before it."""
    match = _SURPLUS.match(text, at)
    place = match.end() if match else at
    return next((place + len(closer) for closer in closers if text.startswith(closer, place)), at)


_SURPLUS = Lazy(r"[\s}\]]*")


def typed_call(name: str, values: dict[str, Any], raw: str, given_id: str = "", *, closed: bool = True) -> PrintedCall:
    """A call whose parameters stood one by one; the schema gives them their types later."""
    return PrintedCall(name, canonical(values), raw.strip(), given_id, not closed)


def settled(call: PrintedCall, offered: Offered, *, cut: bool) -> PrintedCall:
    """An open call counts only if the model ended on its own and nothing required is missing."""
    if call.open and (cut or not is_certain(call, offered)):
        return replace(call, arguments=None)
    return call


def is_certain(call: PrintedCall, offered: Offered) -> bool:
    """Whether it names an offered tool and has all that the tool requires: what a chance text would not."""
    schema = offered.schemas.get(clean_name(call.name, offered))
    if schema is None or call.arguments is None:
        return False
    given = read_arguments(call.arguments, schema).input
    return given is not None and all(name in given for name in schema.get("required") or ())
