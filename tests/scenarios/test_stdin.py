"""What is piped into `harness -p`."""

import subprocess

from harness.scripted.script import steps
from harness.scripted.server import running
from tests.scenarios.house import COMMAND, Done, House

OK = {"text": "ok"}


def prompt(done: Done) -> str:
    content: str = done.asked[0].messages[-1]["content"]
    return content.partition("\n\n<environment>")[0]


def test_it_stands_below_the_prompt(house: House):
    done = house.ask(OK, flags=(), prompt="Explain this:", stdin="naïve\nlines\n".encode())
    assert prompt(done) == "Explain this:\n\nnaïve\nlines"


def test_it_may_be_the_prompt(house: House):
    with running(steps(OK)) as server:
        done = house.run("-p", url=server.url, stdin=b"Just this \xff.")
    assert (done.code, done.out) == (0, "ok\n")
    assert server.requests[0].messages[-1]["content"].startswith("Just this \N{REPLACEMENT CHARACTER}.")


def test_more_than_ten_megabytes_are_refused(house: House):
    done = house.run("-p", "go", stdin=b"x" * 10_000_001)
    assert (done.code, done.out) == (2, "")
    assert "larger than 10 MB" in done.err


def test_without_any_prompt_usage_is_told(house: House):
    done = house.run("-p")
    assert (done.code, done.out) == (2, "")
    assert "there is no prompt" in done.err


def test_closed_standard_input_is_as_good_as_none(house: House):
    with running(steps(OK)) as server:
        words = ["bash", "-c", 'exec "$@" <&-', "-", *COMMAND, "-p", "go"]
        done = subprocess.run(words, cwd=house.project, env=house.env(server.url), capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"ok\n", b"")


def test_a_pipe_that_nobody_writes_to_is_not_waited_for(house: House):
    with (
        running(steps(OK)) as server,
        subprocess.Popen(
            [*COMMAND, "-p", "go"],
            cwd=house.project,
            env=house.env(server.url),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as process,
    ):
        assert process.wait(15) == 0
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.read() == b"ok\n"
        assert b"nothing came on standard input" in process.stderr.read()
