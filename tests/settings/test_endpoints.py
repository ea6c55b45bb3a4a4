"""Named endpoints, prices and effort in settings files: what counts, and what is said of the rest."""

from typing import Any

import pytest

from harness.settings.endpoints import Endpoint, usable_endpoints, usable_prices
from tests.settings.room import Room

WHOLE = {
    "baseUrl": "https://models.example/v1",
    "apiKeyEnv": "WORK_KEY",
    "headers": {"x-team": "a"},
    "caFile": "/ca.pem",
    "proxy": "http://proxy:3128",
    "modelAliases": {"big": "org/big"},
    "contextWindow": 65536,
    "maxOutput": 8192,
}


def test_an_endpoint_is_read_whole(room: Room):
    room.user({"endpoints": {"work": WHOLE}, "endpoint": {"name": "work"}})
    chosen = room.load()
    assert chosen.endpoint == "work"
    assert chosen.endpoints["work"] == Endpoint(
        name="work",
        base_url="https://models.example/v1",
        api_key_env="WORK_KEY",
        headers={"x-team": "a"},
        ca_file="/ca.pem",
        proxy="http://proxy:3128",
        aliases={"big": "org/big"},
        context_window=65536,
        max_output=8192,
    )


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (5, "endpoints.x must be an object"),
        ({}, "endpoints.x.baseUrl is missing"),
        ({"baseUrl": 5}, "endpoints.x.baseUrl must be a string"),
        ({"baseUrl": "u", "apiKey": "sk"}, "endpoints.x.apiKey is not known"),
        ({"baseUrl": "u", "headers": {"a": 1}}, "endpoints.x.headers must be an object of strings"),
        ({"baseUrl": "u", "contextWindow": True}, "endpoints.x.contextWindow must be a whole number"),
        ({"baseUrl": "u", "maxOutput": 0}, "endpoints.x.maxOutput must be a whole number"),
        ({"baseUrl": "u", "apiKeyEnv": "A", "apiKeyCommand": "b"}, "endpoints.x has both"),
    ],
)
def test_a_wrong_endpoint_does_not_count_and_the_others_do(wrong: Any, said: str):
    problems: list[str] = []
    assert list(usable_endpoints({"x": wrong, "y": WHOLE}, problems)) == ["y"]
    assert problems[0].startswith(said)


def test_prices_that_are_none_are_told():
    problems: list[str] = []
    good = {"input": 0.5, "output": 2}
    found = usable_prices(
        {"a": good, "b": {"input": 1}, "c": {"input": -1, "output": 1}, "d": {**good, "x": 1}}, problems
    )
    assert found == {"a": good}
    assert [problem.split()[0] for problem in problems] == ["prices.b", "prices.c", "prices.d"]


def test_a_repository_names_no_endpoint_and_no_price_even_if_it_is_trusted(room: Room):
    room.committed({"endpoints": {"x": WHOLE}, "endpoint": {"name": "x", "contextWindow": 5}, "prices": {"m": {}}})
    chosen = room.load(trust_project=True)
    assert (chosen.endpoint, chosen.endpoints, chosen.context_window, chosen.prices) == (None, {}, None, {})


def test_effort_and_fallbacks(room: Room):
    room.user({"effortLevel": "xhigh", "fallbackModel": ["b", "c"]})
    assert (room.load().effort, room.load().fallback_models) == ("xhigh", ("b", "c"))
    room.user({"effortLevel": "enormous", "fallbackModel": "b,c"})
    assert (room.load().effort, room.load().fallback_models) == (None, ("b", "c"))
    assert "effortLevel is 'enormous'" in room.load().problems[0]
