"""`--record DIR` on a run: captures that `harness wire decode` reads."""

import json

from tests.scenarios.house import House, bash


def test_a_run_leaves_captures_that_decode(house: House):
    done = house.acts(bash("true"), flags=("--record", "kept"), env={"OPENAI_API_KEY": "sk-123456789"})
    assert done.code == 0
    kept = house.project / "kept"
    assert len(list(kept.iterdir())) == 4
    assert not any(b"sk-123456789" in file.read_bytes() for file in kept.iterdir())
    made = json.loads(house.run("wire", "decode", "kept/0001.response.raw").out)
    assert [(call["name"], call["arguments"], call["run"]) for call in made["calls"]] == [
        ("Bash", {"command": "true"}, True)
    ]
    unusable = house.run("-p", "go", "--record", "/dev/null/x", url="http://127.0.0.1:1/v1", env={"OPENAI_MODEL": "m"})
    assert (unusable.code, "--record /dev/null/x" in unusable.err) == (2, True)
