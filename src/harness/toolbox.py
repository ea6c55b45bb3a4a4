"""The tools a session offers: their encoded specs at once, their modules when a call needs them.

Specs are frozen between declared breaks: servers' prefix caches begin with them. What is seldom needed is deferred:
ToolSearch finds it, a call may use it at once, and it enters the specs at the next break.
"""

import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from harness import tools
from harness.messages import TOOL_ALIASES

if TYPE_CHECKING:
    from harness.tools.tool import Tool

Spec = dict[str, Any]


class Toolbox:
    """The built-in tools but `removed`, of them `only` those named; more may be added (`add`)."""

    def __init__(self, removed: Collection[str] = (), only: Collection[str] | None = None) -> None:
        listed: list[Spec] = json.loads(tools.SPECS)
        self._all = {name_of(spec): spec for spec in listed if _wanted(name_of(spec), removed, only)}
        self._removed = removed
        self._loaded: dict[str, Tool] = {}
        self._deferred = {name for name in tools.DEFERRED if name in self._all}
        self._found: list[str] = []  # deferred ones that enter the specs at the next break
        self._order = [name for name in self._all if self._offered(name)]
        self._encode()

    @property
    def pending(self) -> bool:
        """Whether the specs are to change at the next break."""
        return bool(self._found)

    @property
    def next(self) -> tuple[str, ...]:
        """The tools of the specs after the next break."""
        return (*self.names, *sorted(name for name in self._found if name in self._all))

    @property
    def callable(self) -> tuple[str, ...]:
        """All tools that a call may name, those not in the specs last."""
        return (*self.names, *(name for name in self._all if name not in self.names and name != _SEARCH))

    def add(self, tool: "Tool", spec: Spec, *, deferred: bool = False) -> None:
        """One more tool, such as a server's: at the end of the specs from the next break on, or behind ToolSearch."""
        name = name_of(spec)
        if name in self._removed:
            return
        self._all[name], self._loaded[name] = spec, tool
        if deferred:
            self._deferred.add(name)
        elif name not in self._order and name not in self._found:
            self._found.append(name)

    def drop(self, names: Iterable[str]) -> None:
        """These tools are no longer there (their server is not)."""
        for name in names:
            self._all.pop(name, None)
            self._loaded.pop(name, None)
            self._deferred.discard(name)
            self._found = [each for each in self._found if each != name]
            if name in self._order:
                self._order.remove(name)
                self._encode()

    def lean(self) -> None:
        """Before the first request: only the few tools that a small window has room for; ToolSearch finds others."""
        self._deferred |= {name for name in self._all if name not in tools.LEAN}
        self._order = [name for name in self._all if self._offered(name)]
        self._encode()

    def describe(self, name: str, text: str) -> None:
        """Before the first request: what only this session knows of a tool is added to its description."""
        if name in self._all:
            spec = self._all[name]
            function = spec["function"]
            self._all[name] = {**spec, "function": {**function, "description": f"{function['description']}\n{text}"}}
            self._encode()

    def part(self, wanted: Callable[[str], bool]) -> "Toolbox":
        """A toolbox of its own with some of these tools: a sub-agent's."""
        made = Toolbox(self._removed, [name for name in self._all if wanted(name)])
        for name, spec in self._all.items():
            if name in made._all:
                made._all[name] = spec
            elif name not in tools.TOOLS and wanted(name):
                made.add(self._loaded[name], spec, deferred=name in self._deferred)
        made.reveal()
        made._encode()
        return made

    def search(self, query: str, limit: int = 5) -> list[Spec]:
        """Deferred tools that fit, the best first: `select:A,B` by name, else by words in name and description."""
        if query.startswith("select:"):
            wanted = {_folded(name) for name in query.removeprefix("select:").split(",")}
            found = [name for name in self._all if name in self._deferred and _folded(name) in wanted]
        else:
            words = [word for word in query.lower().replace("_", " ").split() if word]
            scored = [(_score(self._all[name], words), name) for name in self._all if name in self._deferred]
            found = [name for score, name in sorted(scored, key=lambda each: (-each[0], each[1])) if score]
        found = found[:limit]
        self._found += [name for name in found if name not in self._found and name not in self._order]
        return [self._all[name] for name in found]

    def reveal(self) -> tuple[str, ...]:
        """A declared break: what was found or added enters the specs, at their end. The names of it."""
        names = tuple(sorted(name for name in self._found if name in self._all))
        self._found.clear()
        if names:
            self._deferred -= set(names)
            self._order += names
            self._encode()
        return names

    def find(self, name: str) -> "Tool | None":
        """The tool of that name; one that differs only in case or separators is meant where it is the only one."""
        name = TOOL_ALIASES.get(name, name)
        if name not in self._all:
            alike = [known for known in self._all if _folded(known) == _folded(name)]
            if len(alike) != 1:
                return None
            name = alike[0]
        if name not in self._loaded:
            self._loaded.update(tools.load([name]))
        return self._loaded[name]

    def parse(self, tool: "Tool", given: Mapping[str, Any]) -> Any:
        from harness.tools.validate import parse  # noqa: PLC0415  loads pydantic, as the tool has by now

        return parse(tool, given)

    def _offered(self, name: str) -> bool:
        if name == _SEARCH:
            return bool(self._deferred)
        return name not in self._deferred

    def _search_spec(self) -> Spec:
        """ToolSearch names our own tools that are behind it: the system prompt speaks of them, too."""
        spec, names = self._all[_SEARCH], ", ".join(sorted(self._deferred & tools.TOOLS.keys()))
        function = spec["function"]
        more = f" Ours: {names}." if names else ""
        return {**spec, "function": {**function, "description": function["description"] + more}}

    def _encode(self) -> None:
        self.names: tuple[str, ...] = tuple(self._order)
        specs: Sequence[Spec] = [self._all[name] if name != _SEARCH else self._search_spec() for name in self._order]
        self.specs: bytes = json.dumps(specs, ensure_ascii=False, separators=(",", ":")).encode()


_SEARCH = "ToolSearch"


def name_of(spec: Spec) -> str:
    return str(spec["function"]["name"])


def _wanted(name: str, removed: Collection[str], only: Collection[str] | None) -> bool:
    return name not in removed and (only is None or name in only or name == _SEARCH)


def _score(spec: Spec, words: Sequence[str]) -> int:
    name = name_of(spec).lower()
    about = str(spec["function"].get("description", "")).lower()
    return sum(3 * (word in name) + (word in about) for word in words)


def _folded(name: str) -> str:
    return name.strip().replace("_", "").replace("-", "").lower()
