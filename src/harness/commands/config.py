"""`harness config show`: the settings that count here, and which file each comes from."""

import argparse
import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from harness.errors import EXIT_OK, UsageError
from harness.flags import setting_sources
from harness.render import safe
from harness.settings import Asked, Settings, load
from harness.settings.merge import rows

_HIDDEN = re.compile(r"KEY|TOKEN|SECRET|PASSW|CREDENTIAL|AUTH|HEADER", re.IGNORECASE)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"harness config: {message}.", "Try: harness config show --origin")


def main(argv: Sequence[str]) -> int:
    """Print the settings; returns the exit code.

    Raises:
        UsageError: flags that cannot be used.
    """
    p = _Parser(prog="harness config", description="Show the settings that count in this directory.")
    p.add_argument("what", choices=["show"])
    p.add_argument("--origin", action="store_true", help="name the file that each value comes from")
    p.add_argument("--json", action="store_true", help="one object: settings, trust, problems, unknown keys")
    p.add_argument("--settings", metavar="FILE|JSON", help="as in a session")
    p.add_argument("--setting-sources", metavar="LIST", help="as in a session")
    p.add_argument("--trust-project", action="store_true", help="as in a session")
    given = p.parse_args(argv)
    asked = Asked(
        given=given.settings, sources=setting_sources(given.setting_sources), trust_project=given.trust_project
    )
    chosen = load(Path.cwd().resolve(), asked=asked)
    if given.json:
        _print(json.dumps(_object(chosen), indent=2))
    else:
        _show(chosen, origin=given.origin)
    return EXIT_OK


def _show(chosen: Settings, *, origin: bool) -> None:
    if not chosen.layers:
        print("No settings files: the defaults count.", file=sys.stderr)  # noqa: T201
    for key, value, name in rows(chosen.layers):
        shown = json.dumps(_public(key, value[0] if isinstance(value, list) and len(value) == 1 else value))
        _print(safe(f"{key} {'+=' if isinstance(value, list) else '='} {shown}" + (f"   # {name}" if origin else "")))
    for line in (str(chosen.trust), *chosen.problems):
        if line:
            print(f"Warning: {safe(line)}", file=sys.stderr)  # noqa: T201


def _object(chosen: Settings) -> dict[str, Any]:
    found = [{"key": key, "value": _public(key, value), "origin": name} for key, value, name in rows(chosen.layers)]
    return {
        "settings": found,
        "trust": {"state": chosen.trust.state, "ignored": list(chosen.trust.ignored)},
        "problems": list(chosen.problems),
        "unknown": [{"key": key, "origin": layer.name} for layer in chosen.layers for key in layer.unknown],
    }


def _public(key: str, value: Any) -> Any:
    """The value, but for what may be a secret: variables that are named like one, and all headers."""
    if key.startswith("env.") and _HIDDEN.search(key):
        return "(hidden)"
    if isinstance(value, list):
        return [_public("", item) for item in value]
    if isinstance(value, dict):
        return {
            name: dict.fromkeys(item, "(hidden)") if name == "headers" and isinstance(item, dict) else _public("", item)
            for name, item in value.items()
        }
    return value


def _print(text: str) -> None:
    print(text)  # noqa: T201
