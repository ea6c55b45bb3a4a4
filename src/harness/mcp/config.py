"""Which servers there are: `--mcp-config`, the person's settings, and a trusted project's `.mcp.json`."""

import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from harness.errors import UsageError
from harness.mcp.tool import plain
from harness.settings import Settings
from harness.settings.places import content, file_or_json

Scope = Literal["flag", "user", "project"]
_VARIABLE = re.compile(r"\$\{(?P<name>\w+)(?::-(?P<default>[^}]*))?\}")


@dataclass(frozen=True, slots=True)
class Config:
    """One server. `kind`: `stdio`, `sdk` (the program that drives us serves it), or what is not spoken here yet.

    `problem` says why it cannot be started. `timeout` is in seconds, None for the usual.
    """

    name: str
    kind: str
    scope: Scope
    command: str = ""
    args: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    timeout: float | None = None
    problem: str = ""


def configs(
    given: Iterable[str], chosen: Settings, cwd: Path, env: Mapping[str, str], *, strict: bool = False
) -> list[Config]:
    """All servers, by name: those of `given` (`--mcp-config`) before a project's before the person's.

    Raises:
        UsageError: what a flag gives cannot be used.
    """
    found: dict[str, Config] = {}
    for value in given:
        found |= {config.name: config for config in _of(_given(value, cwd), "flag", env)}
    if strict:
        return list(found.values())
    disabled = {name for layer in chosen.layers for name in layer.get("disabledMcpjsonServers") or ()}
    own: dict[str, Config] = {}
    for layer in reversed(chosen.layers):
        for config in _of(layer.get("mcpServers") or {}, "user", env):
            own.setdefault(config.name, config)
    for config in _project(chosen, cwd, env):
        why = _not_apart(config.name, own.keys() | found.keys())
        if config.name not in disabled and not (why and config.name in own):
            found.setdefault(config.name, replace(config, problem=config.problem or why))
    return list((found | {name: config for name, config in own.items() if name not in found}).values())


def _not_apart(name: str, persons: Collection[str]) -> str:
    """Why a repository may not bring a server of this name: a person's rule, or the name of a tool, that means a server
    of theirs would mean this one, too. `mcp__a` covers all that begins with `mcp__a__`."""
    begins = f"{plain(name)}__"
    if "__" in begins[:-1]:
        return (
            "its name has '__' in it, or '_' at its end, so that a rule for another server could cover its tools; "
            "rename it in .mcp.json"
        )
    for other in sorted(persons):
        if other != name and f"{plain(other)}__".startswith(begins):
            return f"its tools could have the names of those of your server {other!r}; rename it in .mcp.json"
    return ""


def _given(value: str, cwd: Path) -> Mapping[str, Any]:
    raw, path = file_or_json("--mcp-config", value, cwd)
    try:
        return _servers(json.loads(raw.decode("utf-8-sig", "replace")))
    except (ValueError, RecursionError) as error:
        where = f"--mcp-config {path}" if path else "--mcp-config"
        raise UsageError(
            f"{where} cannot be used: {error}.", 'Give {"mcpServers": {"NAME": {"command": ...}}}.'
        ) from None


def _project(chosen: Settings, cwd: Path, env: Mapping[str, str]) -> Iterator[Config]:
    if not chosen.trust.trusted:
        return
    try:
        raw = content(cwd / ".mcp.json")
        yield from _of(_servers(json.loads(raw.decode("utf-8-sig"))) if raw and raw.strip() else {}, "project", env)
    except (OSError, ValueError, RecursionError) as error:
        yield Config(".mcp.json", "stdio", "project", problem=f".mcp.json cannot be used: {error}")


def _servers(data: Any) -> Mapping[str, Any]:
    servers = data.get("mcpServers") if isinstance(data, dict) else None
    if not isinstance(servers, dict):
        raise ValueError("it holds no object mcpServers")
    return servers


def _of(servers: Mapping[str, Any], scope: Scope, env: Mapping[str, str]) -> Iterator[Config]:
    for name, given in servers.items():
        if not isinstance(given, Mapping):
            yield Config(name, "stdio", scope, problem="it must be an object")
            continue
        try:
            yield _config(name, _expanded(given, env), scope)
        except ValueError as error:
            yield Config(name, str(given.get("type") or "stdio"), scope, problem=str(error))


def _config(name: str, given: Mapping[str, Any], scope: Scope) -> Config:
    kind = given.get("type") or ("stdio" if "command" in given else "")
    if kind == "sdk" and scope == "flag":
        return Config(name, "sdk", scope)
    if not kind:
        raise ValueError("it has neither command nor type")
    if kind != "stdio":
        raise ValueError(f"servers of type {kind!r} are not spoken to yet")
    command, args, env = given.get("command"), given.get("args") or [], given.get("env") or {}
    if not isinstance(command, str) or not command:
        raise ValueError("command must be a string")
    if not isinstance(args, list) or not isinstance(env, Mapping):
        raise ValueError("args must be a list and env an object")
    timeout = given.get("timeout")
    seconds = timeout / 1000 if isinstance(timeout, int | float) and not isinstance(timeout, bool) else 0
    return Config(
        name,
        "stdio",
        scope,
        command,
        tuple(map(str, args)),
        {str(key): str(value) for key, value in env.items()},
        seconds if seconds > 0 else None,
    )


def _expanded(value: Any, env: Mapping[str, str]) -> Any:
    """`${VAR}` and `${VAR:-default}` put in. Raises ValueError for a variable that is not set."""
    if isinstance(value, str):
        return _VARIABLE.sub(lambda found: _value(found, env), value)
    if isinstance(value, Mapping):
        return {key: _expanded(item, env) for key, item in value.items()}
    return [_expanded(item, env) for item in value] if isinstance(value, list) else value


def _value(found: re.Match[str], env: Mapping[str, str]) -> str:
    value = env.get(found["name"]) or found["default"]
    if value is None:
        raise ValueError(f"the variable {found['name']} is not set")
    return value
