"""What is asked of which server so that its answer is one tool's call, and which refusals are about that."""

import json

import pytest

from harness.providers.errors import classify
from harness.providers.forcing import forced, refused
from harness.providers.quirks import Quirks
from tests.providers.server import TOOLS, request

PARAMETERS = json.loads(TOOLS)[0]["function"]["parameters"]


@pytest.mark.parametrize(
    ("server", "field", "value"),
    [
        ("", "tool_choice", {"type": "function", "function": {"name": "Read"}}),
        ("vLLM", "tool_choice", {"type": "function", "function": {"name": "Read"}}),
        ("llama.cpp", "tool_choice", "required"),
        ("LM Studio", "tool_choice", "required"),
        (
            "Ollama",
            "response_format",
            {"type": "json_schema", "json_schema": {"name": "Read", "schema": PARAMETERS}},
        ),
    ],
)
def test_by_server(server, field, value):
    found = forced(request(tools=TOOLS, force="Read"), Quirks(), server)
    assert found is not None
    assert (found[0], json.loads(found[1])) == (field, value)
    assert forced(request(tools=TOOLS, force="Read"), Quirks(dropped=(field,)), server) is None


@pytest.mark.parametrize(
    ("what", "quirks"),
    [
        (request(tools=TOOLS), Quirks()),
        (request(tools=TOOLS, force="Write"), Quirks()),
        (request(force="Read"), Quirks()),
        (request(tools=TOOLS, force="Read"), Quirks(text_tools=True)),
    ],
)
def test_nothing_is_asked_where_nothing_is_wanted_or_offered(what, quirks):
    assert forced(what, quirks, "") is None


@pytest.mark.parametrize(
    ("status", "message", "about"),
    [
        (400, "deepseek-reasoner does not support this tool_choice", True),
        (400, "tool_choice 'specified' is incompatible with thinking enabled", True),
        (422, "Unexpected value", True),
        (500, "tool_choice param requires --jinja flag", True),
        (400, "The image is not supported", False),
        (404, "The model `m` does not exist.", False),
        (401, "Unauthorized", False),
        (503, "busy: tool_choice", False),
        (429, "rate limit", False),
    ],
)
def test_which_refusals_are_about_it(status, message, about):
    failure = classify(status, {}, json.dumps({"error": {"message": message}}))
    assert refused(failure, "tool_choice") is about
