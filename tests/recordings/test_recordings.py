"""What the model is sent, byte for byte: three recorded sessions are run again, and nothing of it may have changed."""

import json
import shutil
from pathlib import Path

import pytest

from harness.commands.replay import main
from harness.errors import UsageError
from harness.scripted.script import steps
from harness.scripted.server import running
from tests.recordings.make import HERE, MADE, PLAIN, prepare
from tests.scenarios.house import House

REFRESH = """
What the model is sent is not what it was when the recording {name!r} was made. If that is on purpose, make it anew and
commit it with your change:  python -m tests.recordings.make {name}
"""


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> House:
    house = House.make(tmp_path)
    for name, value in house.env().items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    monkeypatch.chdir(house.project)
    return house


def session(name: str) -> str:
    return str(HERE / name / "session.jsonl")


def again(name: str, against: Path | str | None = None, *more: str) -> int:
    return main([session(name), "--against", str(against or HERE / name / "cassette"), *more])


@pytest.mark.parametrize("name", MADE)
def test_every_request_is_the_recorded_one(name: str, house: House, capsys: pytest.CaptureFixture[str]):
    code = again(name)
    said = capsys.readouterr().out
    assert code == 0, said + REFRESH.format(name=name)
    count = len(list((HERE / name / "cassette").glob("*.request.json")))
    assert said == f"{count} requests, all identical\n"
    assert not list(house.project.iterdir()), "nothing is run"


@pytest.mark.parametrize("name", MADE)
def test_a_session_is_shown_as_it_was(name: str, house: House, capsys: pytest.CaptureFixture[str]):
    assert main([session(name)]) == 0
    shown = capsys.readouterr().out
    assert main([session(name), "--json"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    said = [line["message"]["content"] for line in lines if line["type"] == "user" and line.get("isReplay")]
    results = [line for line in lines if line["type"] == "result"]
    texts = [
        b["text"] for line in lines if line["type"] == "assistant" for b in line["message"]["content"] if "text" in b
    ]
    assert all(text.splitlines()[0] in shown for text in texts)
    assert "\n> " in shown
    assert len([each for each in said if "<memory>" not in each]) >= len([r for r in results if r["num_turns"]])
    if name == "disturbed":
        assert "✗ Write denied: not there, use docs/" in shown
        assert "[aborted_streaming" in shown


def changed(house: House, number: int, old: bytes, new: bytes) -> Path:
    """A copy of the plain recording in which something else had been sent, or answered."""
    copy = house.base / "cassette"
    shutil.copytree(HERE / "plain" / "cassette", copy)
    for kind in ("request.json", "response.raw"):
        file = copy / f"{number:04}.{kind}"
        file.write_bytes(file.read_bytes().replace(old, new))
    return copy


@pytest.mark.parametrize(
    ("number", "old", "new", "where"),
    [
        (1, b"do not touch", b"do touch", "Request 0001 (1 of 10) differs from the recorded one in messages[1] (user)"),
        (4, b"return a + b", b"return a * b", "in messages[8] (tool).content"),
        (2, b'"name":"Grep"', b'"name":"Crep"', "(Crep).function.name"),
        (3, b'"stream":true,', b'"stream": true,', "in how it is written, from byte"),
        (5, b'"stream":true,', b'"stream":true,"top_k":1,', "in top_k"),
        (1, b'"id":"call_1_0"', b'"id":"call_9_9"', "in messages[2] (assistant).tool_calls[0] (Read).id"),
        (4, b"python3 test", b"python3 best", "in messages[9] (assistant).tool_calls[0] (Bash).function.arguments"),
    ],
)
def test_the_first_difference_is_shown(
    number: int, old: bytes, new: bytes, where: str, house: House, capsys: pytest.CaptureFixture[str]
):
    assert again("plain", changed(house, number, old, new)) == 1
    assert where in capsys.readouterr().out


def test_a_request_too_many_and_one_too_few_are_told(house: House, capsys: pytest.CaptureFixture[str]):
    copy = changed(house, 1, b"", b"")
    (copy / "0010.request.json").rename(copy / "0011.request.json")
    (copy / "0011.request.json").write_bytes((copy / "0011.request.json").read_bytes())
    shutil.copy(copy / "0011.request.json", copy / "0010.request.json")
    shutil.copy(HERE / "plain" / "cassette" / "0010.response.raw", copy)
    assert again("plain", copy) == 1
    assert "11 requests were recorded, and only 10 were made" in capsys.readouterr().out
    (copy / "0011.request.json").unlink()
    (copy / "0010.request.json").unlink()
    assert again("plain", copy) == 1
    assert "9 requests were recorded, and one more was made" in capsys.readouterr().out


def test_tools_are_run_where_that_is_asked_for(house: House, capsys: pytest.CaptureFixture[str]):
    prepare(house)
    assert again("plain", None, "--run-tools") == 0, capsys.readouterr().out
    assert "a + b" in (house.project / "sums.py").read_text()


def test_another_server_must_answer_the_same(house: House, capsys: pytest.CaptureFixture[str]):
    with running(steps(*PLAIN)) as server:
        assert again("plain", server.url) == 0
        assert len(server.requests) == 10
    assert capsys.readouterr().out == "10 requests, all answered as in the session\n"
    with running(steps(*PLAIN[:4], {"text": "It does not."}, *PLAIN[5:])) as server:
        assert again("plain", server.url) == 1
    assert "'It does not.'" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ([], "required: ID"),
        (["nobody"], "No conversation found named nobody"),
        (["./none.jsonl"], "is no file"),
        ([session("plain"), "--run-tools"], "needs --against"),
        ([session("plain"), "--against", "/nowhere"], "there is no recording"),
        ([session("plain"), "--against", str(HERE), "--nonsense"], "--nonsense"),
        ([str(HERE / "plain" / "cassette" / "0001.request.json")], "."),
    ],
)
def test_bad_usage_says_how_to_mend_it(words: list[str], why: str, house: House):
    with pytest.raises(UsageError) as caught:
        main(words)
    assert why in caught.value.what
    assert caught.value.mend
