"""Slash commands through the real CLI: answered without the model, on every surface alike."""

import pytest

from harness import slash
from tests.scenarios.house import House


@pytest.fixture
def house(tmp_path) -> House:
    return House.make(tmp_path)


@pytest.mark.parametrize(
    ("text", "name"),
    [("/mode plan", "mode"), ("/HELP", "help"), ("  /mode\n", "mode"), ("/nothing here", "nothing"), ("/a:b c", "a:b")],
)
def test_what_is_a_command(text: str, name: str):
    assert (slash.find(text) or ("",))[0] == name


@pytest.mark.parametrize("text", ["/usr/bin/x fails", "fix /mode", "/", "//mode", "/ mode", "1/2"])
def test_what_is_a_prompt(text: str):
    assert slash.find(text) is None


def test_a_command_asks_no_model(house: House):
    done = house.run(
        "-p", "--output-format", "stream-json", "/help", url="http://127.0.0.1:9/v1", env={"OPENAI_MODEL": "m"}
    )
    assert done.code == 0, done.err
    assert [line["type"] for line in done.lines if line["type"] != "system"] == ["stop", "result"]
    assert "/mode [MODE]" in done.result["result"]
    assert done.result["num_turns"] == 0


def test_one_that_there_is_not_says_what_is_near(house: House):
    done = house.run("-p", "/moed", url="http://127.0.0.1:9/v1", env={"OPENAI_MODEL": "m"})
    assert done.code == 1
    assert "Did you mean /mode?" in done.out


def test_permissions_lists_the_rules_with_their_files(house: House):
    house.settings(permissions={"deny": ["Read(.env)"]})
    url, env = "http://127.0.0.1:9/v1", {"OPENAI_MODEL": "m"}
    done = house.run("-p", "--allowedTools", "Bash(make:*)", "--", "/permissions", url=url, env=env)
    assert done.out.splitlines() == [
        "mode default",
        f"  deny   Read(.env)  user {house.config}/settings.json:1",
        "  allow  Bash(make:*)  flag command line",
    ]
