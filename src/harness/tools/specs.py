"""`python -m harness.tools.specs`: write specs.json, the tools as a model is told of them.

It is generated so that a session can send it without loading pydantic, and stays byte for byte the same.
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.tools import SPECS_FILE, TOOLS, load

if TYPE_CHECKING:
    from harness.tools.tool import Tool

# What all servers' grammars understand; the rest (defaults, bounds, titles) is for our own validation.
_KEPT = ("type", "description", "enum")


def encode() -> bytes:
    """The tools' specs as a JSON array of chat-completions functions, sorted by name."""
    tools = load(TOOLS)
    specs = [spec(tools[name]) for name in sorted(tools)]
    return json.dumps(specs, ensure_ascii=False, separators=(",", ":")).encode()


def spec(tool: "Tool") -> dict[str, Any]:
    """One tool as a model is told of it."""
    parameters = _plain(tool.input.model_json_schema(), {})
    function = {"name": tool.name, "description": tool.description, "parameters": parameters}
    return {"type": "function", "function": function}


def _plain(schema: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """A schema of types, properties, enums and descriptions only: references put in place, null not told of."""
    definitions = definitions | schema.get("$defs", {})
    if "$ref" in schema:
        schema = definitions[schema["$ref"].rpartition("/")[2]] | schema
    for option in schema.get("anyOf", []):
        if option.get("type") != "null":
            schema = option | schema
    plain = {key: schema[key] for key in _KEPT if key in schema}
    if "items" in schema:
        plain["items"] = _plain(schema["items"], definitions)
    if plain.get("type") == "object":
        plain.pop("description", None)  # the model's docstring is for us
        told = {key: value for key, value in schema["properties"].items() if not value.get("untold")}
        plain["properties"] = {key: _plain(value, definitions) for key, value in told.items()}
        plain["required"] = schema.get("required", [])
        plain["additionalProperties"] = False
    return plain


def main() -> None:
    Path(SPECS_FILE).write_bytes(encode())


if __name__ == "__main__":
    main()
