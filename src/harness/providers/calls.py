"""Tool calls put together from the fragments of a stream, by the known habits of servers.

Fragments belong together by `index`, where servers send it right, else by id, else by order. What is never
done: to join two calls into one, or to split one into two, on a guess.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from harness.messages import ToolCall
from harness.providers.ids import Ids
from harness.providers.patterns import Lazy
from harness.providers.repair import Arguments, Schema, complete, mended, read_arguments

_KIMI_NAME = Lazy(r"(?:functions?\.)?([^:]+?)(?::\d+)?")
_RECIPIENT = Lazy(r"to=(?:functions\.)?([\w.-]+)")


@dataclass(frozen=True, slots=True)
class Offered:
    """The tools of a request: each name with the schema of its arguments."""

    schemas: Mapping[str, Schema]

    @classmethod
    def decode(cls, tools: bytes) -> "Offered":
        """From the request's `tools` array."""
        functions = [tool.get("function", tool) for tool in json.loads(tools or b"[]")]
        return cls({function["name"]: function.get("parameters") or {} for function in functions})

    def __contains__(self, name: object) -> bool:
        return name in self.schemas

    def __bool__(self) -> bool:
        return bool(self.schemas)


@dataclass(slots=True)
class Building:
    """A call as received so far. `id` is ours: safe and unique; `given_id` is the server's."""

    id: str
    given_id: str = ""
    name: str = ""
    fragments: list[str] = field(default_factory=list)
    extra: dict[str, Any] = field(default_factory=dict)  # keys we do not know, to be sent back
    call: ToolCall | None = None  # once it is whole

    @property
    def raw(self) -> str:
        if len(self.fragments) > 1:
            self.fragments = ["".join(self.fragments)]
        return mended(self.fragments[0]) if self.fragments else ""


def clean_name(name: str, offered: Offered) -> str:
    """The tool's name without what leaks into it: control tokens, `functions.`, a running number.

    What is no offered tool comes back in a form that every later request may hold.
    """
    if recipient := _RECIPIENT.search(name):
        name = recipient[1]
    name = name.split("<|")[0].strip()
    if name in offered:
        return name
    if match := _KIMI_NAME.fullmatch(name):
        name = match[1]
    return name if name in offered else re.sub(r"[^A-Za-z0-9_-]", "_", name)[:64]


class CallAssembler:
    """Takes `tool_calls` deltas, in order; `calls` is what they amount to."""

    def __init__(self, offered: Offered, ids: Ids) -> None:
        self.calls: list[Building] = []
        self._offered = offered
        self._ids = ids
        self._at: dict[int, Building] = {}

    def add(self, fragment: Mapping[str, Any]) -> tuple[Building, str]:
        """Take one fragment; return the call it belongs to and the new piece of its arguments."""
        function = fragment.get("function")
        if not isinstance(function, dict):
            function = fragment  # flat: {"name", "arguments"}
        index, given = _index(fragment.get("index")), _string(fragment.get("id"))
        name, piece = _string(function.get("name")), _piece(function)
        call = self._belongs(index, given, name, piece)
        if call is None:
            call = Building(self._ids.take(given), given, name)
            self.calls.append(call)
        else:
            if name:
                call.name = self._joined(call.name, name)
            call.given_id = call.given_id or given
            if call.fragments and complete(piece) and piece == call.raw:
                piece = ""  # the last chunk repeats the whole call
        if index is not None:
            self._at[index] = call
        if piece:
            call.fragments.append(piece)
        call.extra.update((k, v) for k, v in fragment.items() if k not in _KNOWN and v is not None)
        return call, piece

    def _belongs(self, index: int | None, given: str, name: str, piece: str) -> Building | None:
        """The call a fragment continues; None where it begins one."""
        same = next((call for call in self.calls if call.given_id == given), None) if given else None
        last = self.calls[-1] if self.calls else None
        if index is None:
            return same or (last if last and (not name or self._goes_on(last, name, piece)) else None)
        call = self._at.get(index)
        if call is None:
            return None if name or given else last
        if self._starts_another(call, given, name, piece):
            return same  # the index is stuck: an id that was seen before says which call is meant
        return call

    def _goes_on(self, last: Building, name: str, piece: str) -> bool:
        """Whether a server without index and id only repeats the name: as long as the arguments are open."""
        return name == last.name and bool(piece) and not complete(last.raw)

    def _starts_another(self, call: Building, given: str, name: str, piece: str) -> bool:
        """Whether a fragment at the index of `call` begins a new call (old vLLM, SGLang, Ollama)."""
        other_name = bool(name) and clean_name(name, self._offered) != clean_name(call.name, self._offered)
        if given and call.given_id and given != call.given_id:
            return complete(call.raw) or (call.raw in {"", "{}"} and other_name and name in self._offered)
        if given == call.given_id and given:
            return False
        if not name or not complete(call.raw):
            return False
        return other_name or (bool(piece) and piece != call.raw)

    def _joined(self, known: str, name: str) -> str:
        if name == known:
            return known
        if known + name in self._offered:
            return known + name
        if known in self._offered:
            return known
        return name if name in self._offered and name.startswith(known) else known + name

    def finish(self, call: Building, *, whole: bool) -> ToolCall:
        """The call as a value; `whole` is False for one that the end of the answer may have cut."""
        if call.call is None:
            name = clean_name(call.name, self._offered)
            arguments = read_arguments(call.raw, self._offered.schemas.get(name), whole=whole)
            if not name:
                name, arguments = "unnamed", Arguments("{}", None, "the call names no tool")
            problem = described(arguments.problem, call.raw)
            call.call = ToolCall(call.id, name, arguments.text, arguments.input, problem)
        return call.call

    def ready(self, call: Building) -> bool:
        """Whether a call may start before the message ends: nothing that comes can still change it."""
        return clean_name(call.name, self._offered) in self._offered and complete(call.raw)


_KNOWN = {"index", "id", "type", "function", "name", "arguments"}


def described(problem: str, raw: str) -> str:
    """A problem with what was received, short enough to be told to the model."""
    if not problem:
        return ""
    shown = raw if len(raw) <= 200 else f"{raw[:100]} ... {raw[-100:]}"
    return f"{problem}. Received {len(raw)} characters: {shown}"


def _string(value: Any) -> str:
    return value if isinstance(value, str) else str(value) if isinstance(value, int) else ""


def _index(value: Any) -> int | None:
    if isinstance(value, str) and value.isdecimal():
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _piece(function: Mapping[str, Any]) -> str:
    """The arguments' new piece; a whole object instead of its text is written out."""
    value = function.get("arguments")
    if value is None:
        value = function.get("parameters")
    if value is None or isinstance(value, str):
        return value or ""
    return json.dumps(value, ensure_ascii=False)
