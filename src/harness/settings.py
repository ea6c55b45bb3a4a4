"""Settings of the user: `settings.json` in the state directory. Project files are not read yet (nothing of a
repository may execute or widen rights before it is trusted)."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.errors import UsageError
from harness.messages import MODES, Mode

_KINDS = {str: "a string", bool: "true or false", list: "a list of strings", dict: "an object"}


@dataclass(frozen=True, slots=True)
class Settings:
    """What the file said, checked; defaults where it was silent. `source` is the file, for messages."""

    source: Path | None = None
    model: str | None = None
    base_url: str | None = None
    ca_file: str | None = None
    aliases: Mapping[str, str] = field(default_factory=dict)
    mode: Mode | None = None
    allow: tuple[str, ...] = ()
    ask: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()
    directories: tuple[str, ...] = ()
    sandbox: bool = True
    auto_allow: bool | None = None
    deny_read: tuple[str, ...] = ()
    allow_write: tuple[str, ...] = ()


class _Reader:
    """Typed look-ups in parsed JSON, by dotted key; a wrong type is a `UsageError` that names file and key."""

    def __init__(self, data: Mapping[str, Any], source: Path) -> None:
        self._data, self._source = data, source

    def get(self, key: str, kind: type) -> Any:
        value: Any = self._data
        names = key.split(".")
        for depth, name in enumerate(names):
            if not isinstance(value, Mapping):
                raise self._wrong(".".join(names[:depth]), dict)
            value = value.get(name)
            if value is None:
                return None
        if not isinstance(value, kind):
            raise self._wrong(key, kind)
        return value

    def strings(self, key: str) -> tuple[str, ...]:
        value = self.get(key, list) or []
        if not all(isinstance(item, str) for item in value):
            raise self._wrong(key, list)
        return tuple(value)

    def named_strings(self, key: str) -> dict[str, str]:
        value = self.get(key, dict) or {}
        for name, item in value.items():
            if not isinstance(item, str):
                raise self._wrong(f"{key}.{name}", str)
        return value

    def _wrong(self, key: str, kind: type) -> UsageError:
        return UsageError(f"{self._source}: {key} must be {_KINDS[kind]}.", "Correct that key, or remove it.")


def load(home: Path) -> Settings:
    """Read `settings.json` below `home`; a missing file is all defaults.

    Raises:
        UsageError: the file cannot be read, is not JSON, or holds a value of the wrong kind.
    """
    path = home / "settings.json"
    try:
        data = json.loads(path.read_text("utf-8-sig"))  # some editors begin a file with a mark
    except FileNotFoundError:
        return Settings()
    except OSError as error:
        raise UsageError(
            f"{path} cannot be read: {error.strerror}.", "Mend its permissions, or move it away."
        ) from None
    except (ValueError, RecursionError) as error:  # RecursionError: thousands of brackets
        raise UsageError(f"{path} is not valid JSON: {error}.", "Correct it, or move it away.") from None
    if not isinstance(data, dict):
        raise UsageError(f"{path} must hold a JSON object.", 'Begin with {} and add keys such as "model".')
    return _settings(_Reader(data, path), path)


def _settings(read: _Reader, path: Path) -> Settings:
    mode = read.get("permissions.defaultMode", str)
    mode = "default" if mode == "manual" else mode
    if mode is not None and mode not in MODES:
        raise UsageError(f"{path}: permissions.defaultMode is {mode!r}.", f"Use one of: {', '.join(MODES)}.")
    enabled = read.get("sandbox.enabled", bool)
    auto_allow = read.get("sandbox.autoAllowBashIfSandboxed", bool)
    return Settings(
        source=path,
        model=read.get("model", str),
        base_url=read.get("endpoint.baseUrl", str),
        ca_file=read.get("endpoint.caFile", str),
        aliases=read.named_strings("modelAliases"),
        mode=mode,
        allow=read.strings("permissions.allow"),
        ask=read.strings("permissions.ask"),
        deny=read.strings("permissions.deny"),
        directories=read.strings("permissions.additionalDirectories"),
        sandbox=enabled is not False,
        # `sandbox.enabled: true` keeps the meaning that people's settings were written for
        auto_allow=True if enabled and auto_allow is None else auto_allow,
        deny_read=read.strings("sandbox.filesystem.denyRead"),
        allow_write=read.strings("sandbox.filesystem.allowWrite"),
    )
