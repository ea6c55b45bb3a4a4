"""Endpoints by name, effort, fallbacks, windows and cost, as a user of `harness -p` sees them."""

import json

import pytest

from harness.scripted.script import steps
from harness.scripted.server import running
from tests.scenarios.house import STREAM, House, bash

USAGE = {"prompt_tokens": 2000, "completion_tokens": 100, "cached_tokens": 500}


def test_a_named_endpoint_brings_key_headers_and_aliases(house: House):
    with running(steps({"text": "Hi."}, api_key="sk-work", models=["org/big"])) as server:
        own = {"baseUrl": server.url, "apiKeyEnv": "WORK_KEY", "headers": {"x-team": "a"}}
        house.settings(endpoints={"work": {**own, "modelAliases": {"big": "org/big"}}})
        flags = ("-p", *STREAM, "--endpoint", "work", "--model", "big", "--effort", "xhigh")
        done = house.run(*flags, "go", env={"WORK_KEY": "sk-work", "OPENAI_API_KEY": "sk-other"})
    assert done.code == 0
    [asked] = server.requests
    assert (asked.body["model"], asked.body["reasoning_effort"], asked.headers["x-team"]) == ("org/big", "max", "a")


def test_the_window_is_the_servers_and_later_runs_do_not_ask_again(house: House):
    tables = ({"text": "Hi."}, {"text": "Hi."})
    with running(steps(*tables, context_window=8192)) as server:
        runs = [house.run("-p", *STREAM, "--model", "m", "go", url=server.url) for _ in range(2)]
    assert [run.result["modelUsage"]["m"]["contextWindow"] for run in runs] == [8192, 8192]
    paths = [(asked.method, asked.path) for asked in server.all]
    assert paths == [("GET", "/v1/models"), *2 * [("POST", "/v1/chat/completions")]]


def test_the_cost_is_the_sum_of_the_messages(house: House):
    house.settings(prices={"m": {"input": 1.0, "output": 10.0, "cached": 0.1}})
    first, last = {"calls": [bash("true")], "usage": USAGE}, {"text": "Done.", "usage": USAGE}
    done = house.ask(first, last, flags=(*STREAM, "--model", "m", "--permission-mode", "bypassPermissions"))
    costs = [line["cost_usd"] for line in done.of("assistant")]
    assert costs == [pytest.approx((1500 * 1.0 + 500 * 0.1 + 100 * 10.0) / 1e6)] * 2
    assert (done.result["total_cost_usd"], done.result["cost_known"]) == (pytest.approx(sum(costs)), True)
    kept = [json.loads(line) for file in house.config.rglob("*.jsonl") for line in file.read_text().splitlines()]
    assert [line["harness"]["cost"] for line in kept if line["type"] == "assistant"] == costs


def test_a_price_that_nobody_knows_is_no_price_of_0(house: House):
    done = house.ask({"text": "Hi.", "usage": USAGE}, flags=(*STREAM, "--model", "nobody-knows"))
    assert (done.result["total_cost_usd"], done.result["cost_known"]) == (0.0, False)
    assert "cost_usd" not in done.of("assistant")[0]


def test_a_fallback_goes_on_and_does_not_price_anew_what_was_paid(house: House):
    house.settings(prices={"a": {"input": 1, "output": 0}, "b": {"input": 100, "output": 0}})
    gone = {"http": {"status": 503, "error": "The engine is currently overloaded"}}
    first, last = {"calls": [bash("true")], "usage": USAGE}, {"text": "Done.", "usage": USAGE}
    flags = (*STREAM, "--model", "a", "--fallback-model", "b", "--permission-mode", "bypassPermissions")
    done = house.ask(first, gone, last, flags=flags, env={"CLAUDE_CODE_MAX_RETRIES": "0"})
    assert [asked.body["model"] for asked in done.asked] == ["a", "a", "b"]
    spent = {model: use["costUSD"] for model, use in done.result["modelUsage"].items()}
    assert spent == {"a": pytest.approx(2000 / 1e6), "b": pytest.approx(200_000 / 1e6)}
    assert done.result["total_cost_usd"] == pytest.approx(sum(spent.values()))
