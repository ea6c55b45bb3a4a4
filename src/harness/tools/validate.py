"""A model's arguments made into a tool's input, or an error that says which field, which rule, and what would do."""

import difflib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ValidationError

from harness.errors import ToolError
from harness.tools.tool import Tool

_WANTED = {
    "string_type": "a string",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "list_type": "a list",
    "model_type": "an object",
    "dict_type": "an object",
}


def parse(tool: Tool, given: Mapping[str, Any]) -> BaseModel:
    """The validated input of `tool`.

    Only what is unambiguous is mended: a name that differs in case or separators, "5" for 5, a list or object
    written as JSON text. Raises ToolError.
    """
    named = _renamed(tool.input, given)
    problems = [
        f"`{name.encode('ascii', 'replace').decode()}` holds half of a surrogate pair"
        for name in named
        if _half_pair(name, named[name])
    ]
    if problems:  # valid JSON, and no text: it could be neither written nor sent
        raise ToolError(f"{tool.name} was not run: " + "; ".join(problems) + ".", _fields(tool.input))
    try:
        return tool.input.model_validate(named)
    except ValidationError as error:
        first = error
    unpacked = _unpacked(named, first)
    if unpacked != named:
        try:
            return tool.input.model_validate(unpacked)
        except ValidationError as error:
            first = error
    free = [name for name in field_names(tool.input) if name not in named]
    problems = _sentences(first.errors(include_url=False), free)
    raise ToolError(f"{tool.name} was not run: " + "; ".join(problems) + ".", _fields(tool.input))


def field_names(model: type[BaseModel]) -> list[str]:
    return [field.alias or name for name, field in model.model_fields.items()]


def _plain(name: str) -> str:
    return name.replace("_", "").replace("-", "").lower()


def _renamed(model: type[BaseModel], given: Mapping[str, Any]) -> dict[str, Any]:
    names = field_names(model)
    result = {name: value for name, value in given.items() if name in names}
    for name, value in given.items():
        same = [right for right in names if _plain(right) == _plain(name)]
        right = same[0] if len(same) == 1 and same[0] not in result else name
        result.setdefault(right, value)
    return result


def _unpacked(given: dict[str, Any], error: ValidationError) -> dict[str, Any]:
    """`given` with JSON text in place of a list or an object parsed."""
    result = dict(given)
    for problem in error.errors(include_url=False):
        name, value = str(problem["loc"][0]) if problem["loc"] else "", problem["input"]
        if problem["type"] in {"list_type", "model_type", "dict_type"} and isinstance(value, str) and name in result:
            try:
                result[name] = json.loads(value)
            except ValueError:
                pass  # the first error stands
    return result


def _sentences(problems: Sequence[Any], free: Sequence[str]) -> list[str]:
    """A sentence for each problem. `free` are the fields not given: what was only misnamed is told once."""
    meant = {}
    for problem in problems:
        if problem["type"] == "extra_forbidden" and len(problem["loc"]) == 1:
            name = str(problem["loc"][0])
            meant[name] = next(iter(difflib.get_close_matches(name, free, 1, 0.5)), None)
    sentences = []
    for problem in problems:
        name = ".".join(str(part) for part in problem["loc"])
        if problem["type"] == "missing" and name in meant.values():
            continue
        near = meant.get(name)
        sentences.append(f"`{name}` should be `{near}`" if near else _sentence(problem))
    return sentences


def _sentence(problem: Any) -> str:
    name = ".".join(str(part) for part in problem["loc"])
    kind, value = problem["type"], problem["input"]
    if kind == "missing":
        return f"`{name}` is required"
    if kind == "extra_forbidden":
        return f"there is no field `{name}`"
    if kind == "value_error":
        return f"`{name}` {problem['ctx']['error']}"
    rule = f"must be {_WANTED[kind]}" if kind in _WANTED else problem["msg"].replace("Input should", "must")
    return f"`{name}`: {rule}, not {_short(value)}"


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _fields(model: type[BaseModel]) -> str:
    """The input's form in a line: `Fields: file_path (required), offset, limit.`"""
    parts = [
        f"{field.alias or name}{' (required)' * field.is_required()}" for name, field in model.model_fields.items()
    ]
    return f"Fields: {', '.join(parts)}."


def _half_pair(name: str, value: Any) -> bool:
    try:
        json.dumps([name, value], ensure_ascii=False, default=str).encode()
    except UnicodeEncodeError:
        return True
    return False
