"""What a model can get wrong in a call: it reads what is wrong and how to mend it, and the run goes on."""

import os

from tests.scenarios.house import STREAM, House, bash, call

BAD = {
    "cut short": ({"name": "Read", "arguments": '{"file_path": "a.txt'}, []),
    "no object": ({"name": "Read", "arguments": '["a.txt"]'}, ["object"]),
    "no JSON": ({"name": "Read", "arguments": "<xml>a</xml>"}, ["JSON"]),
    "misspelt tool": (call("Grpe", pattern="x"), ["no tool named 'Grpe'. Did you mean Grep?"]),
    "unknown tool": (call("Browse", url="x"), ["no tool named 'Browse'", "Bash, Edit, Glob, Grep, Read"]),
    "missing field": (call("Write", file_path="made.txt"), ["content"]),
    "unknown field": (call("Read", file_path="a.txt", lines=3), ["lines"]),
    "wrong type": (call("Read", file_path="a.txt", limit="many"), ["limit", "many"]),
    "no such job": (call("TaskOutput", task_id="b0000"), ["b0000", "None has begun"]),
    "outside the sandbox": (bash("id", dangerouslyDisableSandbox=True), ["outside the sandbox", "nobody can be asked"]),
    "not a regex": (call("Grep", pattern="(", path="."), ["regex", "("]),
    "missing file": (call("Read", file_path="b.txt"), ["b.txt"]),
    "directory": (call("Read", file_path="."), ["directory"]),
    "binary": (call("Read", file_path="blob"), ["binary"]),
    "a pipe": (call("Read", file_path="pipe"), ["pipe"]),
    "not UTF-8": (call("Edit", file_path="latin", old_string="x", new_string="y"), ["latin"]),
    "an edit of nothing": (call("Edit", file_path="a.txt", old_string="no such", new_string="y"), ["a.txt"]),
}


def test_each_is_answered_in_words_that_mend_it(house: House):
    (house.project / "a.txt").write_text("text")
    (house.project / "blob").write_bytes(bytes(range(256)) * 40)
    (house.project / "latin").write_bytes(b"caf\xe9 x")
    os.mkfifo(house.project / "pipe")
    done = house.acts(*(bad for bad, _ in BAD.values()))
    assert (done.code, len(done.results)) == (0, len(BAD))
    lacking = {
        name: (word, result)
        for (name, (_, words)), result in zip(BAD.items(), done.results, strict=True)
        for word in words
        if word not in result
    }
    assert lacking == {}
    assert not (house.project / "made.txt").exists()
    assert "Traceback" not in "".join(done.results)
    wrong = [line["message"]["content"][0]["is_error"] for line in done.of("user")]
    assert wrong == [True] * len(BAD)


def test_three_messages_in_a_row_of_unusable_calls_end_the_turn(house: House):
    done = house.ask(*({"calls": [BAD[name][0]]} for name in ("no JSON", "unknown tool", "wrong type")))
    assert (done.code, len(done.asked)) == (1, 3)
    assert (done.result["terminal_reason"], done.result["is_error"]) == ("malformed_tool_use_exhausted", True)
    assert "3 messages in a row" in done.result["errors"][0]
    assert done.of("preventContinuation")[0]["cause"] == "malformed_tool_use"
    assert len(done.of("user")) == 3


def test_one_good_call_between_them_starts_the_count_again(house: House):
    bad, good = {"calls": [call("Browse")], "times": 2}, {"calls": [call("Glob", pattern="*")]}
    done = house.ask(bad, good, dict(bad), {"text": "Done."}, flags=STREAM)
    assert (done.code, done.result["num_turns"]) == (0, 6)


def test_an_answer_without_anything_is_an_end_and_no_fault(house: House):
    done = house.ask({"text": ""})
    assert (done.code, done.result["result"]) == (0, "")


def test_ids_given_twice_are_told_apart(house: House):
    (house.project / "a.txt").write_text("aaa")
    (house.project / "b.txt").write_text("bbb")
    reads = [{**call("Read", file_path=f"{name}.txt"), "id": "same"} for name in "ab"]
    done = house.acts(*reads)
    assert ["aaa" in done.results[0], "bbb" in done.results[1]] == [True, True]
