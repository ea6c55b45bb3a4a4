"""An endpoint that fails, lies, stalls, or is not there: what a run says, and its exit code."""

import json
import socket
from functools import partial

import pytest

from tests.scenarios.house import STREAM, Done, House, Json, bash, together

OK = {"text": "Fine."}
ONCE = {"CLAUDE_CODE_MAX_RETRIES": "0"}


def test_a_stream_that_breaks_is_asked_for_again_and_counts_for_nothing(house: House):
    broken = {"text": "This is lost. " * 20, "calls": [bash("echo x >> ran")], "http": {"close_after": 2000}}
    done = house.ask(broken, {"text": "Kept."}, flags=(*STREAM, "--include-partial-messages"))
    assert (done.code, done.result["result"], done.result["num_turns"]) == (0, "Kept.", 1)
    (retry,) = done.of("system", "api_retry")
    assert (retry["attempt"], retry["retry_delay_ms"] > 0, retry["error_status"]) == (1, True, None)
    assert (retry["error"], "in the middle of the answer" in retry["message"]) == ("unknown", True)
    assert [block["text"] for line in done.of("assistant") for block in line["message"]["content"]] == ["Kept."]
    assert done.asked[0].messages == done.asked[1].messages
    assert not (house.project / "ran").exists()


def test_a_rate_limit_is_waited_for_as_long_as_the_server_says(house: House):
    limited = {"http": {"status": 429, "error": "Slow down.", "headers": {"Retry-After": "1"}}}
    done = house.ask(limited, OK)
    assert (done.code, done.result["result"]) == (0, "Fine.")
    assert done.asked[1].arrived - done.asked[0].arrived >= 1
    (retry,) = done.of("system", "api_retry")
    assert (retry["error_status"], retry["error"], retry["retry_delay_ms"]) == (429, "rate_limit", 1000)


PAGE = {"content_type": "text/html", "body": "<html><title>Welcome</title></html>"}
FAULTS: dict[str, tuple[Json, int, list[str]]] = {
    "429": ({"status": 429, "error": "Slow down."}, 75, ["429", "Slow down."]),
    "500": ({"status": 500, "error": "Boom."}, 75, ["500", "Boom."]),
    "503 as a page": ({**PAGE, "status": 503}, 75, ["503", "Welcome"]),
    "a page": (PAGE, 1, ["Welcome", "/v1"]),
    "400": ({"status": 400, "error": "temperature: no"}, 1, ["400", "temperature: no"]),
    "hung up": ({"drop": True}, 75, ["127.0.0.1"]),
    "broken": ({"close_after": 100}, 75, ["in the middle of the answer"]),
    "silent": ({"silence": True}, 75, ["sent nothing for 0.3 s", "API_TIMEOUT_MS"]),
    "stalled": ({"stall_after": 200}, 75, ["sent nothing for 0.3 s", "CLAUDE_STREAM_IDLE_TIMEOUT_MS"]),
}


@pytest.fixture(scope="module")
def failed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Done]:
    house = House.make(tmp_path_factory.mktemp("faults"))
    env = {**ONCE, "API_TIMEOUT_MS": "300", "CLAUDE_STREAM_IDLE_TIMEOUT_MS": "300"}

    def run(http: Json) -> Done:
        answer = {"text": "" if {"status", "body"} & http.keys() else "x" * 500, "http": http, "times": "always"}
        return house.ask(answer, flags=("--output-format", "json", "--model", "m"), env=env)

    return together({name: partial(run, http) for name, (http, _, _) in FAULTS.items()})


@pytest.mark.parametrize("name", FAULTS)
def test_what_cannot_be_mended_by_trying_again_is_said(failed: dict[str, Done], name: str):
    http, code, words = FAULTS[name]
    done, result = failed[name], failed[name].result
    assert (done.code, result["subtype"], result["is_error"]) == (code, "success", True)
    assert (result["terminal_reason"], result.get("api_error_status")) == ("api_error", http.get("status"))
    assert result["result"].startswith("API Error: ")
    assert [word for word in words if word not in result["result"]] == []


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


def test_where_nothing_listens_the_address_and_a_way_to_start_one_are_named(house: House):
    url = f"http://127.0.0.1:{closed_port()}/v1"
    done = house.run("-p", "go", "--model", "m", url=url, env=ONCE)
    assert done.code == 75
    assert f"Nothing listens at {url}." in done.out
    assert "ollama serve" in done.out
    unnamed = house.run("-p", "go", url=url, env=ONCE)  # the list of models is asked for first
    assert (unnamed.code, "ollama serve" in unnamed.out) == (75, True)
    result = json.loads(house.run("-p", "go", "--output-format", "json", url=url, env=ONCE).out)
    assert (result["is_error"], result["terminal_reason"]) == (True, "turn_setup_failed")


@pytest.mark.parametrize("env", [{"OPENAI_API_KEY": "sk-wrong"}, {}], ids=["wrong", "none"])
@pytest.mark.parametrize("flags", [("--model", "m"), ()], ids=["named", "unnamed"])
def test_a_wrong_key_names_the_variable_and_is_not_shown(house: House, env, flags):
    """With no model named, the list of models is asked for first."""
    done = house.ask(OK, flags=flags, env=env, api_key="sk-right")
    said = done.out + done.err
    assert (done.code, "401" in said, "OPENAI_API_KEY" in said, "sk-wrong" in said) == (1, True, True, False)


def test_a_wrong_model_lists_those_that_the_server_has(house: House):
    done = house.ask(OK, flags=("--model", "gpt-x"), models=["coder-7b", "coder-30b"])
    assert (done.code, "no model 'gpt-x'" in done.out) == (1, True)
    assert "coder-7b, coder-30b" in done.out


def test_of_several_models_one_has_to_be_chosen(house: House):
    done = house.ask(OK, flags=(), models=["coder-7b", "coder-30b"])
    assert (done.code, done.out) == (2, "")
    assert "coder-7b, coder-30b" in done.err
    assert "--model" in done.err
    assert house.ask(OK, flags=(), models=["a", "b"], env={"OPENAI_MODEL": "b"}).asked[0].body["model"] == "b"


@pytest.mark.parametrize(("name", "value"), [("OPENAI_BASE_URL", "ftp://x"), ("API_TIMEOUT_MS", "soon")])
def test_a_variable_that_cannot_be_used_is_named(house: House, name, value):
    done = house.run("-p", "go", env={name: value})
    assert (done.code, done.out) == (2, "")
    assert name in done.err
