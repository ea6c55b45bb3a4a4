"""Reading a table of a script field by field, so that every error names where it is and how to mend it."""

import difflib
import re
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn, TypeVar, overload

from harness.errors import HarnessError

T = TypeVar("T")

_MISSING: Any = object()
_NAMES = {
    str: "a string",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    dict: "a table",
    list: "a list",
}


class Table:
    """A table of the script. `where` says which ("ci.toml, step 2"); fields are taken out, `close` refuses the rest."""

    def __init__(self, data: Any, where: str, error: type[HarnessError], prefix: str = "") -> None:
        self.where, self.prefix, self._error = where, prefix, error
        if not isinstance(data, dict):
            self.fail("", "must be a table", "Write it as key = value lines.")
        self._left: dict[str, Any] = dict(data)
        self.given: frozenset[str] = frozenset(data)
        self._known: set[str] = set()

    def fail(self, key: str, problem: str, mend: str) -> NoReturn:
        field = f"{self.prefix}{key}".strip(".")
        raise self._error(f"{self.where}: {field + ' ' if field else ''}{problem}", mend)

    def raw(self, key: str, default: Any = _MISSING, *, keep: bool = False) -> Any:
        self._known.add(key)
        if key not in self._left:
            if default is _MISSING:
                self.fail(key, "is missing", f"Add {key} = ...")
            return default
        return self._left[key] if keep else self._left.pop(key)

    def _typed(self, key: str, kind: type[T], default: Any) -> Any:
        value = self.raw(key, default)
        if value is default:
            return value
        return self._as(key, value, kind)

    def _as(self, key: str, value: Any, kind: type[T]) -> T:
        if kind is float and type(value) is int:
            value = float(value)
        if type(value) is not kind:
            self.fail(key, f"must be {_NAMES[kind]}, not {value!r:.60}", f"Write {_NAMES[kind]}.")
        return value

    @overload
    def text(self, key: str, default: str = ...) -> str: ...
    @overload
    def text(self, key: str, default: None) -> str | None: ...
    def text(self, key: str, default: Any = _MISSING) -> Any:
        return self._typed(key, str, default)

    def boolean(self, key: str) -> bool:
        return bool(self._typed(key, bool, False))

    @overload
    def integer(self, key: str, default: int, *, least: int = ..., most: int | None = ...) -> int: ...
    @overload
    def integer(self, key: str, default: None, *, least: int = ..., most: int | None = ...) -> int | None: ...
    def integer(self, key: str, default: Any, *, least: int = 0, most: int | None = None) -> Any:
        value = self._typed(key, int, default)
        if value is not None and (value < least or (most is not None and value > most)):
            span = f"from {least} to {most}" if most is not None else f"{least} or more"
            self.fail(key, f"is {value}", f"Give a whole number, {span}.")
        return value

    def number(self, key: str, default: float) -> float:
        value = float(self._typed(key, float, default))
        if not 0 <= value < float("inf"):
            self.fail(key, f"is {value}", "Give seconds, 0 or more.")
        return value

    def choice(self, key: str, choices: Sequence[str]) -> str | None:
        value = self.text(key, None)
        if value is not None and value not in choices:
            self.fail(key, f"is {value!r}", f"Give one of: {', '.join(choices)}.")
        return value

    def strings(self, key: str) -> tuple[str, ...]:
        """One string or a list of them."""
        value = self.raw(key, [])
        values = value if isinstance(value, list) else [value]
        return tuple(self._as(key, item, str) for item in values)

    def patterns(self, key: str) -> tuple[re.Pattern[str], ...]:
        """One regular expression or a list of them."""
        return tuple(self.pattern(key, text) for text in self.strings(key))

    def pattern(self, key: str, text: str) -> re.Pattern[str]:
        try:
            return re.compile(text)
        except re.error as error:
            self.fail(
                key, f"is not a regular expression: {error}: {text!r:.80}", "Mend it; TOML's '...' keeps backslashes."
            )

    def mapping(self, key: str) -> Mapping[str, Any]:
        return self._typed(key, dict, {}) or {}

    def texts(self, key: str) -> dict[str, str]:
        """A table of strings."""
        return {name: self._as(f"{key}.{name}", value, str) for name, value in self.mapping(key).items()}

    def table(self, key: str) -> "Table":
        return Table(self.mapping(key), self.where, self._error, f"{self.prefix}{key}.")

    def tables(self, key: str) -> list["Table"]:
        """A list of tables; those of `step` are counted in `where`, others in the field's name."""
        items = self._typed(key, list, []) or []
        if key == "step":
            return [Table(item, f"{self.where}, step {number}", self._error) for number, item in enumerate(items, 1)]
        return [
            Table(item, self.where, self._error, f"{self.prefix}{key}[{number}].")
            for number, item in enumerate(items, 1)
        ]

    def close(self) -> None:
        """Refuse what was not taken: a field nobody knows is a slip of the pen."""
        for key in self._left:
            near = difflib.get_close_matches(key, self._known, 1)
            mend = f"Did you mean {near[0]}?" if near else f"There are: {', '.join(sorted(self._known))}."
            self.fail(key, "is not a field of the format", mend)
