"""How large a first request is, with the usual tools and with the few of a small window; deferred tools."""

import json

from harness.providers.tokens import tokens
from tests.scenarios.house import STREAM, Done, House, call


def size(done: Done) -> tuple[float, float]:
    """Tokens of the system prompt and of the tools."""
    body = done.asked[0].body
    return tokens(body["messages"][0]["content"]), tokens(json.dumps(body["tools"], ensure_ascii=False))


def offered(done: Done, request: int = 0) -> list[str]:
    return [tool["function"]["name"] for tool in done.asked[request].body["tools"]]


def test_the_usual_one(house: House):
    done = house.ask({"text": "Hello."})
    system, specs = size(done)
    print(f"\nfirst request: system {system:.0f} + tools {specs:.0f} tokens")  # noqa: T201  the figure
    assert system + specs <= 3_500
    assert {"Bash", "Edit", "Glob", "Grep", "Read", "TodoWrite", "Write"} <= set(offered(done))


def test_the_lean_one_is_chosen_by_itself(house: House):
    done = house.ask({"text": "Hello."}, context_window=16_000)
    system, specs = size(done)
    print(f"\nfirst lean request: system {system:.0f} + tools {specs:.0f} tokens")  # noqa: T201  the figure
    assert system + specs <= 1_500
    assert offered(done) == ["Bash", "Edit", "Read", "ToolSearch", "Write"]
    (search,) = (t["function"] for t in done.asked[0].body["tools"] if t["function"]["name"] == "ToolSearch")
    assert "Agent, Glob, Grep, TaskOutput, TaskStop, TodoWrite, WebFetch" in search["description"]
    assert done.of("system", "init")[0]["tools"] == offered(done)


def test_what_is_deferred_is_found_and_called_at_once_and_offered_from_the_next_turn_on(house: House):
    (house.project / "a.txt").write_text("needle\n")
    done = house.ask(
        {"calls": [call("ToolSearch", query="search file contents")]},
        {"calls": [call("Grep", pattern="needle")]},
        {"text": "Found."},
        flags=(*STREAM, "--permission-mode", "bypassPermissions"),
        context_window=16_000,
    )
    assert '"name": "Grep"' in done.results[0]
    assert "a.txt" in done.results[1]
    assert [offered(done, n) for n in range(3)] == [offered(done)] * 3, "no break within a turn"
