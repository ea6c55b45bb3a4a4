"""The tools a session offers: their encoded specs at once, their modules when a call needs them."""

import json
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from harness import tools

if TYPE_CHECKING:
    from harness.tools.tool import Tool


class Toolbox:
    """All built-in tools but `removed`. Specs stay byte for byte what was generated, so that prefixes are stable."""

    def __init__(self, removed: Collection[str] = ()) -> None:
        listed = json.loads(tools.SPECS)
        kept = [spec for spec in listed if spec["function"]["name"] not in removed]
        self.names: tuple[str, ...] = tuple(spec["function"]["name"] for spec in kept)
        self.specs: bytes = tools.SPECS if len(kept) == len(listed) else _encode(kept)
        self._loaded: dict[str, Tool] = {}

    def find(self, name: str) -> "Tool | None":
        """The tool of that name; one that differs only in case or separators is meant where it is the only one."""
        if name not in self.names:
            alike = [known for known in self.names if _folded(known) == _folded(name)]
            if len(alike) != 1:
                return None
            name = alike[0]
        if name not in self._loaded:
            self._loaded.update(tools.load([name]))
        return self._loaded[name]

    def parse(self, tool: "Tool", given: Mapping[str, Any]) -> Any:
        from harness.tools.validate import parse  # noqa: PLC0415  loads pydantic, as the tool has by now

        return parse(tool, given)


def _folded(name: str) -> str:
    return name.replace("_", "").replace("-", "").lower()


def _encode(specs: list[dict[str, Any]]) -> bytes:
    return json.dumps(specs, ensure_ascii=False, separators=(",", ":")).encode()
