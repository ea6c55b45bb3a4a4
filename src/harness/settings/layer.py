"""One settings file: read once, checked key by key, with what did not count taken out and named."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from harness.settings.endpoints import usable_endpoints, usable_prices
from harness.settings.keys import GROUPS, KEYS, REPOSITORY, UNTRUSTED_KEYS, Source, counts, wrong
from harness.settings.places import content

_DEPTH = 40  # of nested values: what walks them recurses
_TOLD = 10  # problems of a file that are told one by one
_MEND = "Correct that key, or remove it."


@dataclass(frozen=True, slots=True)
class Layer:
    """The settings of one file. `name` is for people, `base` the directory that its `/p` rules start from."""

    source: Source
    name: str
    base: Path
    data: Mapping[str, Any] = field(default_factory=dict)
    text: str = ""
    raw: bytes = b""
    problems: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()  # keys that do not count from here, or not yet
    vendor: bool = False  # written for Claude Code: its models are another company's

    def get(self, key: str) -> Any:
        """The value of a dotted key, None where it is not set."""
        value: Any = self.data
        for name in key.split("."):
            value = value.get(name) if isinstance(value, Mapping) else None
        return value

    def lines(self, key: str) -> Iterator[tuple[str, int]]:
        """The items of a list, each with its line in the file, for people: 0 where a search does not find it."""
        at = self.text.find(json.dumps(key.rpartition(".")[2]))
        line = self.text.count("\n", 0, at) + 1
        for item in self.get(key) or ():
            if at < 0:  # once lost, lost: a hostile file must not cost a search of it all for each item
                yield item, 0
                continue
            start, at = at, self._found(item, at)
            line += self.text.count("\n", start, at)
            yield item, line if at >= 0 else 0

    def line(self, key: str, text: str) -> int:
        """The first line that gives this text to a key, wherever that stands; 0 where a search does not find it."""
        return _given(self.text, key).get(text, 0)

    def where(self, line: int) -> str:
        """The file, for people, with the line where it is known."""
        return f"{self.name}:{line}" if line and self.source != "flag" else self.name

    def _found(self, item: str, start: int) -> int:
        found = self.text.find(json.dumps(item), start)
        return found if found >= 0 else self.text.find(json.dumps(item, ensure_ascii=False), start)


@lru_cache(maxsize=8)
def _given(text: str, key: str) -> Mapping[str, int]:
    """What texts a key is given in a file, each with its first line; one pass, however many are asked about."""
    found: dict[str, int] = {}
    line, at = 1, 0
    for match in re.finditer(rf'"{key}"\s{{0,99}}:\s{{0,99}}("(?:[^"\\]|\\.)*")', text):
        line, at = line + text.count("\n", at, match.start(1)), match.start(1)
        try:
            found.setdefault(json.loads(match[1]), line)
        except ValueError:
            pass  # within another text
    return found


def read(path: Path, source: Source, base: Path) -> Layer | None:
    """A settings file; None where there is none, or an empty one (a sandbox's placeholder).

    What is wrong with it is in `problems`, never raised: one broken file must not end the others' rules.
    """
    layer = Layer(source, str(path), base)
    try:
        data = content(path)
    except OSError as error:
        return replace(layer, problems=(f"{path} cannot be read and does not count: {error.strerror}.",))
    if data is None or not data.strip():
        return None
    return parsed(layer, data)


def parsed(layer: Layer, raw: bytes) -> Layer:
    """The layer with what `raw` says."""
    layer = replace(layer, raw=raw)
    try:
        text = raw.decode("utf-8-sig")  # some editors begin a file with a mark
        data = json.loads(text)
    except (ValueError, RecursionError) as error:  # RecursionError: thousands of brackets
        what = "it nests too deeply" if isinstance(error, RecursionError) else str(error)
        return replace(layer, problems=(f"{layer.name} does not count: it is not valid JSON: {what}.",))
    if not isinstance(data, dict):
        return replace(layer, problems=(f"{layer.name} does not count: it must hold a JSON object.",))
    if _deep(data, _DEPTH):
        return replace(layer, problems=(f"{layer.name} does not count: it nests more than {_DEPTH} levels.",))
    problems: list[str] = []
    unknown: list[str] = []
    kept = _checked(data, "", problems, unknown)
    told = [f"{layer.name}: {_one_line(problem)}. {_MEND}" for problem in problems[:_TOLD]]
    told += [f"{layer.name}: {len(problems) - _TOLD} more values are wrong."] if len(problems) > _TOLD else []
    return replace(layer, data=kept, text=text, problems=tuple(told), unknown=tuple(unknown))


def _one_line(text: str) -> str:
    """Names in a stranger's file may hold anything."""
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text[:300])


def _deep(value: Any, left: int) -> bool:
    if not isinstance(value, dict | list):
        return False
    inner: Iterable[Any] = value.values() if isinstance(value, dict) else value
    return left == 0 or any(_deep(each, left - 1) for each in inner)


def _checked(data: Mapping[str, Any], prefix: str, problems: list[str], unknown: list[str]) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for name, value in data.items():
        key = prefix + name
        if value is None or name == "$schema":
            continue
        if "." in name or (key not in GROUPS and key not in KEYS):
            unknown.append(key)
            kept[name] = value
        elif key in GROUPS:
            if isinstance(value, dict):
                kept[name] = _checked(value, key + ".", problems, unknown)
            else:
                problems.append(f"{key} must be an object")
        elif problem := wrong(key, value):
            problems.append(problem)
        else:
            kept[name] = _items(key, value, problems)
    return kept


def _items(key: str, value: Any, problems: list[str]) -> Any:
    """The value without the items that are of the wrong kind: one of them must not take the others along."""
    match KEYS[key].kind:
        case "strings" | "texts" if isinstance(value, list):
            if not all(isinstance(item, str) for item in value):
                problems.append(f"{key} must be a list of strings")
            return [item for item in value if isinstance(item, str)]
        case "texts-map":
            problems.extend(
                f"{key}.{name} must be a string" for name, item in value.items() if not isinstance(item, str)
            )
            return {name: item for name, item in value.items() if isinstance(item, str)}
        case "hooks":
            return _hooks(value, problems)
        case "endpoints":
            return usable_endpoints(value, problems)
        case "prices":
            return usable_prices(value, problems)
    return value


def _hooks(value: Mapping[str, Any], problems: list[str]) -> dict[str, list[Any]]:
    """Event: list of `{matcher?, hooks: [{type, ...}]}`, as in Claude Code's hooks reference."""
    kept: dict[str, list[Any]] = {}
    for event, groups in value.items():
        good = [group for group in groups if _hook_group(group)] if isinstance(groups, list) else []
        if not isinstance(groups, list) or len(good) < len(groups):
            problems.append(f'hooks.{event} must be a list of {{"matcher": "...", "hooks": [{{"type": "..."}}]}}')
        if good:
            kept[event] = good
    return kept


def _hook_group(group: Any) -> bool:
    if not isinstance(group, dict) or not isinstance(group.get("matcher", ""), str):
        return False
    handlers = group.get("hooks")
    return isinstance(handlers, list) and all(isinstance(h, dict) and isinstance(h.get("type"), str) for h in handlers)


def leaves(data: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted keys and their values; what is no group of keys is one value."""
    for name, value in data.items():
        key = prefix + name
        if key in GROUPS and isinstance(value, Mapping):
            yield from leaves(value, key + ".")
        else:
            yield key, value


def limited(layer: Layer, trusted: bool) -> Layer:
    """The layer with only the keys that count from its source; from a repository only known ones."""
    untrusted = layer.source in REPOSITORY and not trusted
    kept: dict[str, Any] = {}
    ignored: list[str] = []
    for key, value in leaves(layer.data):
        known = key in KEYS
        if (known and counts(key, value, layer.source) and (not untrusted or key in UNTRUSTED_KEYS)) or (
            not known and layer.source not in REPOSITORY
        ):
            _put(kept, key, value)
        elif known:
            ignored.append(key)
    return replace(layer, data=kept, ignored=tuple(ignored))


def _put(data: dict[str, Any], key: str, value: Any) -> None:
    *groups, name = key.split(".") if key in KEYS else [key]
    for group in groups:
        data = data.setdefault(group, {})
    data[name] = value
