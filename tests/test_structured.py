"""Answers held to a schema, in whole sessions and by themselves."""

import json
from itertools import pairwise

import pytest

from harness.errors import UsageError
from harness.flags.values import schema
from harness.structured import TRIES, Contract
from tests.scenarios.house import House, call
from tests.sdk.program import started

SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "count": {"type": "integer"}},
    "required": ["name", "count"],
}
GOOD, BAD = {"name": "demo", "count": 2}, {"name": "demo", "count": "two"}
FLAG = ("--json-schema", json.dumps(SCHEMA))
STREAM = ("--output-format", "stream-json")


@pytest.fixture
def house(tmp_path) -> House:
    return House.make(tmp_path)


def test_an_answer_that_does_not_fit_is_asked_for_again(house):
    done = house.ask(
        {"calls": [call("StructuredOutput", **BAD)]},
        {"text": "I am done."},
        {"text": json.dumps(BAD)},
        {"calls": [call("StructuredOutput", **GOOD)]},
        flags=(*STREAM, *FLAG),
    )
    assert done.code == 0
    assert done.result["structured_output"] == GOOD
    assert json.loads(done.result["result"]) == GOOD
    assert "`count`: 'two' is not of type 'integer'" in done.results[0]
    said = [m["content"] for m in done.asked[-1].messages if m["role"] == "user"]
    assert "it is not JSON" in said[-2]
    assert "'two' is not of type 'integer'" in said[-1]


@pytest.mark.parametrize("text", [json.dumps(GOOD), f"```json\n{json.dumps(GOOD)}\n```"])
def test_text_that_is_the_answer_is_taken(house, text):
    done = house.ask({"text": text}, flags=FLAG)
    assert json.loads(done.out) == GOOD


def test_it_ends_after_so_many(house):
    done = house.ask(*[{"calls": [call("StructuredOutput", **BAD)]}] * TRIES, flags=(*STREAM, *FLAG))
    assert done.code == 1
    assert done.result["subtype"] == "error_max_structured_output_retries"
    assert done.result["terminal_reason"] == "structured_output_retry_exhausted"
    assert "structured_output" not in done.result


def test_a_schema_of_something_else_than_an_object(house):
    listed = json.dumps({"type": "array", "items": {"type": "integer"}})
    done = house.ask({"calls": [call("StructuredOutput", value=[1, 2])]}, flags=(*STREAM, "--json-schema", listed))
    assert done.result["structured_output"] == [1, 2]


def test_each_turn_of_a_program_has_its_own(house):
    again = {"calls": [call("StructuredOutput", name="x", count=3)]}
    with started(house, {"calls": [call("StructuredOutput", **GOOD)]}, again, flags=FLAG) as program:
        assert program.ask("one")["structured_output"] == GOOD
        assert program.ask("two")["structured_output"] == {"name": "x", "count": 3}


@pytest.mark.parametrize("value", ["{", "[]", '{"type": "nonsense"}', '{"properties": 5}'])
def test_a_schema_that_is_none(value):
    with pytest.raises(UsageError, match="--json-schema is not a valid JSON Schema"):
        schema(value)


def test_what_is_taken_fits():
    contract = Contract(SCHEMA)
    assert contract.offer({}) == [
        "`(the whole)`: 'name' is a required property",
        "`(the whole)`: 'count' is a required property",
    ]
    assert not contract.met
    assert contract.offer(GOOD) == []
    assert (contract.value, contract.tries) == (GOOD, 1)
    contract.begin()
    assert (contract.met, contract.value, contract.tries) == (False, None, 0)


# Asking again, with the call forced where the server can be made to decode it

NAMED = {"type": "function", "function": {"name": "StructuredOutput"}}
FORCED = {"expect": {"fields": {"tool_choice": NAMED}}}


def choices(done):
    return [asked.body.get("tool_choice") for asked in done.asked]


def test_asking_again_forces_the_call_and_the_first_request_does_not(house):
    done = house.ask(
        {"calls": [call("Bash", command="true")]},
        {"text": "I am done."},
        {**FORCED, "calls": [call("StructuredOutput", **BAD)], "finish": "stop"},  # as vLLM ends a named choice
        {**FORCED, "calls": [{"name": "StructuredOutput", "arguments": '{"name": "demo", "count": '}]},
        {**FORCED, "calls": [call("StructuredOutput", **GOOD)], "finish": "stop"},
        flags=(*STREAM, *FLAG),
    )
    assert done.result["structured_output"] == GOOD
    assert choices(done) == [None, None, NAMED, NAMED, NAMED]
    told = [line["content"] for line in done.of("system", "informational")]
    assert not [text for text in told if "cache starts anew" in text], "what servers cache stays byte for byte"
    bodies = [asked.body for asked in done.asked]
    assert all(body["tools"] == bodies[0]["tools"] for body in bodies)
    assert all(new["messages"][: len(old["messages"])] == old["messages"] for old, new in pairwise(bodies))


def test_after_another_call_the_model_is_free_again(house):
    """A server that holds the model to some call, not to which: it may go on working."""
    done = house.ask(
        {"text": "I am done."},
        {**FORCED, "calls": [call("Bash", command="true")]},
        {"calls": [call("StructuredOutput", **GOOD)]},
        flags=(*STREAM, *FLAG),
    )
    assert choices(done) == [None, NAMED, None]
    assert done.result["structured_output"] == GOOD


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, "Invalid tool_choice type: 'object'. Supported string values: none, auto, required"),
        (400, "this model reasons and takes no such value"),  # without a word of what is meant
        (404, "No endpoints found that support the provided 'tool_choice' value."),
    ],
)
def test_a_server_that_refuses_is_asked_without_and_never_so_again(house, status, error):
    done = house.ask(
        {"text": "I am done."},
        {**FORCED, "http": {"status": status, "error": error}},
        {"text": "Really."},
        {"calls": [call("StructuredOutput", **GOOD)]},
        flags=(*STREAM, *FLAG),
    )
    assert done.code == 0
    assert choices(done) == [None, NAMED, None, None]
    told = [line["content"] for line in done.of("system", "informational")]
    assert any("the parameter tool_choice is left out from now on" in text for text in told)
    body = json.loads(done.asked[1].raw), json.loads(done.asked[2].raw)
    assert body[0]["messages"] == body[1]["messages"]
    learnt = json.loads((house.home / ".cache/harness/learnt.json").read_text())
    (known,) = learnt.values()
    assert known["quirks"]["dropped"] == ["tool_choice"]


def test_a_server_that_ignores_it_is_asked_as_often_as_any(house):
    done = house.ask({"text": "I am done."}, *[{**FORCED, "text": "Well, {}"}] * (TRIES - 1), flags=(*STREAM, *FLAG))
    assert done.code == 1
    assert done.result["subtype"] == "error_max_structured_output_retries"


def test_a_failure_of_another_kind_teaches_nothing(house):
    """An overloaded server has not said that it cannot."""
    done = house.ask(
        {"text": "I am done."},
        {"http": {"status": 503, "error": "busy", "headers": {"Retry-After": "0"}}},
        {**FORCED, "calls": [call("StructuredOutput", **GOOD)]},
        flags=(*STREAM, *FLAG),
    )
    assert choices(done) == [None, NAMED, NAMED]


def test_text_that_a_server_held_to_the_tools_parameters():
    contract = Contract({"type": "array", "items": {"type": "integer"}})
    assert contract.read('{"value": [1, 2]}') is None
    assert contract.value == [1, 2]
    either = Contract({"anyOf": [{"type": "object", "required": ["value"]}, {"type": "integer"}]})
    assert either.read('{"value": 1}') is None
    assert either.value == {"value": 1}, "what fits as it is is the answer"


def test_the_next_turn_begins_unforced(house):
    bad = {"calls": [call("StructuredOutput", **BAD)]}
    with started(house, *[bad] * TRIES, {"calls": [call("StructuredOutput", **GOOD)]}, flags=FLAG) as program:
        assert program.ask("one")["subtype"] == "error_max_structured_output_retries"
        assert program.ask("two")["structured_output"] == GOOD
        assert [r.body.get("tool_choice") for r in program.server.requests] == [None, *[NAMED] * (TRIES - 1), None]
