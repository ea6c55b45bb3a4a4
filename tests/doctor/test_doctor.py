"""`harness doctor` as a user runs it: each trouble is named, with what mends it."""

import json
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.doctor.fake import Fake, able, ollama, refusal, serving, sse, vllm, without_parser
from tests.scenarios.house import Done, House, together
from tests.scenarios.test_endpoint import closed_port

Checks = dict[str, dict[str, Any]]


def doctor(house: House, *flags: str, fake: Fake | None = None, url: str = "", **env: str) -> Done:
    """With a home of its own: what one server taught must not be known of the next."""
    if fake is None:
        return house.run("doctor", *flags, url=url, env=env)
    with serving(fake):
        return house.run("doctor", *flags, url=fake.url, env=env)


def checks(done: Done) -> Checks:
    """By name; of several with one name the worst."""
    order = ("ok", "warn", "fail")
    found = sorted(json.loads(done.out)["checks"], key=lambda check: order.index(check["state"]))
    return {check["name"]: check for check in found}


def recorded(house: House) -> Done:
    done = doctor(house, "--probe", "--record", "kept", fake=vllm())
    assert len(list((house.project / "kept").glob("*.request.json"))) >= 6
    return done


RUNS: dict[str, Callable[[House], Done]] = {
    "nothing": lambda house: doctor(house, url=f"http://127.0.0.1:{closed_port()}/v1"),
    "wrong key": lambda house: doctor(house, "--json", fake=vllm(key="right"), OPENAI_API_KEY="sk-wrong-key"),
    "no key": lambda house: doctor(house, "--json", fake=vllm(key="right")),
    "no parser": lambda house: doctor(house, "--json", "--probe", fake=vllm(without_parser)),
    "ollama": lambda house: doctor(house, "--json", "--probe", fake=ollama()),
    "ollama, not loaded": lambda house: doctor(house, "--json", "--probe", fake=ollama(loaded=False)),
    "mute": lambda house: doctor(house, "--json", "--probe", fake=vllm(lambda _: sse({"content": ""}))),
    "healthy": recorded,
    "wrong model": lambda house: doctor(house, "--json", "--model", "gpt-x", fake=vllm()),
    "broken": lambda house: doctor(
        house, "--json", "--probe", fake=vllm(lambda body: refusal(400, "no") if "tools" in body else able(body))
    ),
}


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Done]:
    houses = {name: House.make(tmp_path_factory.mktemp("doctor")) for name in RUNS}
    return together({name: partial(run, houses[name]) for name, run in RUNS.items()})


def test_nothing_listens(done: dict[str, Done]):
    told = done["nothing"]
    (line,) = [line for line in told.out.splitlines() if line.startswith("fail")]
    assert told.code == 1
    assert "Nothing listens at http://127.0.0.1" in line
    assert "Mend: Start the server there" in line
    assert "ollama serve" in line


def test_a_healthy_setup_is_ok_in_every_line(done: dict[str, Done]):
    told = done["healthy"]
    lines = told.out.splitlines()
    assert (told.code, told.err) == (0, "")
    assert {line.split()[0] for line in lines} == {"ok"}
    text = told.out
    for words in ("vLLM 0.33.0", "131,072 tokens", "one tool call", "two calls", "read and answered", "apart from"):
        assert words in text
    assert {line[6:].split()[0] for line in lines} >= {"sandbox", "rg", "bash", "git", "state", "settings", "stream"}


@pytest.mark.parametrize(("name", "words"), [("wrong key", "does not take"), ("no key", "no OPENAI_API_KEY is set")])
def test_a_wrong_key_names_the_variable_and_is_not_shown(done: dict[str, Done], name: str, words: str):
    told = done[name]
    key = checks(told)["key"]
    assert (told.code, key["state"], "401" in key["what"], words in key["mend"]) == (1, "fail", True, True)
    assert "OPENAI_API_KEY" in key["mend"]
    assert "sk-wrong-key" not in told.out + told.err


def test_a_server_without_tool_parser_is_used_by_text_and_the_flags_are_named(done: dict[str, Done]):
    told = checks(done["no parser"])
    assert done["no parser"].code == 0
    assert (told["tools"]["state"], "text-tool mode" in told["tools"]["what"]) == ("warn", True)
    assert "--enable-auto-tool-choice --tool-call-parser" in told["tools"]["mend"]
    assert (told["call"]["state"], told["result"]["state"], told["parallel"]["state"]) == ("ok", "ok", "ok")
    assert "two calls" in told["parallel"]["what"]


@pytest.mark.parametrize("name", ["ollama", "ollama, not loaded"])
def test_a_window_of_4k_names_what_makes_it_larger_and_silent_truncation_is_seen(done: dict[str, Done], name: str):
    told = checks(done[name])
    window, overflow = told["window"], told["overflow"]
    assert (done[name].code, window["state"], "4,096" in window["what"]) == (1, "fail", True)
    assert "OLLAMA_CONTEXT_LENGTH" in window["mend"]
    assert "num_ctx" in window["mend"]
    assert (overflow["state"], "did not say so" in overflow["what"]) == ("warn", True)
    assert "OLLAMA_CONTEXT_LENGTH" in overflow["mend"]
    assert told["endpoint"]["data"]["profile"]["server"] == "Ollama"


def test_a_wrong_model_lists_those_there_are(done: dict[str, Done]):
    model = checks(done["wrong model"])["model"]
    assert (done["wrong model"].code, model["state"]) == (1, "fail")
    assert "coder" in model["what"]
    assert "--model" in model["mend"]


def test_tools_that_are_refused_for_good_are_a_failure(done: dict[str, Done]):
    told = checks(done["broken"])
    assert (done["broken"].code, told["stream"]["state"], told["call"]["state"]) == (1, "ok", "fail")


def test_a_model_that_says_nothing_and_calls_nothing_is_a_failure(done: dict[str, Done]):
    told = checks(done["mute"])
    assert (done["mute"].code, told["stream"]["state"], told["call"]["state"]) == (1, "fail", "fail")


def test_json_has_the_same_for_programs(done: dict[str, Done]):
    made = json.loads(done["no parser"].out)
    assert (made["ok"], "(harness " in made["version"]) == (True, True)
    assert all(check["state"] == "ok" or check["mend"] for check in made["checks"])


# The child may not make namespaces, as in most containers: nothing of bwrap can start.
DENIED = """
import ctypes, os, platform, struct, sys
from harness.sandbox import seccomp
program = seccomp.build(platform.machine())
libc = ctypes.CDLL(None, use_errno=True)
buffer = ctypes.create_string_buffer(program)
filter_ = struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(buffer))
assert libc.prctl(38, 1, 0, 0, 0) == 0
assert libc.prctl(22, 2, filter_, 0, 0) == 0
os.execv(sys.executable, [sys.executable, "-m", "harness", "doctor", "--json"])
"""


linux = pytest.mark.skipif(sys.platform != "linux", reason="bubblewrap is for Linux")


@linux
def test_without_a_sandbox_the_cause_and_the_mend_are_told(tmp_path: Path):
    house = House.make(tmp_path)
    env = house.env("http://127.0.0.1:9/v1")
    out = subprocess.run([sys.executable, "-c", DENIED], cwd=house.project, env=env, capture_output=True, check=False)
    sandbox = checks(Done(out.returncode, out.stdout.decode(), out.stderr.decode()))["sandbox"]
    assert (out.returncode, sandbox["state"]) == (1, "fail")
    assert "user namespaces" in sandbox["what"]
    assert "seccomp=unconfined" in sandbox["mend"]
    assert "--no-sandbox" in sandbox["mend"]


@linux
def test_within_our_own_sandbox_it_says_that_nothing_can_be_written(tmp_path: Path):
    house = House.make(tmp_path)
    inside = [sys.executable, "-m", "harness", "doctor", "--json"]
    told = checks(house.run("sandbox", "exec", "--", *inside))
    assert (told["sandbox"]["state"], bool(told["sandbox"]["mend"])) == ("fail", True)


def test_settings_and_state_are_told_with_their_files(tmp_path: Path):
    house = House.make(tmp_path)
    house.settings(model="m", sandbox={"enabled": False}, permissions={"allow": 3}, endpoint={"baseUrl": "ftp://x"})
    done = doctor(house, "--json")
    told = checks(done)
    assert "settings.json" in told["settings"]["what"]
    assert (told["settings"]["state"], "permissions.allow" in told["settings"]["what"]) == ("warn", True)
    assert (told["sandbox"]["state"], "sandbox.enabled" in told["sandbox"]["mend"]) == ("warn", True)
    assert (done.code, "ftp://x" in told["endpoint"]["what"]) == (1, True)


def test_a_state_directory_that_cannot_be_written_is_told(tmp_path: Path):
    told = checks(doctor(House.make(tmp_path), "--json", HARNESS_CONFIG_DIR="/dev/null/x"))
    assert (told["state"]["state"], "HARNESS_CONFIG_DIR" in told["state"]["mend"]) == ("fail", True)


def test_a_variable_that_cannot_be_used_is_told(tmp_path: Path):
    done = doctor(House.make(tmp_path), "--json", API_TIMEOUT_MS="soon")
    assert (done.code, "API_TIMEOUT_MS" in checks(done)["settings"]["mend"]) == (1, True)


def test_bad_usage(tmp_path: Path):
    done = doctor(House.make(tmp_path), "--prob")
    assert (done.code, "harness doctor" in done.err) == (2, True)
