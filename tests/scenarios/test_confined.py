"""The sandbox, through the whole job: a model that tries to get out, seen from what it was told and from outside."""

import os
import socket
import sys
from pathlib import Path

import pytest

from tests.scenarios.house import House, bash, call

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="bubblewrap is for Linux")

CANARY = "canary-51c0de"
TEST = "from it import f\n\n\ndef test_it():\n    assert f() == 1\n"


def connect(port: int) -> str:
    return f"python3 -c \"import socket; socket.create_connection(('127.0.0.1', {port}), 3)\""


def test_what_a_model_tries_with_bash_fails_inside(open_house: House):
    """Written, read, connected to, looked up: each fails, and nothing arrives outside."""
    house = open_house
    (house.home / ".ssh").mkdir()
    (house.home / ".ssh" / "id_ed25519").write_text(CANARY)
    (house.home / "notes.txt").write_text("in the open")
    outside = house.base / "outside.txt"
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.1)
        port = listener.getsockname()[1]
        done = house.acts(
            bash(f"echo x > {outside}"),
            bash(f"ln -s {outside} link && echo x > link"),
            bash(f"cat ~/.ssh/* {house.home}/.ssh/id_ed25519 /proc/*/root{house.home}/.ssh/*; grep -rs ary-5 ~"),
            bash(connect(port)),
            bash(f"exec 3<>/dev/tcp/127.0.0.1/{port}"),
            bash("env; cat /proc/*/environ | tr '\\0' '\\n'; cat /proc/*/cmdline | tr '\\0' ' '"),
            bash("cat ~/notes.txt"),
            env={"OPENAI_API_KEY": CANARY, "MY_TOKEN": CANARY},
        )
        with pytest.raises(TimeoutError):
            listener.accept()
    write, link, secrets, python, dev_tcp, environment, control = done.results
    if not str(house.base).startswith(("/tmp", "/var/tmp")):  # in a checkout there it lands in the command's own /tmp
        assert "Read-only file system" in write
        assert "Read-only file system" in link
    assert "Connection refused" in python
    assert "Connection refused" in dev_tcp
    assert "HARNESS_SANDBOX=1" in environment
    assert CANARY not in secrets + environment
    if not str(house.base).startswith(("/tmp", "/var/tmp", "/root", "/home")):  # else hidden with all
        assert control == "in the open"
    assert not outside.exists()
    assert done.asked[0].headers["authorization"] == f"Bearer {CANARY}"
    assert not any(CANARY in file.read_text() for file in house.config.rglob("*.jsonl"))


def test_file_tools_do_not_reach_outside_either(open_house: House):
    house = open_house
    (house.home / ".ssh").mkdir()
    (house.home / ".ssh" / "id_ed25519").write_text(CANARY)
    (house.project / "link").symlink_to(house.home / ".ssh" / "id_ed25519")
    (house.project / "out").symlink_to(house.base)
    done = house.acts(
        call("Read", file_path="~/.ssh/id_ed25519"),
        call("Read", file_path="link"),
        call("Read", file_path="../home/.ssh/id_ed25519"),
        call("Grep", pattern="canary", path="..", output_mode="content"),
        call("Write", file_path="out/made.txt", content="x"),
        call("Edit", file_path="link", old_string=CANARY, new_string="x"),
        flags=("--permission-mode", "acceptEdits"),
    )
    assert CANARY not in "".join(done.results)
    assert len(done.result["permission_denials"]) == 6
    assert not (house.base / "made.txt").exists()
    assert (house.home / ".ssh" / "id_ed25519").read_text() == CANARY


def test_what_git_and_we_would_execute_cannot_be_planted(house: House):
    house.git("init")
    before = (house.project / ".git" / "config").read_bytes()
    done = house.acts(
        bash("printf '#!/bin/sh\\n' > .git/hooks/pre-commit"),
        bash("git config core.fsmonitor /bin/true"),
        bash("mkdir -p .claude && echo '{}' > .claude/settings.json"),
        bash("mv .git .git2"),
        bash(
            "echo ok > fine.txt && git add -A && git -c user.name=t -c user.email=t@t commit -qm one && git status -s"
        ),
    )
    assert (house.project / ".git" / "config").read_bytes() == before
    assert not (house.project / ".git" / "hooks" / "pre-commit").exists()
    assert {path.name for path in house.project.iterdir()} == {".git", "fine.txt"}
    assert done.results[-1] == "(no output)"


def contents(directory: Path) -> dict[str, bytes]:
    """Every file below, but for git's own bookkeeping of what it looked at."""
    files = (path for path in directory.rglob("*") if path.is_file() and path.name != "index")
    return {str(path.relative_to(directory)): path.read_bytes() for path in files}


def test_plan_mode_changes_nothing_and_tests_still_run(house: House):
    (house.project / "it.py").write_text("def f():\n    return 1\n")
    (house.project / "test_it.py").write_text(TEST)
    house.git("init")
    house.git("add", "-A")
    house.git("commit", "-m", "first")
    before = contents(house.project)
    allow = ("--allowedTools", "Bash(python -m pytest *)", "Bash(python3 *)", "Bash(git log *)")
    done = house.acts(
        call("Write", file_path="new.py", content="x"),
        call("Edit", file_path="it.py", old_string="1", new_string="2"),
        bash("rm -rf it.py .git"),
        bash("python3 -c \"open('it.py', 'w').write('gone')\""),
        bash("python -m pytest -q test_it.py"),
        bash("git log --oneline"),
        flags=("--permission-mode", "plan", *allow),
        env={"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
    )
    assert contents(house.project) == before
    assert [denial["tool_name"] for denial in done.result["permission_denials"]] == ["Write", "Edit", "Bash"]
    assert "1 passed" in done.results[4]
    assert "first" in done.results[5]


def test_without_a_sandbox_only_on_the_users_word(house: House):
    """`--no-sandbox`: told to the model, and still without the key in the environment."""
    flags = ("--no-sandbox", "--allowedTools", "Bash")
    done = house.acts(bash("env; echo x > ../made"), flags=flags, env={"OPENAI_API_KEY": CANARY})
    assert (house.base / "made").read_text() == "x\n"
    assert CANARY not in done.results[0]
    assert done.lines[0]["sandbox"] == "none"
    assert "none: commands run with the user's own rights" in done.asked[0].messages[-1]["content"]


def test_path_rules_hold_for_commands_too(open_house: House):
    """Deny rules as masks, made for each command; a person's own Edit rule opens a directory."""
    (open_house.project / "deep").mkdir()
    (open_house.project / "deep" / ".env").write_text(CANARY)
    (open_house.project / "kept").write_text("as it was")
    (open_house.base / "out").mkdir()
    deny = ("--disallowedTools", "Read(.env)", "Read(*.pem)", "Edit(./kept)")
    allow = ("--allowedTools", "Bash", f"Edit(/{open_house.base}/out/**)")
    script = (
        f"cat deep/.env; echo changed > kept; echo y > ../out/made; [ -e a.pem ] || echo {CANARY} > a.pem; cat a.pem"
    )
    (open_house.project / "s.sh").write_text(script)  # what no analysis of the command line sees
    done = open_house.acts(bash("bash s.sh >/dev/null"), bash("bash s.sh"), flags=(*deny, *allow))
    assert not done.result["permission_denials"]
    assert CANARY not in "".join(done.results)
    assert (open_house.project / "kept").read_text() == "as it was"
    assert (open_house.base / "out" / "made").read_text() == "y\n"
    assert (open_house.project / "a.pem").read_text() == f"{CANARY}\n"


def test_skills_of_the_person_are_read_inside_and_out(open_house: House):
    """In every mode, where they are linked to as well; what lies beside them stays hidden."""
    house = open_house
    away = house.base / "away"
    for place in (house.home / ".claude/skills/near", away):
        place.mkdir(parents=True)
        (place / "run.sh").write_text(f"echo ran {place.name}\n")
    (house.home / ".claude/skills/far").symlink_to(away)
    (house.home / ".claude/secret.json").write_text(CANARY)
    near, far = (house.home / ".claude/skills" / name / "run.sh" for name in ("near", "far"))
    done = house.acts(
        call("Read", file_path=str(near)),
        call("Read", file_path=str(far)),
        bash(f"bash {near}; bash {far}; cat ~/.claude/secret.json"),
        call("Read", file_path=str(house.home / ".claude/secret.json")),
        flags=("--permission-mode", "dontAsk", "--allowedTools", "Bash"),
    )
    read_near, read_far, ran, beside = done.results
    assert "echo ran near" in read_near
    assert "echo ran away" in read_far
    assert "ran near\nran away\n" in ran
    assert CANARY not in ran
    assert "Permission denied" in beside
