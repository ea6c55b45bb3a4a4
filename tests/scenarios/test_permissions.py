"""What each permission mode lets a headless run do, seen in the project, at the endpoint, and in the result."""

import json
from functools import partial

import pytest

from harness.messages import MODES
from tests.scenarios.house import STREAM, Done, House, Json, bash, call, together

JUDGE = {"when": {"system": "permission check"}, "text": '{"decision": "ask", "reason": ""}', "times": "always"}
# Where a person would be asked, a run with -p denies. `command`: sandboxed commands run unasked in acceptEdits.
TABLE = """
                    default  acceptEdits  plan  auto  dontAsk  bypassPermissions
read                run      run          run   run   run      run
read-outside        deny     deny         deny  run   deny     run
edit                deny     run          deny  run   deny     run
edit-outside        deny     deny         deny  deny  deny     run
edit-protected      deny     deny         deny  deny  deny     run
command-reading     run      run          run   run   run      run
command             deny     run          deny  deny  deny     run
command-allowed     run      run          run   run   run      run
command-denied      deny     deny         deny  deny  deny     deny
command-misnamed    deny     deny         deny  deny  deny     deny
command-asked       deny     deny         deny  deny  deny     deny
"""
HEADER, *ROWS = (line.split() for line in TABLE.strip().splitlines())
RULES = ("--allowedTools", "Bash(python3 allowed.py)", "--disallowedTools", "Bash(cat denied *)")


def actions(house: House) -> dict[str, Json]:
    outside = house.base / "outside"
    calls = {
        "read": call("Read", file_path="inside.txt"),
        "read-outside": call("Read", file_path=str(outside / "note.txt")),
        "edit": call("Write", file_path="made.txt", content="x"),
        "edit-outside": call("Write", file_path=str(outside / "made.txt"), content="x"),
        "edit-protected": call("Write", file_path=".vscode/settings.json", content="{}"),
        "command-reading": bash("ls inside.txt"),
        "command": bash("python3 -c 'print(1)'"),
        "command-allowed": bash("python3 allowed.py"),
        "command-denied": bash("cat denied file"),
        "command-misnamed": call("b_ash", Command="cat denied file"),
        "command-asked": bash("ls asked"),
    }
    return {name: {**made, "id": name} for name, made in calls.items()}


def furnish(house: House) -> House:
    (house.base / "outside").mkdir()
    (house.base / "outside" / "note.txt").write_text("outside")
    (house.project / "inside.txt").write_text("inside")
    (house.project / "allowed.py").write_text("print('allowed')")
    for name in ("asked", "denied", "file"):
        (house.project / name).write_text("")
    house.settings(permissions={"ask": ["Bash(ls asked)"]})
    return house


@pytest.fixture
def furnished(house: House) -> House:
    return furnish(house)


@pytest.fixture(scope="module")
def tried(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, House], dict[str, Done]]:
    """All actions, in one run for each mode."""
    houses = {mode: furnish(House.make(tmp_path_factory.mktemp(mode))) for mode in HEADER}

    def run(mode: str) -> Done:
        flags = (*STREAM, "--permission-mode", mode, *RULES)
        return houses[mode].ask(JUDGE, {"calls": list(actions(houses[mode]).values())}, {"text": "Done."}, flags=flags)

    return houses, together({mode: partial(run, mode) for mode in HEADER})


def verdicts(done: Done) -> dict[str, str]:
    blocks = [line["message"]["content"][0] for line in done.of("user")]
    return {b["tool_use_id"]: "deny" if b["content"].startswith("Permission denied") else "run" for b in blocks}


def test_the_table_knows_every_mode():
    assert set(HEADER) == set(MODES)


@pytest.mark.parametrize("mode", HEADER)
def test_a_mode_lets_run_what_its_column_says(tried: tuple[dict[str, House], dict[str, Done]], mode: str):
    house, done = tried[0][mode], tried[1][mode]
    expected = {row[0]: row[1 + HEADER.index(mode)] for row in ROWS}
    assert verdicts(done) == expected
    denied = [name for name, verdict in expected.items() if verdict == "deny"]
    assert [denial["tool_use_id"] for denial in done.result["permission_denials"]] == denied
    assert [line["tool_use_id"] for line in done.of("system", "permission_denied")] == denied
    assert [done.code, done.result["subtype"]] == [0, "success"]
    made = {"edit": "project/made.txt", "edit-outside": "outside/made.txt", "edit-protected": "project/.vscode"}
    assert {name for name, path in made.items() if (house.base / path).exists()} == made.keys() - set(denied)


def test_the_mode_is_the_settings_where_no_flag_says_another(furnished: House):
    furnished.settings(permissions={"defaultMode": "acceptEdits", "deny": ["Read(inside.txt)"]}, model="from-settings")
    done = furnished.acts(
        call("Write", file_path="made.txt", content="x"), call("Read", file_path="inside.txt"), flags=()
    )
    assert list(verdicts(done).values()) == ["run", "deny"]
    assert done.asked[0].body["model"] == "from-settings"
    assert done.lines[0]["permissionMode"] == "acceptEdits"


def test_settings_that_a_repository_brings_count_for_nothing(furnished: House):
    rules = {"allow": ["Bash", "Write"], "defaultMode": "bypassPermissions"}
    text = json.dumps({"model": "theirs", "permissions": rules, "endpoint": {"baseUrl": "http://127.0.0.1:9"}})
    for name in (".claude/settings.json", ".claude/settings.local.json", ".harness/settings.json"):
        (furnished.project / name).parent.mkdir(exist_ok=True)
        (furnished.project / name).write_text(text)
    done = furnished.acts(bash("python3 -c 1"), call("Write", file_path="made.txt", content="x"), flags=())
    assert list(verdicts(done).values()) == ["deny", "deny"]
    assert done.asked[0].body["model"] == "scripted"
    [told] = [line["content"] for line in done.of("system", "informational")]
    assert told.startswith("this workspace has not been trusted; ignored: .claude/settings.json (model, ")
    assert done.err == ""


def test_trusted_settings_of_a_repository_count_but_for_endpoint_and_mode(furnished: House):
    rules = {"allow": ["Write"], "defaultMode": "bypassPermissions"}
    (furnished.project / ".claude").mkdir()
    (furnished.project / ".claude/settings.json").write_text(
        json.dumps({"permissions": rules, "endpoint": {"baseUrl": "http://127.0.0.1:9"}, "sandbox": {"enabled": False}})
    )
    assert furnished.run("trust").out.splitlines()[1:] == ["  .claude/settings.json"]
    asked = (bash("python3 -c 1"), call("Write", file_path="made.txt", content="x"))
    done = furnished.acts(*asked, flags=())
    assert list(verdicts(done).values()) == ["deny", "run"]
    assert (done.lines[0]["sandbox"], done.lines[0]["permissionMode"]) == ("full", "default")
    furnished.run("trust", "--revoke")
    assert list(verdicts(furnished.acts(*asked, flags=())).values()) == ["deny", "deny"]
    assert list(verdicts(furnished.acts(*asked, flags=("--trust-project",))).values()) == ["deny", "run"]


@pytest.mark.parametrize("form", ["text", "json"])
def test_in_print_mode_one_line_says_that_a_repository_is_not_trusted(furnished: House, form: str):
    (furnished.project / ".claude").mkdir()
    (furnished.project / ".claude/settings.json").write_text('{"permissions": {"allow": ["Write"]}}')
    done = furnished.ask({"text": "Done."}, flags=("--output-format", form))
    assert done.err.splitlines() == [
        "Warning: this workspace has not been trusted; ignored: .claude/settings.json (permissions.allow). "
        "To trust it: harness trust, or --trust-project"
    ]


def test_in_text_denials_are_told_on_standard_error(furnished: House):
    write = call("Write", file_path="made.txt", content="x")
    done = furnished.ask({"calls": [write]}, {"text": "I could not."}, flags=())
    assert (done.code, done.out) == (0, "I could not.\n")
    assert 'Denied: Write {"file_path": "made.txt", "content": "x"}' in done.err


def test_a_bare_deny_takes_the_tool_away(furnished: House):
    done = furnished.acts(bash("ls"), flags=("--disallowedTools", "Bash", "Write"))
    offered = {tool["function"]["name"] for tool in done.asked[0].body["tools"]}
    assert not offered & {"Bash", "Write"}
    assert {"Edit", "Glob", "Grep", "Read", "TodoWrite"} <= offered
    assert "There is no tool named 'Bash'" in done.results[0]


def test_a_bad_setting_is_named_and_the_others_count(furnished: House):
    furnished.settings(permissions={"defaultMode": "bold", "deny": ["Read(inside.txt)"]})
    done = furnished.acts(call("Read", file_path="inside.txt"), flags=())
    [told] = [line["content"] for line in done.of("system", "informational")]
    assert "settings.json: permissions.defaultMode is 'bold'" in told
    assert "acceptEdits" in told
    assert list(verdicts(done).values()) == ["deny"]


def test_a_call_is_judged_where_an_earlier_one_of_its_message_went(house: House):
    (house.project / ".vscode").mkdir()
    (house.project / ".vscode/note.txt").write_text("secret")
    calls = [
        bash("cd .vscode"),
        call("Write", file_path="settings.json", content="{}"),
        call("Read", file_path="note.txt"),
    ]
    flags = ("--permission-mode", "acceptEdits", "--disallowedTools", "Read(.vscode/note.txt)")
    done = house.acts(*calls, flags=flags)
    assert list(verdicts(done).values()) == ["run", "deny", "deny"]
    assert not (house.project / ".vscode/settings.json").exists()


def test_searches_do_not_show_what_may_not_be_read(house: House):
    for name in ("deep/secret.txt", "open.txt"):
        (house.project / name).parent.mkdir(exist_ok=True)
        (house.project / name).write_text("needle")
    calls = [
        call("Grep", pattern="needle"),
        call("Glob", pattern="**/*.txt"),
        call("Read", file_path="deep/secret.txt"),
    ]
    done = house.acts(*calls, flags=("--disallowedTools", "Read(secret.txt)"))
    assert [("secret" in text, "open.txt" in text) for text in done.results[:2]] == [(False, True)] * 2
    assert "denied" in done.results[2]


def test_what_is_denied_and_tracked_by_git_is_told_at_the_start(house: House):
    (house.project / "secrets").mkdir()
    (house.project / "secrets" / "prod.key").write_text("k")
    (house.project / "open.txt").write_text("o")
    house.git("init")
    house.git("add", "-A")
    done = house.ask({"text": "Hello."}, flags=(*STREAM, "--disallowedTools", "Read(secrets/**)"))
    told = [line["content"] for line in done.of("system", "informational")]
    assert any("secrets/prod.key" in text and "open.txt" not in text for text in told), told
