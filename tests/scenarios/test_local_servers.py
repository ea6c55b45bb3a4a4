"""No OPENAI_BASE_URL: servers on the usual local ports are found, told, and never given the key."""

import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from tempfile import gettempdir

import pytest

from harness.providers.servers import LOCAL
from harness.scripted.script import steps
from harness.scripted.server import Server, running
from tests.scenarios.house import House

PORTS = {server.name: server.port for server in LOCAL}
KEY = {"OPENAI_API_KEY": "sk-secret"}
HELLO = {"text": "Hello.", "times": "always"}


@pytest.fixture(autouse=True)
def _ports_are_ours() -> Iterator[None]:
    """One of these tests at a time, whatever runs beside it: the ports are the machine's."""
    with open(Path(gettempdir()) / f"harness-test-ports-{os.getuid()}", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for name, port in PORTS.items():
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    pytest.skip(f"something listens on {name}'s port {port} of this machine")
        yield


@pytest.fixture
def ollama() -> Iterator[Server]:
    with running(steps(HELLO), port=PORTS["Ollama"]) as server:
        yield server


def test_one_is_used_and_told_and_gets_no_key(house: House, ollama: Server):
    done = house.run("-p", "go", "--output-format", "stream-json", env=KEY)
    assert (done.code, done.result["result"]) == (0, "Hello.")
    (told,) = done.of("system", "informational")
    assert f"Found Ollama at {ollama.url}" in told["content"]
    assert {request.path for request in ollama.all} == {"/v1/models", "/v1/chat/completions"}
    assert not any("sk-secret" in str(request.headers) for request in ollama.all)


def test_of_several_none_is_chosen(house: House, ollama: Server):
    with ExitStack() as stack:
        other = stack.enter_context(running(steps(HELLO), port=PORTS["llama.cpp"]))
        done = house.run("-p", "go", env=KEY)
        asked = [*ollama.all, *other.all]
    assert (done.code, done.out) == (2, "")
    assert f"Ollama at {ollama.url}; llama.cpp at {other.url}" in done.err
    assert f"OPENAI_BASE_URL={ollama.url}" in done.err
    assert not any("authorization" in request.headers for request in asked)


def test_where_there_is_none_all_looked_for_are_named(house: House):
    done = house.run("-p", "go", env=KEY)
    assert (done.code, done.out) == (2, "")
    assert all(f"{name} {port}" in done.err for name, port in PORTS.items())
    assert "OPENAI_BASE_URL" in done.err
    assert done.seconds < 5
