"""What servers teach, and that it is remembered."""

import json
from pathlib import Path

import pytest

from harness.providers.errors import classify
from harness.providers.quirks import Quirks, learn, load, save, wire_effort
from harness.providers.schemas import plain_tools


@pytest.mark.parametrize(
    ("fix", "change"),
    [
        ("nine_char_ids", {"nine_char_ids": True}),
        ("drop_param:stream_options", {"dropped": ("stream_options",)}),
        ("text_tools", {"text_tools": True}),
        ("drop_param:tools", {"text_tools": True, "dropped": ()}),
        ("max_completion_tokens", {"output_limit": "max_completion_tokens"}),
    ],
)
def test_a_fix_changes_what_is_sent(fix: str, change: dict[str, object]):
    learnt = learn(Quirks(), fix)
    assert learnt is not None
    quirks, told = learnt
    assert {name: getattr(quirks, name) for name in change} == change
    assert told
    assert learn(quirks, fix) is None


@pytest.mark.parametrize(
    ("status", "message", "fix"),
    [
        (500, "tools param requires --jinja flag", "text_tools"),
        (400, "Jinja Exception: Tool call IDs should be alphanumeric strings with length 9!", "nine_char_ids"),
    ],
)
def test_what_llama_cpp_says_of_its_flags_and_templates_is_final_and_teaches(status: int, message: str, fix: str):
    """Both as the real server said them (b1-0c1e570); see tests/servers."""
    refusal = classify(status, {}, json.dumps({"error": {"code": status, "message": message, "type": "server_error"}}))
    assert (refusal.kind, refusal.retry, refusal.fix) == ("bad_request", None, fix)


@pytest.mark.parametrize("fix", ["", "unheard_of", "drop_param:messages"])
def test_the_rest_teaches_nothing(fix: str):
    assert learn(Quirks(), fix) is None


def test_effort_goes_down_by_steps():
    sent, quirks = [], Quirks()
    while effort := wire_effort(quirks, "max"):
        sent.append(effort)
        quirks, _ = learn(quirks, "drop_thinking") or (Quirks(effort="no"), "")
    assert sent == ["max", "high"]


def test_it_is_remembered_by_endpoint_and_model(tmp_path: Path):
    file, quirks = tmp_path / "deep" / "learnt.json", Quirks(bridge=True, dropped=("seed",))
    save(file, "http://a/v1", "m", quirks)
    assert load(file, "http://a/v1", "m") == quirks
    assert load(file, "http://a/v1", "n") == Quirks()


@pytest.mark.parametrize(
    "text", ["", "[]", '{"http://a/v1 m": 5}', '{"http://a/v1 m": {"quirks": {"bridge": "x", "y": 1}}}']
)
def test_a_damaged_file_is_as_none(tmp_path: Path, text: str):
    file = tmp_path / "learnt.json"
    file.write_text(text)
    assert load(file, "http://a/v1", "m") == Quirks()


def test_a_place_that_cannot_be_written_stops_nothing(tmp_path: Path):
    (tmp_path / "file").write_text("")
    save(tmp_path / "file" / "learnt.json", "e", "m", Quirks(bridge=True))


def test_plain_schemas():
    properties = {
        "a": {"anyOf": [{"type": "integer"}, {"type": "null"}], "title": "A"},
        "b": {},
        "c": {"type": ["string", "null"], "pattern": "x"},
    }
    parameters = {"type": "object", "properties": properties}
    spec = json.dumps([{"type": "function", "function": {"name": "f", "parameters": parameters}}]).encode()
    plain = plain_tools(spec).decode()
    assert '"a":{"type":"integer"}' in plain
    assert '"b":{"type":"string"}' in plain
    assert '"c":{"type":"string"}' in plain
