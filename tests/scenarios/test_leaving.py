"""Leaving the sandbox, through the whole job: with a yes, by settings, never unasked; a real repository, a fake ssh."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.scenarios.house import BYPASS, House, bash
from tests.sdk.program import Program, started

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="bubblewrap is for Linux")


@pytest.fixture
def repository(open_house: House) -> House:
    """A project with a commit, a bare repository beside it, and an ssh that only says what it was asked."""
    house = open_house
    house.git("init", "-q")
    (house.project / "a.txt").write_text("a\n")
    house.git("add", ".")
    house.git("commit", "-qm", "a")
    subprocess.run(["git", "init", "-q", "--bare", str(house.base / "bare.git")], check=True)
    programs = house.base / "bin"
    programs.mkdir()
    ssh = programs / "ssh"
    ssh.write_text(f'#!/bin/sh\necho "$@" >> {house.base}/ssh.log\nexit 1\n')
    ssh.chmod(0o755)
    return house


def asked(program: Program) -> list[str]:
    requests = [line["request"] for line in program.asked]
    return [request["input"]["command"] for request in requests if request["subtype"] == "can_use_tool"]


def results(program: Program) -> list[str]:
    return [m["content"] for m in program.server.requests[-1].messages if m["role"] == "tool"]


def drive(house: House, *commands, answer=None, **env) -> tuple[Program, list[str]]:
    steps = [{"calls": [bash(command) if isinstance(command, str) else command]} for command in commands]
    yes = answer or (lambda request: {"behavior": "allow", "updatedInput": request["input"]})
    flags = (*BYPASS, "--permission-prompt-tool", "stdio")
    with started(house, *steps, {"text": "Done."}, flags=flags, answer=yes, env=env) as program:
        program.ask("go")
        program.close()
    return program, results(program)


def test_with_a_yes_git_does_outside_what_it_cannot_inside(repository: House):
    house = repository
    path = f"{house.base}/bin:{house.project}:{os.environ['PATH']}"
    (house.project / "git").write_text("#!/bin/sh\ntouch fooled\n")
    (house.project / "git").chmod(0o755)
    url = f"file://{house.base}/bare.git"
    program, said = drive(
        house,
        f"git remote add origin {url}",
        "git push -u origin HEAD:main",
        "git remote set-url origin git@host.example:x.git && git push origin HEAD",
        "cat a.txt",
        PATH=path,
    )
    assert len(asked(program)) == 3
    assert "Ran outside the sandbox." in said[0]
    assert "Ran outside the sandbox." in said[1]
    assert said[3] == "a"
    heads = subprocess.check_output(["git", "-C", str(house.base / "bare.git"), "branch"], text=True)
    assert "main" in heads
    assert "git-receive-pack" in (house.base / "ssh.log").read_text()
    assert not (house.project / "fooled").exists(), "a program in the project is none outside"
    assert "merge = refs/heads/main" in (house.project / ".git/config").read_text()


def test_with_a_no_it_does_not_run(repository: House):
    _, said = drive(
        repository,
        "git remote add origin /x",
        answer=lambda _: {"behavior": "deny", "message": "use the other remote"},
    )
    assert "use the other remote" in said[0]
    assert "[remote" not in (repository.project / ".git/config").read_text()


def test_without_a_person_it_is_explained(repository: House):
    done = repository.acts(
        bash("git remote add origin /x"),
        bash("make && git push -u origin main"),
        bash("id", dangerouslyDisableSandbox=True),
        bash("git remote"),
    )
    add, push, leave, inside = done.results
    assert "`git remote add` writes git's configuration, which the sandbox protects" in add
    assert "The user can run it themselves" in add
    assert "run `git push -u origin main` in a call of its own" in push
    assert "nobody can be asked" in leave
    assert inside == "(no output)"
    assert len(done.result["permission_denials"]) == 3
    assert "[remote" not in (repository.project / ".git/config").read_text()


def test_by_settings_some_commands_run_outside(open_house: House):
    house = open_house
    outside = house.base / "outside.txt"
    program = house.base / "put"
    program.write_text(f"#!/bin/sh\necho ${{HARNESS_SANDBOX-out}} ${{OPENAI_API_KEY-no key}} > {outside}\n")
    program.chmod(0o755)
    house.settings(sandbox={"excludedCommands": [f"{program}:*"], "allowUnsandboxedCommands": False})
    done = house.acts(bash(f"{program} x"), env={"OPENAI_API_KEY": "sk-1"})
    assert outside.read_text() == "out no key\n"
    assert "Ran outside the sandbox." in done.results[0]
    outside.unlink()
    done = house.acts(bash(f"{program} x; true"), bash("id", dangerouslyDisableSandbox=True))
    assert not outside.exists()
    assert "settings forbid" in done.results[1]
    plan = house.acts(bash(f"{program} x"), flags=("--permission-mode", "plan", "--allowedTools", f"Bash({program}:*)"))
    assert "Ran outside" not in plan.results[0]
    assert not outside.exists()


def test_a_repositorys_own_settings_let_nothing_out(open_house: House):
    house = open_house
    (house.project / ".harness").mkdir()
    (house.project / ".harness/settings.json").write_text('{"sandbox": {"excludedCommands": ["touch *"]}}')
    target = house.base / "made"
    house.acts(bash(f"touch {target}"), flags=(*BYPASS, "--trust-project"))
    assert not target.exists()


def test_what_is_asked_for_runs_outside_after_a_yes(open_house: House):
    target = Path(open_house.base, "made")
    program, said = drive(open_house, bash(f"touch {target}", dangerouslyDisableSandbox=True))
    assert asked(program) == [f"touch {target}"]
    assert target.exists()
    assert said == ["Ran outside the sandbox."]
