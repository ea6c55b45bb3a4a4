"""`if` of hooks in settings files, in whole sessions: which calls reach the command, and what is said of those that
cannot be read."""

import json

import pytest

from tests.scenarios.house import House, bash, call

ALLOW = 'echo \'{"hookSpecificOutput":{"hookEventName":"EVENT","permissionDecision":"allow"}}\''


@pytest.fixture
def house(tmp_path) -> House:
    return House.make(tmp_path)


def written(house: House, *handlers: dict[str, object], event: str = "PreToolUse", **group: str) -> None:
    """Settings in the form that people write, a line each."""
    hooks = [{"type": "command", **handler} for handler in handlers]
    keys = {"hooks": {event: [{**group, "hooks": hooks}]}}
    (house.config / "settings.json").write_text(json.dumps(keys, indent=2))


def log(house: House, name: str) -> str:
    read = (
        "import json, sys; g = json.load(sys.stdin); i = g['tool_input']; "
        "print(g['hook_event_name'], g['tool_name'], i.get('command') or i['file_path'])"
    )
    return f'python3 -c "{read}" >> {house.base / name}'


def logged(house: House, name: str) -> list[str]:
    file = house.base / name
    return file.read_text().splitlines() if file.exists() else []


def told(done) -> str:
    return "\n".join(line["content"] for line in done.of("system", "informational"))


def test_a_hook_is_asked_about_the_calls_that_its_rule_means(house):
    events = ("PreToolUse", "PostToolUse", "PostToolUseFailure")
    hooks = [
        {"type": "command", "command": log(house, "touches"), "if": "Bash(touch *)"},
        {"type": "command", "command": log(house, "python"), "if": "Edit(*.py)"},
        {"type": "command", "command": f"{log(house, 'refusing')}; exit 2", "if": "Bash(false *)"},
    ]
    house.settings(hooks={event: [{"hooks": hooks[:2]}] for event in events} | {"PreToolUse": [{"hooks": hooks}]})
    notes, code = str(house.project / "notes.md"), str(house.project / "a.py")
    done = house.acts(
        bash("ls"),
        bash("true && touch made"),
        call("Write", file_path=notes, content="x"),
        call("Write", file_path=code, content="x"),
        bash("touch made; touch /proc/no"),
        bash("false no"),
    )
    assert logged(house, "touches") == [
        "PreToolUse Bash true && touch made",
        "PostToolUse Bash true && touch made",
        "PreToolUse Bash touch made; touch /proc/no",
        "PostToolUseFailure Bash touch made; touch /proc/no",
    ]
    assert logged(house, "python") == [f"PreToolUse Write {code}", f"PostToolUse Write {code}"]
    assert logged(house, "refusing") == ["PreToolUse Bash false no"]
    assert "Permission denied" in done.results[-1]
    assert told(done) == ""


def test_the_same_hook_of_two_files_is_about_the_paths_of_each(house):
    written(house, {"command": "echo guarded >&2; exit 2", "if": "Edit(/gen/**)"})
    other = house.project / "sub" / "settings.json"
    other.parent.mkdir()
    other.write_text((house.config / "settings.json").read_text())
    paths = [str(place / "gen" / "x") for place in (house.config, other.parent, house.project)]
    calls = [call("Write", file_path=path, content="x") for path in paths]
    done = house.acts(*calls, flags=("--permission-mode", "bypassPermissions", "--settings", str(other)))
    assert ["guarded" in result for result in done.results] == [True, True, False]


def test_an_if_that_cannot_be_read_fails_open_and_allows_nothing(house):
    """Asked about every call of its matcher; told at the start, with file and line."""
    allow = ALLOW.replace("EVENT", "PreToolUse")
    written(
        house,
        {"command": f"{log(house, 'seen')}; exec 2>/dev/null; {allow}", "if": "Bash(git"},
        {"command": f"{log(house, 'seen')}", "if": ["Bash(git *)"]},
        {"command": f"{log(house, 'other')}", "if": "Bsh(git *)"},
        matcher="Bash",
    )
    done = house.acts(bash("touch x"), flags=())
    assert logged(house, "seen") == ["PreToolUse Bash touch x"] * 2
    assert logged(house, "other") == ["PreToolUse Bash touch x"]
    assert "Permission denied" in done.results[0], "nobody can be asked, and its yes does not count"
    file, text = house.config / "settings.json", told(done)
    lines = file.read_text().splitlines()
    at = next(number for number, line in enumerate(lines, 1) if '"if": "Bash(git"' in line)
    assert (
        f"{file}:{at}: `if` 'Bash(git' of a PreToolUse hook: not of the form Tool or Tool(specifier); it is asked"
        in text
    )
    assert "it must be one permission rule, as a string" in text
    other = next(number for number, line in enumerate(lines, 1) if "Bsh" in line)
    assert f"{file}:{other}: `if` 'Bsh(git *)' of a PreToolUse hook: Bsh takes no specifier; it is asked" in text


def test_what_a_hook_allows_counts_only_where_its_rule_surely_means_the_call(house):
    written(house, {"command": ALLOW.replace("EVENT", "PreToolUse"), "if": "Bash(touch a*)"}, matcher="Bash")
    done = house.acts(bash("touch a1"), bash("touch b1"), bash("X=a2; touch $X"), flags=())
    assert (house.project / "a1").exists()
    assert "Permission denied" not in done.results[0]
    assert all("Permission denied" in result for result in done.results[1:])


def test_a_question_is_answered_only_where_it_is_meant(house):
    answer = json.dumps(
        {"hookSpecificOutput": {"hookEventName": "PermissionRequest", "decision": {"behavior": "allow"}}}
    )
    written(house, {"command": f"echo '{answer}'", "if": "Bash(touch a*)"}, event="PermissionRequest")
    done = house.acts(bash("touch a1"), bash("touch b1"), flags=())
    assert (house.project / "a1").exists()
    assert "Permission denied" in done.results[1]


def test_an_event_without_a_call_never_asks_such_a_hook(house):
    written(house, {"command": f"touch {house.base / 'asked'}", "if": "Bash(git *)"}, event="Stop")
    done = house.acts(bash("true"))
    assert not (house.base / "asked").exists()
    assert "a Stop hook is never asked: `if` is about calls" in told(done)


def test_a_matcher_that_cannot_be_read_is_told_with_its_line(house):
    written(house, {"command": "true"}, matcher="(")
    done = house.acts(bash("true"))
    lines = (house.config / "settings.json").read_text().splitlines()
    at = next(number for number, line in enumerate(lines, 1) if '"matcher": "("' in line)
    assert f"settings.json:{at}: a PreToolUse hook is asked about every call" in told(done)
