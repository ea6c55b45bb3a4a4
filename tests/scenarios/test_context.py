"""/context and /compact through the real CLI, and what the result says of the window."""

import json

from tests.scenarios.house import BYPASS, STREAM, House, bash, call

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
    (kept,) = (m["content"] for m in done.asked[-1].messages if "<compacted>" in (m["content"] or ""))
    assert f"Working directory: {house.project}" in kept, "the facts of the session outlive it"


def test_who_sums_up_the_end_alone_is_told_what_the_task_was(house: House):
    """As where a session is gone on with in a smaller window."""
    id_ = "11111111-1111-4111-8111-111111111111"
    house.ask({"text": "early " * 4_000}, flags=(*STREAM, "--session-id", id_), context_window=64_000)
    house.ask({"text": "late " * 4_000}, flags=(*STREAM, "--resume", id_), context_window=64_000)
    summary = {"when": {"user": "replaced by your summary"}, "text": SUMMARY, "times": "always"}
    done = house.ask(summary, {"text": "Fine."}, flags=(*STREAM, "--resume", id_), context_window=9_000)
    asked = [chat.messages for chat in done.asked if "replaced by your summary" in chat.messages[-1]["content"]]
    (messages,) = asked
    texts = "".join(message["content"] for message in messages)
    assert ("early" in texts, "late" in texts) == (False, True), "the task is cut off"
    assert 'Our record of all of it:\n\nWhat the user asked, in order:\n1. "go"' in messages[-1]["content"]


def test_a_compaction_that_would_gain_nothing_is_none(house: House):
    id_ = "11111111-1111-4111-8111-111111111111"
    house.ask({"text": "Hello."}, flags=(*STREAM, "--session-id", id_))
    done = house.ask({"text": SUMMARY + " And more." * 200}, flags=(*STREAM, "--resume", id_), prompt="/compact")
    assert not done.of("system", "compact_boundary")
    assert "Not compacted:" in done.out + done.err


def test_another_mode_is_told_with_the_next_prompt(house: House):
    id_ = "11111111-1111-4111-8111-111111111111"
    house.ask({"text": "Hello."}, flags=(*STREAM, "--session-id", id_))
    done = house.ask({"text": "Yes."}, flags=(*STREAM, "--resume", id_, "--permission-mode", "plan"))
    assert "Permission mode: plan" in done.asked[0].messages[-1]["content"]
    assert "Working directory" not in done.asked[0].messages[-1]["content"]


def test_a_window_that_nothing_fits_ends_with_a_clear_error(house: House):
    (house.project / "CLAUDE.md").write_text("A rule that must hold. " * 3000)
    done = house.ask(
        {"text": "never", "times": "always"}, flags=("--output-format", "stream-json"), context_window=9_000
    )
    assert done.code == 1
    assert done.result["terminal_reason"] == "prompt_too_long"
    assert "/memory" in done.result["errors"][0]


def test_what_was_moved_out_can_be_read_in_every_mode_and_by_commands(house: House):
    counts = [{"calls": [bash(f"seq -f 'line %g of {n}' 300")]} for n in range(4)]
    id_ = "11111111-1111-4111-8111-111111111111"
    house.ask(*counts, {"text": "ok"}, flags=(*STREAM, *BYPASS, "--session-id", id_), context_window=16_000)
    looks = [call("Read", file_path="{{file}}", limit=2), bash("head -1 {{file}}")]
    done = house.ask(
        {"when": {"any_result": r"Read (?P<file>/\S+moved\S+\.txt)\]"}, "calls": looks},
        {"text": "seen"},
        flags=(*STREAM, "--resume", id_, "--permission-mode", "plan"),
        context_window=9_000,
    )
    read, printed = done.results[-2:]
    assert "1\tline 1 of" in read
    assert printed.startswith("line 1 of")
    assert [each["compact_metadata"]["trigger"] for each in done.of("system", "compact_boundary")] == ["micro"]
    house.settings(hooks={"PreCompact": [{"hooks": [{"type": "command", "command": "echo not now >&2; exit 2"}]}]})
    forbidden = house.run("-p", "--resume", id_, "/compact", url="http://127.0.0.1:9/v1", env={"OPENAI_MODEL": "m"})
    assert "Not compacted: not now" in forbidden.err
    preview = house.run(
        "-p", "--resume", id_, "/compact --preview", url="http://127.0.0.1:9/v1", env={"OPENAI_MODEL": "m"}
    )
    assert "would stay word for word" in preview.out
    assert 'What the user asked, in order:\n1. "go"' in preview.out


def test_notes_are_written_where_the_person_switched_them_on(house: House):
    house.settings(autoMemoryEnabled=True)
    writes = [call("Write", file_path="{{place}}/MEMORY.md", content="- [tests](tests.md): run them with make\n")]
    script = {"when": {"user": r"in (?P<place>/\S+/memory), with"}, "calls": writes}
    done = house.ask(script, {"text": "Kept."}, flags=(*STREAM, "--permission-mode", "acceptEdits"))
    assert done.results[-1].startswith("Created")
    house.settings()
    (index,) = house.config.glob("projects/*/memory/MEMORY.md")
    done = house.acts(call("Read", file_path=str(index)), flags=("--permission-mode", "plan"))
    assert "run them with make" in done.results[0]
    assert "run them with make" in done.asked[0].messages[-1]["content"]
    assert "later sessions" not in done.asked[0].messages[-1]["content"]
