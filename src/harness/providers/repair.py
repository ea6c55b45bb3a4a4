"""A call's arguments: raw text of the model in, an object out, or what is wrong with it. Nothing is guessed.

Repaired is only damage that cannot change what was meant: quotes, commas, escapes, raw newlines, an object
wrapped in a string or a list, an object repeated. A text that is cut off stays unusable, always.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from harness.providers import lenient

Schema = Mapping[str, Any]

_SURROGATE = re.compile("[\ud800-\udfff]")
_SURROGATE_ESCAPE = re.compile(r"\\u[dD][89a-fA-F]")
_NOTHING = ("", "null", "None")
DEEPEST = 200  # levels; no tool takes as many, and what writes them down again has limits of its own


@dataclass(frozen=True, slots=True)
class Arguments:
    """`text` is valid JSON, always. `input` is None where the model's text was no usable object."""

    text: str
    input: dict[str, Any] | None
    problem: str = ""


def read_arguments(raw: str, schema: Schema | None = None, *, whole: bool = True) -> Arguments:
    """Read a call's arguments once, at the end.

    `whole` is False where the answer was cut off: then nothing may be repaired and nothing may be missing.
    """
    if whole and raw.strip() in _NOTHING:
        return Arguments("{}", {})
    if _depth(raw) > DEEPEST:
        return Arguments("{}", None, f"the arguments are nested more than {DEEPEST} deep")
    strict = _strict(raw)
    if isinstance(strict, dict):
        return Arguments(raw, coerced(_clean(strict, raw), schema))
    if not whole:
        return Arguments("{}", None, "the answer was cut off before the arguments were complete")
    problem = "not a JSON object"
    try:
        value = _unwrapped(strict) if strict is not None else _lenient(raw)
    except lenient.Unreadable as error:
        value = None
        if strict is None:
            problem = f"not valid JSON: {error}"
    if value is None:
        return Arguments("{}", None, f"the arguments are {problem}")
    value = _clean(value, raw)
    return Arguments(canonical(value), coerced(value, schema))


def _depth(raw: str) -> int:
    """How deep brackets nest, outside strings; counted only where there are enough of them."""
    if raw.count("[") + raw.count("{") <= DEEPEST:
        return 0
    depth = deepest = 0
    for found in re.finditer(r'"(?:[^"\\]|\\.)*"?|[\[{]|[\]}]', raw, re.DOTALL):
        depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(found[0], 0)
        deepest = max(deepest, depth)
    return deepest


def complete(raw: str) -> bool:
    """Whether the text is one whole object that nothing can be added to."""
    return raw.rstrip().endswith("}") and bool(_strict(raw))


def canonical(value: Mapping[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False)


def mended(text: str) -> str:
    """Join surrogate halves that came in two deltas; a lone half becomes the replacement character."""
    if not _SURROGATE.search(text):
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _strict(raw: str) -> Any:
    try:
        return _DECODER.decode(raw)
    except (ValueError, RecursionError):
        return None


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


_DECODER = json.JSONDecoder(parse_constant=_refuse)


def _unwrapped(value: Any) -> dict[str, Any] | None:
    """An object, out of a JSON string that holds one, or a list of one."""
    for _ in range(3):
        if isinstance(value, str):
            value = {} if value.strip() in _NOTHING else _lenient(value)
        elif isinstance(value, list) and len(value) == 1:
            value = value[0]
    return value if isinstance(value, dict) else None


def _lenient(raw: str) -> dict[str, Any] | None:
    """The object in near-JSON. Of several, the last, if the earlier ones say nothing else than it does."""
    values: list[Any] = []
    at = lenient.skip(raw, 0)
    while at < len(raw):
        value, at = lenient.read(raw, at)
        values.append(value)
        at = lenient.skip(raw, at)
    last = _unwrapped(values[-1]) if values else None
    if last is None or not all(_says_no_more(earlier, last) for earlier in values[:-1]):
        return None
    return last


def _says_no_more(earlier: Any, last: dict[str, Any]) -> bool:
    return isinstance(earlier, dict) and all(key in last and last[key] == earlier[key] for key in earlier)


def _clean(value: Any, raw: str) -> Any:
    """Without lone surrogates, which no file and no later request could hold."""
    if raw.isascii() and not _SURROGATE_ESCAPE.search(raw):
        return value
    return _cleaned(value)


def _cleaned(value: Any) -> Any:
    if isinstance(value, str):
        return mended(value)
    if isinstance(value, dict):
        return {mended(key): _cleaned(item) for key, item in value.items()}
    return [_cleaned(item) for item in value] if isinstance(value, list) else value


def coerced(value: dict[str, Any], schema: Schema | None) -> dict[str, Any]:
    """Give strings the type the schema asks for, where they spell it exactly; rename unique case variants."""
    properties = schema.get("properties") if schema else None
    if not isinstance(properties, dict) or not properties:
        return value
    names = _renamed(value, properties)
    return {names[key]: _typed(item, properties.get(names[key])) for key, item in value.items()}


def _renamed(value: Mapping[str, Any], properties: Mapping[str, Any]) -> dict[str, str]:
    """`filePath` for `file_path`: only where one property fits one key, and neither is taken."""
    free: dict[str, list[str]] = {}
    for name in properties:
        if name not in value:
            free.setdefault(_folded(name), []).append(name)
    strange = [_folded(key) for key in value if key not in properties]
    names = {}
    for key in value:
        fits = free.get(_folded(key), []) if key not in properties else []
        names[key] = fits[0] if len(fits) == 1 and strange.count(_folded(key)) == 1 else key
    return names


def _folded(name: str) -> str:
    return name.replace("_", "").replace("-", "").lower()


def _types(schema: Schema) -> set[str]:
    kinds = schema.get("type")
    types = {kinds} if isinstance(kinds, str) else set(kinds) if isinstance(kinds, list) else set()
    for choice in schema.get("anyOf") or schema.get("oneOf") or ():
        if isinstance(choice, dict):
            types |= _types(choice)
    return types


def _typed(item: Any, schema: Any) -> Any:
    if not isinstance(item, str) or not isinstance(schema, dict):
        return item
    types = _types(schema)
    if not types or "string" in types:
        return item  # text stays text, whatever it looks like
    word = item.strip()
    if "boolean" in types and word.lower() in {"true", "false"}:
        return word.lower() == "true"
    if "null" in types and word in {"null", "None", ""}:
        return None
    if types & {"integer", "number"} and (number := _number(word, types)) is not None:
        return number
    if types & {"array", "object"} and word[:1] in {"[", "{"}:
        return _structure(word, types, item)
    return item


def _number(word: str, types: set[str]) -> int | float | None:
    if re.fullmatch(r"-?\d{1,15}", word):
        return int(word)
    if "number" in types and re.fullmatch(r"-?\d{1,15}\.\d+", word):
        return float(word)
    if re.fullmatch(r"-?\d{1,15}\.0+", word):
        return int(float(word))
    return None


def _structure(word: str, types: set[str], item: str) -> Any:
    try:
        value, end = lenient.read(word)
    except lenient.Unreadable:
        return item
    wanted = ("array" in types and isinstance(value, list)) or ("object" in types and isinstance(value, dict))
    return value if wanted and not word[end:].strip() else item
