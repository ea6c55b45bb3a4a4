"""Answers held to a schema, in whole sessions and by themselves."""

import json

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
