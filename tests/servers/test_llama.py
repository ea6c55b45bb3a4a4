"""llama.cpp's server: its own templates, parsers, grammars, errors, slots and cache; puppets for models."""

from functools import partial

import pytest

from tests.scenarios.house import House, together
from tests.servers.running import ask, begun, calls, eventually, llama, results, texts, thoughts
from tests.servers.scripts import BROKEN, COMMAND, DIALECTS, DONE, MADE, MENDED, NOTE, TEST

THINKING = {"qwen3_thinking", "glm", "deepseek_v31", "deepseek_v31_in_thought", "minimax_m2", "gpt_oss"}


def house_with_note(house: House, note: str = NOTE) -> House:
    (house.project / "note.txt").write_text(note)
    return house


def assert_job_done(house: House, done) -> None:
    """The one call was run with exactly its arguments, its result came back to the model, and the turn ended."""
    assert (done.code, done.result["result"].strip()) == (0, DONE), done.out
    assert [(call["name"], call["input"]) for call in calls(done)] == [("Bash", {"command": COMMAND})]
    assert (house.project / "made.txt").read_text() == MADE
    assert results(done) == [NOTE.strip()]
    assert done.result["num_turns"] == 2
    assert not any(mark in texts(done) for mark in ("made.txt", "tool_call", "think>", "channel"))


def causes(done) -> list[str]:
    return [notice["cause"] for notice in done.of("system", "informational")]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_call_that_the_server_reads(house: House, dialect):
    with llama(dialect, house.base) as server:
        done = ask(house_with_note(house), server.url)
    assert_job_done(house, done)
    assert bool(thoughts(done)) == (dialect in THINKING)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_call_that_the_server_gives_out_as_text(house: House, dialect):
    with llama(dialect, house.base, "--skip-chat-parsing") as server:
        done = ask(house_with_note(house), server.url)
    assert_job_done(house, done)


def test_two_calls_in_one_answer(house: House):
    with llama("two_calls", house.base) as server:
        done = ask(house_with_note(house), server.url)
    assert (done.code, done.result["result"], done.result["num_turns"]) == (0, DONE, 2), done.out
    assert [call["name"] for call in calls(done)] == ["Bash", "Write"]
    assert (house.project / "made.txt").read_text() == MADE
    assert (house.project / "b.txt").read_text() == '"two"\n'
    assert results(done)[0] == NOTE.strip()


def test_a_server_without_tool_support_is_told_of_tools_in_the_prompt(house: House):
    with llama("hermes", house.base, "--no-jinja") as server:
        done = ask(house_with_note(house), server.url)
        assert_job_done(house, done)
        (house.project / "made.txt").unlink()
        again = ask(house, server.url)
    assert_job_done(house, again)
    assert "adapted" in causes(done)
    assert "adapted" not in causes(again), "it is remembered"


def test_the_main_job_and_its_cache(house: House):
    """A check fails, the source is read and mended, the check passes. Each request continues the one before."""
    (house.project / "calc.py").write_text(BROKEN)
    (house.project / "check.py").write_text(TEST)
    with llama("main_job", house.base) as server:
        done = ask(house, server.url)
    assert (done.code, done.result["num_turns"]) == (0, 5), done.out
    assert done.result["result"] == "Mended: `add` now adds, and its check passes."
    assert (house.project / "calc.py").read_text() == MENDED
    assert [call["name"] for call in calls(done)] == ["Bash", "Read", "Edit", "Bash"]
    usage = done.result["usage"]
    fresh, cached = usage["input_tokens"], usage["cache_read_input_tokens"]
    assert cached > 0.75 * (fresh + cached), usage


def test_a_prompt_that_does_not_fit_is_a_clear_error(house: House):
    with llama("text", house.base, window=2048) as server:
        done = ask(house, server.url)
    assert (done.code, done.result["terminal_reason"], done.result["is_error"]) == (1, "prompt_too_long", True)
    assert "2048" in done.result["result"]
    assert done.result["modelUsage"]["text"]["contextWindow"] == 2048
    assert "larger window" in done.result["result"]
    assert done.result["num_turns"] == 1
    assert not done.of("system", "api_retry")


def test_a_result_that_does_not_fit_any_more_is_a_clear_error(house: House):
    with llama("hermes", house.base) as server:
        done = ask(house_with_note(house, NOTE * 700), server.url)
    assert (done.code, done.result["terminal_reason"], done.result["num_turns"]) == (1, "prompt_too_long", 2)
    assert "16384" in done.result["result"]


def test_a_call_that_is_cut_off_by_the_window_is_not_run(house: House):
    with llama("text", house.base) as server:
        usage = ask(house, server.url).result["usage"]
    prompt = usage["input_tokens"] + usage["cache_read_input_tokens"]
    with llama("long_call", house.base, window=prompt + 100) as server:
        done = ask(house, server.url)
    assert not (house.project / "never.txt").exists()
    assert done.result["is_error"], done.out
    assert done.of("stopReason")[0]["reason"] == "max_tokens", done.out


def test_an_interrupt_frees_the_slot(house: House):
    with llama("endless", house.base) as server, begun(house, server.url) as session:
        eventually(lambda: server.said()[0] > 20, "tokens")
        done = session.interrupted()
        eventually(lambda: not server.busy(), "a free slot", within=2)
    assert (done.code, done.result["terminal_reason"]) == (130, "aborted_streaming")
    assert "One more line" in texts(done)
    assert done.seconds < 2


def test_two_sessions_at_once(tmp_path):
    houses = {name: tmp_path / name for name in ("one", "two")}
    for place in houses.values():
        place.mkdir()
    made = {name: house_with_note(House.make(place)) for name, place in houses.items()}
    with llama("hermes", tmp_path, slots=2) as server:
        done = together({name: partial(ask, house, server.url) for name, house in made.items()})
    for name, house in made.items():
        assert_job_done(house, done[name])


def test_two_answers_at_once_and_one_interrupted(tmp_path):
    one, two = (tmp_path / name for name in ("one", "two"))
    one.mkdir()
    two.mkdir()
    with (
        llama("endless", tmp_path, slots=2) as server,
        begun(House.make(one), server.url) as first,
        begun(House.make(two), server.url),
    ):
        eventually(lambda: min(server.said()) > 20, "tokens of both")
        assert first.interrupted().code == 130
        eventually(lambda: server.busy() == 1, "one slot free, the other at work", within=2)


def test_a_key_that_the_server_does_not_take(house: House):
    with llama("text", house.base, "--api-key", "right") as server:
        wrong = ask(house, server.url, "--model", "text", env={"OPENAI_API_KEY": "wrong"})
        right = ask(house, server.url, "--model", "text", env={"OPENAI_API_KEY": "right"})
    assert (wrong.code, wrong.result["terminal_reason"]) == (1, "api_error")
    assert "OPENAI_API_KEY holds a key that it does not take" in wrong.result["result"]
    assert (right.code, right.result["result"]) == (0, "A plain answer → naïve 東京 🦀.")
