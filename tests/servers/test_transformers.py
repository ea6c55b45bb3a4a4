"""transformers' server: no [DONE], whole calls in one delta, no window told and none kept."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.scenarios.house import House
from tests.servers.running import PLACE, Server, ask, calls, free_port, needed, running
from tests.servers.scripts import BROKEN, COMMAND, DONE, MADE, MENDED, NOTE, TEST


@contextmanager
def transformers(puppet: str, base: Path) -> Iterator[tuple[Server, str]]:
    """The server, and the name of its model."""
    program = needed(PLACE / "transformers" / "bin" / "transformers", "make .servers/transformers/installed")
    model = needed(PLACE / "puppets_hf" / puppet, "make .servers/transformers/installed writes it")
    port = free_port()
    argv = [str(program), "serve", str(model), "--device", "cpu", "--host", "127.0.0.1", "--port", str(port)]
    offline = {"HF_HUB_OFFLINE": "1", "HF_HOME": str(base / "hf")}
    with running(argv, base / f"{puppet}.log", port, "/health", **offline) as server:
        yield server, str(model)


def test_a_call_that_the_server_reads(house: House):
    (house.project / "note.txt").write_text(NOTE)
    with transformers("hermes", house.base) as (server, model):
        done = ask(house, server.url, "--model", model)
    assert (done.code, done.result["result"].strip()) == (0, DONE), done.out
    assert [call["input"] for call in calls(done)] == [{"command": COMMAND}]
    assert (house.project / "made.txt").read_text() == MADE


def test_the_main_job(house: House):
    (house.project / "calc.py").write_text(BROKEN)
    (house.project / "check.py").write_text(TEST)
    with transformers("main_job", house.base) as (server, model):
        done = ask(house, server.url, "--model", model)
    assert (done.code, done.result["num_turns"]) == (0, 5), done.out
    assert (house.project / "calc.py").read_text() == MENDED
    assert [call["name"] for call in calls(done)] == ["Bash", "Read", "Edit", "Bash"]
