"""What a definition says, in the terms of the program (`conventions.md` 7 and 8)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

Source = Literal["user", "project", "flag", "sdk", "builtin"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """`tools` None: all that the caller has. `model` None, `inherit`: the caller's. `prompt` is its system prompt."""

    name: str
    description: str
    prompt: str
    source: Source
    path: Path | None = None
    tools: tuple[str, ...] | None = None
    disallowed: tuple[str, ...] = ()
    model: str | None = None
    mode: str | None = None
    max_turns: int | None = None
    background: bool = False
    effort: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A prompt that is typed as `/name arguments`. `arguments` names them, in order."""

    name: str
    description: str
    text: str
    source: Source
    path: Path
    hint: str = ""
    arguments: tuple[str, ...] = ()
    allowed: tuple[str, ...] = ()  # rules for the turn; none from a repository that is not trusted
    model: str | None = None
    skill: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Skill:
    """Instructions that the model may ask for. `directory` holds its other files."""

    name: str
    description: str
    text: str
    source: Source
    directory: Path
    for_model: bool = True
    for_person: bool = True


def agent_from(name: str, fields: Mapping[str, Any], source: Source) -> Agent:
    """An agent as `--agents` and the SDK's `initialize` give it: camelCase keys, `prompt` among them.

    Raises:
        ValueError: a field of the wrong kind, in words.
    """
    for key in ("description", "prompt"):
        if not isinstance(fields.get(key), str):
            raise ValueError(f"agent {name!r}: {key} must be a string")
    turns = fields.get("maxTurns")
    if turns is not None and (not isinstance(turns, int) or isinstance(turns, bool) or turns < 1):
        raise ValueError(f"agent {name!r}: maxTurns must be a whole number from 1")
    return Agent(
        name=name,
        description=fields["description"],
        prompt=fields["prompt"],
        source=source,
        tools=None if fields.get("tools") is None else _names(name, "tools", fields["tools"]),
        disallowed=_names(name, "disallowedTools", fields.get("disallowedTools") or ()),
        model=_text(name, "model", fields),
        mode=_text(name, "permissionMode", fields),
        max_turns=turns,
        background=fields.get("background") is True,
        effort=str(fields["effort"]) if fields.get("effort") is not None else None,
    )


def _text(name: str, key: str, fields: Mapping[str, Any]) -> str | None:
    value = fields.get(key)
    if value is not None and not isinstance(value, str):
        raise ValueError(f"agent {name!r}: {key} must be a string")
    return value or None


def _names(name: str, key: str, value: Any) -> tuple[str, ...]:
    given: Sequence[Any] = [part.strip() for part in value.split(",")] if isinstance(value, str) else value
    if not isinstance(given, list | tuple) or not all(isinstance(item, str) for item in given):
        raise ValueError(f"agent {name!r}: {key} must be a list of tools")
    return tuple(item for item in given if item)
