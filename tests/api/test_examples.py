"""The programs of examples/, each run as it is against the scripted endpoint."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from harness.scripted.script import steps
from harness.scripted.server import Received, running
from tests.scenarios.house import House, bash, call

EXAMPLES = Path(__file__).parents[2] / "examples"
FINDING = {"file": "cart.py", "line": 3, "problem": "never closed"}


def run(house: House, name: str, *tables: dict[str, Any], words: tuple[str, ...] = ()) -> tuple[str, list[Received]]:
    with running(steps(*tables)) as server:
        done = subprocess.run(
            [sys.executable, str(EXAMPLES / f"{name}.py"), *words],
            cwd=house.project,
            env=house.env(server.url),
            capture_output=True,
            text=True,
            timeout=50,
            check=False,
        )
    assert server.failures == []
    assert "Traceback" not in done.stderr, done.stderr
    return done.stdout, server.requests


def test_every_example_is_run_here():
    assert {path.stem for path in EXAMPLES.glob("*.py")} == {"answer", "stream", "own_tool", "guard", "conversation"}


def test_an_answer_of_a_form(house: House):
    wrong = {"calls": [call("StructuredOutput", findings=[{"file": "cart.py"}])]}
    right = {"calls": [call("StructuredOutput", findings=[FINDING])]}
    out, asked = run(house, "answer", wrong, right, {"text": "That is all."})
    assert out == "cart.py:3: never closed\n"
    assert "line" in asked[1].messages[-1]["content"]
    assert "plan" in asked[0].messages[-1]["content"]


def test_a_stream(house: House):
    out, _ = run(house, "stream", {"text": "I look.", "calls": [bash("ls")]}, {"text": "Nothing."}, words=("look",))
    assert out.splitlines()[:3] == ["I look.", "[Bash]", "Nothing."]
    assert out.splitlines()[3].startswith("2 requests")


def test_a_tool_that_is_a_function(house: House):
    calls = {"calls": [call("stock", article="nuts"), call("stock", article="screws"), call("stock", many=1)]}
    out, asked = run(house, "own_tool", calls, {"text": "Nuts."})
    assert out == "Nuts.\n"
    (offered,) = asked[0].body["tools"]
    assert offered["function"]["name"] == "stock"
    assert offered["function"]["description"] == "How many pieces of an article there are."
    assert offered["function"]["parameters"]["properties"]["article"]["description"] == "Its name, in the plural"
    said = [message["content"] for message in asked[1].messages if message["role"] == "tool"]
    assert said[0] == "0"
    assert "There are: bolts, nuts." in said[1]
    assert "`article`" in said[2]


def test_a_hook_and_a_callback(house: House):
    (house.project / "Makefile").write_text("all:\n\ttouch built\n")
    calls = [bash("make all"), bash("git push"), bash("touch other")]
    out, asked = run(house, "guard", {"calls": calls}, {"text": "Done."})
    lines = out.splitlines()
    assert lines[:3] == ["asked: Bash make all", "asked: Bash touch other", "Done."]
    assert lines[3:] == ["denied: git push", "denied: touch other"]
    said = [message["content"] for message in asked[1].messages if message["role"] == "tool"]
    assert "Nothing is pushed from here." in said[1]
    assert "Only make is allowed." in said[2]
    assert not (house.project / "other").exists()


def test_a_conversation(house: House):
    out, asked = run(house, "conversation", {"text": "One."}, {"text": "Two."}, {"text": "Three."})
    assert out == "One.\nTwo.\nThree.\n"
    assert "What does this project do?" in asked[2].messages[1]["content"]
    assert len(asked[2].messages) == 6


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House.make(tmp_path)
