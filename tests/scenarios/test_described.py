"""The published schema describes every field that a session says, on both surfaces that speak in lines."""

from typing import Any

from harness.scripted.script import steps
from harness.scripted.server import running
from tests.scenarios.house import STREAM, House, Json, bash, call
from tests.schema import CONTROL, validator

BROKEN: Json = {"text": "This is lost. " * 20, "http": {"close_after": 400}}
WORK: Json = {
    "text": "I look.",
    "reasoning": "Hm.",
    "calls": [call("Read", file_path="a"), bash("rm -rf /"), bash("ls")],
}


def described(line: Json) -> set[str]:
    schema: Any = validator().schema
    kind = schema["$defs"][line["type"]]
    known = {*schema["properties"], *kind["properties"]}
    for each in kind.get("allOf", []):
        if each["if"]["properties"]["subtype"]["const"] == line.get("subtype"):
            known |= each["then"]["properties"].keys()
    return known


def undescribed(lines: list[Json]) -> dict[str, set[str]]:
    found = {f"{line['type']} {line.get('subtype', '')}": line.keys() - described(line) for line in lines}
    return {name: fields for name, fields in found.items() if fields}


def rich(house: House) -> None:
    (house.project / "a").write_text("a\n")
    hook = {"type": "command", "command": "echo seen"}
    house.settings(hooks={event: [{"hooks": [hook]}] for event in ("SessionStart", "PreToolUse")})


def test_what_print_says(house: House):
    rich(house)
    flags = (*STREAM, "--include-partial-messages", "--include-hook-events")
    done = house.ask(BROKEN, WORK, {"text": "Done."}, flags=flags)
    assert {line["type"] for line in done.lines} >= {"system", "assistant", "user", "stream_event", "result", "stop"}
    told = {line["subtype"] for line in done.of("system")}
    assert told >= {"init", "api_retry", "hook_started", "hook_response", "permission_denied"}
    assert undescribed(done.lines) == {}


def test_what_a_program_is_told(house: House):
    rich(house)
    flags = ("--input-format", "stream-json", "--output-format", "stream-json", "--include-partial-messages")
    prompt = b'{"type": "user", "message": {"role": "user", "content": "go"}, "uuid": "u1"}\n'
    with running(steps(BROKEN, WORK, {"text": "Done."})) as server:
        done = house.run(*flags, "--replay-user-messages", url=server.url, stdin=prompt)
    lines = [line for line in done.lines if line["type"] not in CONTROL]
    assert lines[-1]["user_message_uuid"] == "u1"
    assert undescribed(lines) == {}
