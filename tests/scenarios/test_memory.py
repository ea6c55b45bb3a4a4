"""Memory and commands through the real CLI: what the model reads, and what it costs a stranger's project."""

from tests.scenarios.house import House, call


def test_memory_stands_before_the_prompt_and_grows_by_reading(house: House):
    (house.project / "CLAUDE.md").write_text("Project rule MEMO-5.\n<!-- not for models -->\n")
    (house.project / "sub").mkdir()
    (house.project / "sub" / "AGENTS.md").write_text("Sub rule MEMO-6.")
    (house.project / "sub" / "a.py").write_text("x = 1\n")
    done = house.acts(call("Read", file_path="sub/a.py"))
    first = done.asked[0].messages[1]["content"]
    assert first.index("MEMO-5") < first.index("go") < first.index("<environment>")
    assert "not for models" not in first
    assert "MEMO-6" not in first
    assert "MEMO-6" in done.results[0]


def test_a_command_of_the_project_is_a_prompt(house: House):
    (house.project / ".claude" / "commands").mkdir(parents=True)
    (house.project / ".claude" / "commands" / "fix.md").write_text("---\ndescription: fixes\n---\nFix $ARGUMENTS.\n")
    done = house.ask({"text": "Done."}, prompt="/fix the roof")
    assert "Fix the roof." in done.asked[0].messages[1]["content"]
    assert done.of("system", "init")[0]["slash_commands"] == ["fix"]


def test_memory_is_listed_without_the_model(house: House):
    (house.project / "CLAUDE.md").write_text("Rule.\n@../outside.md\n")
    (house.base / "outside.md").write_text("elsewhere")
    done = house.run("-p", "/memory", url="http://127.0.0.1:9/v1", env={"OPENAI_MODEL": "m"})
    assert done.code == 0, done.err
    assert "Project CLAUDE.md" in done.out
    assert f"/memory allow {house.base / 'outside.md'}" in done.out
    allowed = house.run("-p", "/memory allow ../outside.md", url="http://127.0.0.1:9/v1", env={"OPENAI_MODEL": "m"})
    assert allowed.code == 0, allowed.err
    again = house.run("-p", "/memory", url="http://127.0.0.1:9/v1", env={"OPENAI_MODEL": "m"})
    assert "imported by CLAUDE.md" in again.out
