"""Many layers made one: for single values the highest wins, objects merge by key, arrays add up."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from harness.settings.keys import WHOLE
from harness.settings.layer import Layer, leaves


def merged(values: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Settings objects, the lowest first, as one; none of them is changed."""
    result: dict[str, Any] = {}
    for value in values:
        result = _joined("", result, value)
    return result


def _joined(key: str, low: Any, high: Any) -> Any:
    if isinstance(low, Mapping) and isinstance(high, Mapping):
        below = f"{key}." if key else ""
        both = {name: _joined(below + name, low[name], high[name]) for name in low if name in high}
        new = {name: _joined(below + name, type(value)(), value) for name, value in high.items() if name not in low}
        return {**low, **both, **new}
    if isinstance(low, list) and isinstance(high, list) and key not in WHOLE:
        return unique([*low, *high])
    return high


def unique(items: Sequence[Any]) -> list[Any]:
    """Each item once, where it first stood. Compared as JSON: there `1` and `true` are two things."""
    found: dict[str, Any] = {}
    for item in items:
        found.setdefault(json.dumps(item, sort_keys=True), item)
    return list(found.values())


def effective(layers: Sequence[Layer]) -> dict[str, Any]:
    """What the layers, the lowest first, come to."""
    result = merged([layer.data for layer in layers])
    owners = merged([layer.data for layer in layers if layer.source == "managed"])
    if "availableModels" in owners:  # a list that the machine's owner has closed
        result["availableModels"] = owners["availableModels"]
    told = dict(leaves(owners))
    if told.get("sandbox.network.allowManagedDomainsOnly") is True:
        result["sandbox"]["network"]["allowedDomains"] = told.get("sandbox.network.allowedDomains", [])
    return result


def rows(layers: Sequence[Layer]) -> Iterator[tuple[str, Any, str]]:
    """Each effective value with the name of the file it comes from: `(key, value, file)`.

    A row for each item of an array and each entry of an object, since they may come from different files.
    """
    named = [(layer.name, dict(_entries(layer.data))) for layer in layers]
    for key, value in _entries(effective(layers)):
        if isinstance(value, list) and value and key not in WHOLE:
            for item in value:
                lists = ((name, entries.get(key)) for name, entries in named)
                yield key, [item], next(name for name, items in lists if isinstance(items, list) and item in items)
        else:
            yield key, value, next(name for name, entries in reversed(named) if key in entries)


def _entries(data: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, value in leaves(data):
        if isinstance(value, Mapping) and value:
            yield from ((f"{key}.{name}", item) for name, item in value.items())
        else:
            yield key, value
