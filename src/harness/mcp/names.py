"""Servers' tools as the model knows them. `mcp__a__b__c` may be b__c of the server a, or c of a__b: one of them has it.

The first has it, by the server's name and then the tool's, whenever each of the servers comes. Pure.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from harness.mcp.tool import full_name


class Named(NamedTuple):
    """A server's tool: `name` is the server's own, `listed` what the server says of it."""

    server: str
    name: str
    listed: Mapping[str, Any]


def named(offered: Mapping[str, Sequence[Mapping[str, Any]]]) -> tuple[dict[str, Named], list[str]]:
    """The tools of these servers by full name, and what people should know of those that are left out."""
    every = {Named(server, str(each.get("name")), each)[:2]: each for server, all_ in offered.items() for each in all_}
    found: dict[str, Named] = {}
    problems: list[str] = []
    for server, name in sorted(every):
        full = full_name(server, name)
        first = found.setdefault(full, Named(server, name, every[server, name]))
        if first[:2] != (server, name):
            problems.append(
                f"{full} is {first.name!r} of the MCP server {first.server!r}; {name!r} of {server!r} would have the "
                "same name and cannot be called. Name one of the servers otherwise."
            )
    return found, problems
