"""Named endpoints of a person's settings, `{NAME: {baseUrl, apiKeyEnv | apiKeyCommand, headers, ...}}`, and prices."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One model server. `api_key_env` names a variable, `api_key_command` prints the key; windows are in tokens."""

    name: str
    base_url: str
    api_key_env: str | None = None
    api_key_command: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    ca_file: str | None = None
    proxy: str | None = None
    aliases: Mapping[str, str] = field(default_factory=dict)
    context_window: int | None = None
    max_output: int | None = None


# The field that each key fills, and what it must be.
_FIELDS: Mapping[str, tuple[str, type]] = {
    "baseUrl": ("base_url", str),
    "apiKeyEnv": ("api_key_env", str),
    "apiKeyCommand": ("api_key_command", str),
    "headers": ("headers", dict),
    "caFile": ("ca_file", str),
    "proxy": ("proxy", str),
    "modelAliases": ("aliases", dict),
    "contextWindow": ("context_window", int),
    "maxOutput": ("max_output", int),
}
_WORDS = {str: "a string", dict: "an object of strings", int: "a whole number of tokens above 0"}


def usable_endpoints(data: Mapping[str, Any], problems: list[str]) -> dict[str, Any]:
    """The endpoints of a file that can be used; what is wrong with the others is added to `problems`.

    One with a wrong value is left out whole: half of it might send a key, or a request, to the wrong place.
    """
    wrong = {name: _wrong(value) for name, value in data.items()}
    problems.extend(f"endpoints.{name}{problem}" for name in data for problem in wrong[name])
    return {name: value for name, value in data.items() if not wrong[name]}


def endpoints(data: Mapping[str, Any]) -> dict[str, Endpoint]:
    """The endpoints that all files together come to."""
    return {name: Endpoint(name=name, **{_FIELDS[k][0]: v for k, v in value.items()}) for name, value in data.items()}


def _wrong(value: Any) -> list[str]:
    if not isinstance(value, dict):
        return [" must be an object"]
    wrong = [f".{key} is not known (known: {', '.join(_FIELDS)})" for key in value if key not in _FIELDS]
    wrong += [f".{key} must be {_WORDS[_FIELDS[key][1]]}" for key, item in value.items() if not _fits(key, item)]
    if "baseUrl" not in value:
        wrong.append(".baseUrl is missing")
    if "apiKeyEnv" in value and "apiKeyCommand" in value:
        wrong.append(" has both apiKeyEnv and apiKeyCommand")
    return wrong


def _fits(key: str, item: Any) -> bool:
    kind = _FIELDS[key][1] if key in _FIELDS else object
    if kind is dict:
        return isinstance(item, dict) and all(isinstance(each, str) for each in item.values())
    if kind is int:
        return type(item) is int and item > 0
    return isinstance(item, kind)


def usable_prices(data: Mapping[str, Any], problems: list[str]) -> dict[str, Any]:
    """`{MODEL: {"input", "output", "cached"?}}` in US dollars for a million tokens; what is no such price is told."""
    found = {model: value for model, value in data.items() if _is_price(value)}
    form = '{"input": 0.5, "output": 2, "cached": 0.1}, in US dollars for a million tokens'
    problems.extend(f"prices.{model} must be like {form}" for model in data if model not in found)
    return found


def _is_price(value: Any) -> bool:
    if not isinstance(value, dict) or not {"input", "output"} <= value.keys() <= {"input", "output", "cached"}:
        return False
    return all(isinstance(each, int | float) and not isinstance(each, bool) and each >= 0 for each in value.values())
