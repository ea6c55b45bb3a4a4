"""Sessions of several rounds: what each request holds, what is kept, and what a mistake costs."""

from itertools import pairwise

import pytest

from harness.journal import replay
from harness.providers.encode import Encoder
from harness.providers.quirks import Quirks
from tests.processes import processes
from tests.scenarios.house import BYPASS, STREAM, Done, House, bash, call

SOURCE = "def area(w, h):\n\treturn w + h\t# mm²"
ROUNDS = (
    {"text": "I look.", "calls": [call("Grep", pattern="def area", path=".")]},
    {
        "when": {"tool": "Grep", "result": r"(?P<file>\S+\.py)"},
        "reasoning": "It is there.",
        "calls": [call("Read", file_path="{{file}}")],
    },
    {
        "when": {"tool": "Read", "result": "w \\+ h"},
        "calls": [call("Edit", file_path="shape.py", old_string="w + h", new_string="w * h"), bash("cat shape.py")],
    },
    {"when": {"tool": "Bash", "result": r"w \* h"}, "text": "Mended."},
)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> House:
    return House.make(tmp_path_factory.mktemp("rounds"))


@pytest.fixture(scope="module")
def rounds(place: House) -> Done:
    (place.project / "shape.py").write_text(SOURCE)
    return place.ask(*ROUNDS, flags=(*STREAM, *BYPASS))


def body_until_tools(raw: bytes) -> bytes:
    return raw[: raw.index(b'],"tools":')]


def test_three_rounds_of_tools_do_the_work(place: House, rounds: Done):
    assert (rounds.code, rounds.result["result"], rounds.result["num_turns"]) == (0, "Mended.", 4)
    assert (place.project / "shape.py").read_text() == SOURCE.replace("+", "*")
    told = [line["message"]["content"][0] for line in rounds.of("user")]
    assert [block["content"] for block in told] == rounds.results
    assert all("tool_use_result" in line for line in rounds.of("user"))
    assert rounds.result["usage"]["input_tokens"] == sum(
        line["message"]["usage"]["input_tokens"] for line in rounds.of("assistant")
    )


def test_each_request_begins_with_the_one_before_byte_for_byte(rounds: Done):
    sent = [body_until_tools(request.raw) for request in rounds.asked]
    assert len(sent) == 4
    assert all(later.startswith(earlier) for earlier, later in pairwise(sent))
    assert len({request.raw.partition(b'],"tools":')[2] for request in rounds.asked}) == 1


def test_the_session_file_gives_back_what_was_sent(place: House, rounds: Done):
    (file,) = place.config.rglob("*.jsonl")
    assert file.stem == rounds.result["session_id"]
    assert file.stat().st_mode & 0o777 == 0o600
    history = replay(file.read_text().splitlines()).messages
    system = rounds.asked[0].messages[0]["content"]
    sent = Encoder(Quirks()).messages(system, history[:-1])
    assert body_until_tools(rounds.asked[-1].raw).endswith(sent[:-1])
    assert history[-1].text == "Mended."


def test_no_session_file_where_none_is_wanted(house: House):
    assert house.ask({"text": "ok"}, flags=("--no-session-persistence",)).code == 0
    assert not list(house.config.rglob("*.jsonl"))


def test_an_edit_that_misses_is_told_why_and_then_succeeds(house: House):
    before = b"a = 1\r\n\tb = 'x\xc3\xa9'  \r\nc = 3"
    (house.project / "f.py").write_bytes(before)
    done = house.ask(
        {"calls": [call("Read", file_path="f.py")]},
        {"calls": [call("Edit", file_path="f.py", old_string="b = 'wrong'", new_string="b = 'y'")]},
        {
            "when": {"tool": "Edit", "result": "(?s)(?P<miss>.+)"},
            "calls": [call("Edit", file_path="f.py", old_string="b = 'xé'", new_string="b = 'y'")],
        },
        {"text": "Done."},
        flags=(*STREAM, "--permission-mode", "acceptEdits"),
    )
    missed = done.of("user")[1]["message"]["content"][0]
    assert missed["is_error"]
    assert "f.py" in missed["content"]
    assert (house.project / "f.py").read_bytes() == before.replace(b"x\xc3\xa9", b"y")
    assert (done.code, done.result["result"]) == (0, "Done.")


def test_two_reads_of_one_message_overlap_in_time(house: House):
    with (house.project / "big").open("wb") as file:
        file.truncate(80 << 20)  # holes: nothing on the disk, and a while to search
    patterns = ("overlap-one-7c1", "overlap-two-7c1")
    calls = [call("Grep", pattern=pattern, path="big", output_mode="content") for pattern in patterns]
    with house.live({"calls": calls}, {"text": "Done."}, flags=()) as run:
        run.until(lambda: all(map(processes, patterns)))  # both searches run now
        run.until(lambda: run.saw("result"))
    kinds = [line["type"] for line in run.lines if line["type"] in {"hookPermissionResult", "user"}]
    assert kinds == ["hookPermissionResult"] * 2 + ["user"] * 2


def test_effects_of_one_message_run_alone_and_in_order(house: House):
    command = "echo {0}-begins >> log; sleep 0.2; echo {0}-ends >> log"
    done = house.acts(bash(command.format("a")), bash(command.format("b")), call("Read", file_path="log"))
    assert (house.project / "log").read_text().split() == ["a-begins", "a-ends", "b-begins", "b-ends"]
    assert "b-ends" in done.results[2]


def test_max_turns_ends_the_run_with_every_call_answered(house: House):
    again = {"calls": [call("Glob", pattern="*")], "times": "always"}
    done = house.ask(again, flags=(*STREAM, "--max-turns", "2"))
    assert (done.code, len(done.asked)) == (1, 2)
    assert (done.result["subtype"], done.result["is_error"]) == ("error_max_turns", True)
    assert "maximum number of turns (2)" in done.result["errors"][0]
    assert "result" not in done.result
    assert len(done.of("user")) == 2


def test_max_turns_in_text_is_an_error_in_words(house: House):
    again = {"calls": [call("Glob", pattern="*")], "times": "always"}
    done = house.ask(again, flags=("--max-turns", "1"))
    assert (done.code, done.out) == (1, "Error: Reached the maximum number of turns (1).\n")
