"""/context and /compact through the real CLI, and what the result says of the window."""

import json

from tests.scenarios.house import House, bash

SUMMARY = "## Goal\nRead what the user named.\n## Next step\nAnswer the next question."


def test_the_result_says_what_the_conversation_holds(house: House):
    done = house.ask({"text": "Hello."}, flags=("--output-format", "json"), context_window=40_000)
    held = json.loads(done.out)["context"]
    assert held["window_tokens"] == 40_000
    assert held["compacts_at_tokens"] == int(31_808 * 0.8)
    assert 0 < held["total_tokens"] < 5_000
    assert set(held["categories"]) == {
        "System prompt",
        "Tools",
        "Memory",
        "Messages",
        "Tool results",
        "Reserve",
        "Free",
    }
    assert sum(held["categories"].values()) == 40_000 or abs(sum(held["categories"].values()) - 40_000) < 10


def test_context_asks_no_model(house: House):
    (house.project / "CLAUDE.md").write_text("A rule. " * 200)
    done = house.run("-p", "/context", url="http://127.0.0.1:9/v1", env={"OPENAI_MODEL": "m"})
    assert done.code == 0, done.err
    assert "Compaction begins at" in done.out
    assert "Tools" in done.out


def test_one_long_task_is_compacted_on_the_way(house: House):
    steps = [{"calls": [bash(f"seq -f 'line %g of {n}' 500")]} for n in range(12)]
    summary = {"when": {"user": "replaced by your summary"}, "text": SUMMARY, "times": "always"}
    done = house.ask(
        summary, *steps, {"text": "All counted."}, flags=("--output-format", "stream-json"), context_window=20_000
    )
    assert done.result["result"] == "All counted."
    boundaries = [line["compact_metadata"] for line in done.of("system", "compact_boundary")]
    assert boundaries
    assert all(b["pre_tokens"] > b["post_tokens"] for b in boundaries)
    assert any("<compacted>" in m["content"] for m in done.asked[-1].messages if m["role"] == "user")


def test_a_window_that_nothing_fits_ends_with_a_clear_error(house: House):
    (house.project / "CLAUDE.md").write_text("A rule that must hold. " * 3000)
    done = house.ask(
        {"text": "never", "times": "always"}, flags=("--output-format", "stream-json"), context_window=9_000
    )
    assert done.code == 1
    assert done.result["terminal_reason"] == "prompt_too_long"
    assert "/memory" in done.result["errors"][0]
