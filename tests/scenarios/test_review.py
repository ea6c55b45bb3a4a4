"""A review in plan mode, of a repository of a thousand files: all of it is looked at, and not a byte changes."""

import hashlib
import os
import stat
from pathlib import Path

from tests.scenarios.house import STREAM, House, bash, call

FILES = 1000
PLAN = (*STREAM, "--permission-mode", "plan")


def repository(house: House) -> None:
    house.git("init")
    for number in range(FILES):
        package = house.project / f"part{number // 50}" / f"sub{number % 5}"
        package.mkdir(parents=True, exist_ok=True)
        body = "\n".join(f"def f{number}_{line}(x):\n    return x + {line}\n" for line in range(12))
        (package / f"module{number}.py").write_text(body + ("assert f7_0(1) == 2\n" if number == 7 else ""))
    (house.project / "run.sh").write_text("#!/bin/sh\necho hi\n")
    (house.project / "run.sh").chmod(0o755)
    (house.project / "link").symlink_to("run.sh")
    house.git("add", "-A")
    house.git("commit", "-m", "first")


def fingerprint(root: Path) -> dict[str, str]:
    """Every name below `root`, with type, mode, and bytes; `.git` included."""
    found = {}
    for place, directories, files in os.walk(root):
        for name in (*directories, *files):
            path = Path(place, name)
            mode = path.lstat().st_mode
            content = os.readlink(path).encode() if path.is_symlink() else path.read_bytes() if path.is_file() else b""
            found[str(path.relative_to(root))] = f"{stat.filemode(mode)} {hashlib.sha256(content).hexdigest()}"
    return found


def test_a_thousand_files_are_reviewed_and_stay_as_they_are(house: House):
    repository(house)
    before = fingerprint(house.project)
    looks = [
        call("Glob", pattern="**/*.py"),
        call("Grep", pattern="^assert", output_mode="content"),
        call("Read", file_path="part0/sub2/module7.py"),
        bash("git log --oneline | head -3; git status --short | head -3; git ls-files | wc -l"),
    ]
    changes = [
        call("Write", file_path="part0/new.py", content="x"),
        call("Edit", file_path="part0/sub2/module7.py", old_string="f7_0(1)", new_string="f7_0(2)"),
        bash("touch made; git commit --allow-empty -m no"),
        bash('python3 -c \'open("made", "w").write("x"); import pathlib; pathlib.Path(".git/x").touch()\''),
        bash("rm -rf .git part0 && git gc"),
    ]
    flags = (*PLAN, "--allowedTools", "Bash(python3 *)", "Bash(rm *)", "Bash(git gc)")
    done = house.ask({"calls": looks}, {"calls": changes}, {"text": "One assertion runs at import."}, flags=flags)
    assert fingerprint(house.project) == before
    assert len(before) > FILES
    assert len(done.asked) == 3, (done.out[-2000:], done.err)
    found = [message["content"] for message in done.asked[1].messages if message["role"] == "tool"]
    assert "module7.py" in found[1]
    assert "assert f7_0(1) == 2" in found[2]
    assert f"first\n{FILES + 2}" in found[3]
    assert (done.code, done.result["result"]) == (0, "One assertion runs at import.")  # each line is held to the schema
    denied = [denial["tool_name"] for denial in done.result["permission_denials"]]
    assert denied[:3] == ["Write", "Edit", "Bash"]


def test_the_plan_may_be_written_and_nothing_beside_it(house: House):
    session = "11111111-2222-4333-8444-555555555555"
    plan = house.config / "plans" / f"{session}.md"
    beside = house.config / "plans" / "other.md"
    flags = (*PLAN, "--session-id", session)
    writes = [call("Write", file_path=str(path), content="1. Look.\n") for path in (plan, beside)]
    edit = call("Edit", file_path=str(plan), old_string="1. Look.", new_string="1. Look again.")
    done = house.ask({"calls": writes}, {"calls": [edit]}, {"text": "It is planned."}, flags=flags)
    assert f"a long plan may be kept in {plan}" in done.asked[0].messages[-1]["content"]
    assert plan.read_text() == "1. Look again.\n"
    assert not beside.exists()
    assert [denial["tool_input"]["file_path"] for denial in done.result["permission_denials"]] == [str(beside)]
    usual = house.ask({"calls": [call("Write", file_path=str(beside), content="x")]}, {"text": "ok"})
    assert "a long plan" not in usual.asked[0].messages[-1]["content"]
    assert not beside.exists()
