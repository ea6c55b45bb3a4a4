"""The published schema of stream-json, for every test that reads lines."""

import json
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

FILE = Path(__file__).parents[1] / "docs" / "stream-json.schema.json"
CONTROL = {
    "control_request",
    "control_response",
    "control_cancel_request",
    "conversation_reset",
    "transcript_mirror",
}  # of SDKs alone


@cache
def validator() -> Draft202012Validator:
    schema = json.loads(FILE.read_text("utf-8"))
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def valid(line: dict[str, Any]) -> dict[str, Any]:
    """The line, if it is what the schema says."""
    wrong = [f"{'.'.join(map(str, error.absolute_path))}: {error.message}" for error in validator().iter_errors(line)]
    assert not wrong, (wrong, line)
    return line


def told(line: dict[str, Any]) -> dict[str, Any]:
    """The same for an SDK session's stdout, whose control protocol has a form of its own."""
    return line if line["type"] in CONTROL else valid(line)
