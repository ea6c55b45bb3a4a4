"""The published schema: of the right dialect, printed by the command, true of every event there is, and not of more."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import events as kinds
from harness.codec import line
from harness.lines import StreamLines
from tests import values
from tests.schema import FILE, valid, validator

RESULT = {
    "type": "result", "session_id": "s", "uuid": "0" * 8 + "-0000-0000-0000-" + "0" * 12, "subtype": "success",
    "is_error": False, "duration_ms": 1, "duration_api_ms": 1, "num_turns": 1, "stop_reason": "end_turn",
    "terminal_reason": "completed", "total_cost_usd": 0.0, "cost_known": False, "modelUsage": {}, "errors": [],
    "permission_denials": [], "result": "ok", "usage": {
        "input_tokens": 1, "output_tokens": 1, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0,
    },
}  # fmt: skip


def test_the_command_prints_it_and_the_docs_have_the_same():
    done = subprocess.run([sys.executable, "-m", "harness", "events", "--schema"], capture_output=True, check=True)
    assert done.stdout == FILE.read_bytes()
    assert json.loads(done.stdout)["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def test_it_knows_every_event_by_its_tag():
    schema = validator().schema
    assert isinstance(schema, dict)
    assert {kind.type for kind in get_args(kinds.Event)} - {"message", "subagent"} <= set(
        schema["properties"]["type"]["enum"]
    )


def sayable(event: Any) -> bool:
    """Texts may be anything; counts below nothing and system events of free fields are not said by a session."""
    counted = (kinds.StreamRequestStart, kinds.Progress, kinds.ToolProgress, kinds.Result)
    free = isinstance(event, kinds.System) and event.subtype != "api_retry"
    return not free and not isinstance(event, counted)


@given(st.lists(values.events.filter(sayable), max_size=4), st.booleans())
def test_every_line_of_any_event_is_valid(given_events, partial):
    encoder = StreamLines("s", partial=partial, hooks=True)
    for event in given_events:
        for found in encoder.of(event):
            valid(json.loads(line(found)))


@pytest.mark.parametrize(
    "change",
    [
        {"result": None}, {"subtype": "error_max_turns"}, {"usage": {}}, {"terminal_reason": ""}, {"is_error": 1},
        {"permission_denials": [{}]}, {"uuid": ""}, {"type": "reslt"}, {"total_cost_usd": "0"}, {"modelUsage": {"m": {}}},
    ],
    ids=str,
)  # fmt: skip
def test_what_is_no_result_is_refused(change):
    valid(RESULT)
    with pytest.raises(AssertionError):
        valid({**RESULT, **change})


def test_it_is_part_of_the_package():
    import harness

    assert FILE.resolve() == Path(harness.__file__).with_name("stream-json.schema.json").resolve()
