"""What the values of flags come to, or an error that says which flag and how to mend it."""

import argparse
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import UsageError
from harness.messages import MODES, Mode
from harness.settings.places import SOURCES
from harness.start import Start

if TYPE_CHECKING:
    from harness.definitions import Agent


def mode(given: argparse.Namespace) -> Mode | None:
    """The permission mode. Raises UsageError."""
    asked: str | None = given.permission_mode
    if given.dangerously_skip_permissions:
        if asked not in (None, "bypassPermissions"):
            raise UsageError(f"--dangerously-skip-permissions and --permission-mode {asked} disagree.", "Drop one.")
        return "bypassPermissions"
    if asked == "manual":
        return "default"
    for known in MODES:
        if asked == known:
            return known
    if asked is None:
        return None
    raise UsageError(f"--permission-mode {asked}: no such mode.", f"Use one of: {', '.join(MODES)}.")


def prompt_tool(given: argparse.Namespace) -> str | None:
    """Who answers permission questions: `stdio`, the program at our pipes, or the tool of an MCP server."""
    named: str | None = given.permission_prompt_tool
    if named is None:
        return None
    driven, flag = given.input_format == "stream-json", f"--permission-prompt-tool {named}"
    if named == "stdio" and not driven:
        raise UsageError(
            f"{flag}: without lines as input nobody can be asked.",
            "Allow what you mean with --allowedTools, name a tool of an MCP server, as mcp__SERVER__TOOL, or drive it "
            "with --input-format stream-json.",
        )
    if named != "stdio" and not re.fullmatch(r"mcp__.+?__.+", named):
        raise UsageError(f"{flag}: that is no tool of an MCP server.", "Name it as mcp__SERVER__TOOL.")
    if not (given.headless or driven):
        raise UsageError(f"{flag}: it answers where no person is, and here you are asked.", "Add -p, or drop it.")
    return named


def tools(value: str | None) -> tuple[str, ...] | None:
    return None if value is None or value == "default" else tuple(value.replace(",", " ").split())


def schema(value: str | None) -> dict[str, Any] | None:
    """The value of `--json-schema`. Raises UsageError."""
    if value is None:
        return None
    import json  # noqa: PLC0415  seldom given

    from jsonschema.exceptions import SchemaError  # noqa: PLC0415
    from jsonschema.validators import validator_for  # noqa: PLC0415

    try:
        found = json.loads(value)
        if not isinstance(found, dict):
            raise ValueError("it must be an object")
        validator_for(found).check_schema(found)
    except SchemaError as error:
        why = f"{'.'.join(map(str, error.path)) or 'it'}: {error.message[:200]}"
        raise UsageError(f"--json-schema is not a valid JSON Schema: {why}.", "Correct it.") from None
    except (ValueError, RecursionError) as error:
        raise UsageError(f"--json-schema is not a valid JSON Schema: {error}.", "Give the schema as JSON.") from None
    return found


def agents(value: str | None) -> "tuple[Agent, ...]":
    if value is None:
        return ()
    import json  # noqa: PLC0415  seldom given

    from harness.definitions.values import agent_from  # noqa: PLC0415

    try:
        given = json.loads(value)
        if not isinstance(given, dict) or not all(isinstance(each, dict) for each in given.values()):
            raise ValueError("it must be an object of agents")
        return tuple(agent_from(name, fields, "flag") for name, fields in given.items())
    except (ValueError, RecursionError) as error:
        raise UsageError(f"--agents cannot be used: {error}.", "See harness --help.") from None


def text(given: argparse.Namespace, name: str) -> str | None:
    """A prompt given as text or by the name of its file."""
    text, file, flag = getattr(given, name), getattr(given, f"{name}_file"), f"--{name.replace('_', '-')}"
    if file is None:
        return str(text) if text is not None else None
    if text is not None and name == "system_prompt":
        raise UsageError(f"{flag} and {flag}-file disagree.", "Drop one.")
    try:
        return "\n\n".join(filter(None, (text, Path(file).read_text("utf-8"))))
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is no UTF-8"
        raise UsageError(f"{flag}-file {file} cannot be read: {why}.", "Name a text file.") from None


def start(given: argparse.Namespace) -> Start:
    return Start(
        newest=given.newest,
        resume=given.resume,
        fork=given.fork_session,
        session_id=given.session_id,
        name=given.name,
        at=given.resume_session_at,
        drops_turn=given.resume_drops_turn,
    ).checked()


def amount(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 < value < 1e9:
        raise argparse.ArgumentTypeError(f"{text!r} is no amount above 0")
    return value


def positive(text: str) -> int:
    value = int(text) if text.isascii() and text.isdigit() else 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 1")
    return value


def window(text: str) -> int:
    """`auto` is 0; `500k`, `1M`; a bare 100 to 1000 are thousands."""
    if text == "auto":
        return 0
    number, unit = (text[:-1], text[-1].lower()) if text[-1:].lower() in {"k", "m"} else (text, "")
    value = int(number) if number.isascii() and number.isdigit() else 0
    value *= {"k": 1_000, "m": 1_000_000}.get(unit, 1_000 if 100 <= value <= 1000 else 1)
    if not 100_000 <= value <= 1_000_000:
        raise argparse.ArgumentTypeError(f"{text!r} is neither auto nor from 100k to 1M")
    return value


def setting_sources(text: str | None) -> tuple[str, ...]:
    """The value of `--setting-sources`; '' is none of them. Raises UsageError."""
    names = SOURCES if text is None else tuple(name.strip() for name in text.split(",") if name.strip())
    for name in names:
        if name not in SOURCES:
            raise UsageError(f"--setting-sources: there is no source {name!r}.", f"Use some of: {','.join(SOURCES)}.")
    return names


def directory(text: str) -> Path:
    try:
        path = Path(text).expanduser().resolve()
    except (RuntimeError, ValueError):  # no such user, links in a circle
        path = None
    if path is None or not path.is_dir():
        raise UsageError(f"--add-dir {text}: no such directory.", "Name a directory that exists.")
    return path
