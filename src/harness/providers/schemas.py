"""Tool schemas in the plain form that every grammar generator takes."""

import json
from typing import Any

_KEPT = {"type", "properties", "required", "enum", "items", "description", "additionalProperties"}


def plain_tools(tools: bytes) -> bytes:
    """The `tools` array with schemas reduced to type, properties, required, enum, items and description."""
    specs = json.loads(tools)
    for spec in specs:
        function = spec.get("function", spec)
        function["parameters"] = _plain(function.get("parameters") or {"type": "object"})
    return json.dumps(specs, ensure_ascii=False, separators=(",", ":")).encode()


def _plain(schema: Any) -> dict[str, Any]:
    if not isinstance(schema, dict) or not schema:
        return {"type": "string"}
    choices = schema.get("anyOf") or schema.get("oneOf")
    if choices and "type" not in schema:
        known = [choice for choice in choices if isinstance(choice, dict) and choice.get("type") != "null"]
        return _plain({**schema, **(known[0] if known else {})} | {"anyOf": None, "oneOf": None})
    plain = {key: value for key, value in schema.items() if key in _KEPT}
    kinds = plain.get("type")
    if isinstance(kinds, list):
        plain["type"] = next((kind for kind in kinds if kind != "null"), "string")
    plain.setdefault("type", "object" if "properties" in plain else "string")
    if "properties" in plain:
        plain["properties"] = {name: _plain(value) for name, value in plain["properties"].items()}
    if "items" in plain:
        plain["items"] = _plain(plain["items"])
    if isinstance(plain.get("additionalProperties"), dict):
        del plain["additionalProperties"]
    return plain
