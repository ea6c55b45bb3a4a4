"""Whole sessions and the way back: what a model did to files by any means can be undone, and the undoing too."""

import json
import os
import shutil
import subprocess

import pytest

from tests.checkpoints.trees import picture
from tests.scenarios.house import BYPASS, STREAM, House, bash, call

HOSTILE = '#!/bin/sh\ntouch "{mark}"\ncat\n'


def furnish(house: House, *, git: bool) -> None:
    """A project with everything that is easily lost."""
    project = house.project
    (project / "src" / "deep").mkdir(parents=True)
    (project / "src" / "main.py").write_bytes(b"one\ntwo\n")
    (project / "src" / "run.sh").write_bytes(b"#!/bin/sh\n")
    (project / "src" / "run.sh").chmod(0o750)
    (project / "src" / "dos.txt").write_bytes(b"a\r\nb\r\n")
    (project / "src" / "binary").write_bytes(bytes(range(256)))
    (project / "src" / "deep" / "link").symlink_to("../main.py")
    (project / "src" / "deep" / "dangling").symlink_to("nowhere")
    (project / "empty" / "er").mkdir(parents=True)
    (project / "empty").chmod(0o2755)
    (project / ".gitattributes").write_text("* text=auto\n")
    (project / ".gitignore").write_text(".env\n/build/\n")
    (project / ".env").write_text("SECRET=1\n")
    (project / "build").mkdir()
    (project / "build" / "out.o").write_bytes(b"made again")
    nested = project / "vendor" / "lib"
    nested.mkdir(parents=True)
    (nested / "code.c").write_text("int main;\n")
    who = ("-c", "user.name=t", "-c", "user.email=t@t", "-c", "init.defaultBranch=main")
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "first"]):
        subprocess.run(["git", *who, *words], cwd=nested, check=True, capture_output=True)
    if git:
        house.git("init", "-q")
        house.git("add", ".gitignore", ".gitattributes", "src", "empty")
        house.git("commit", "-qm", "first")
        house.git("config", "core.autocrlf", "true")


def twin(house: House) -> list[dict[str, tuple[str, ...]]]:
    """What the project is before each act and after the last, as plain programs do them to a copy of it."""
    copy = house.base / "twin"
    shutil.copytree(house.project, copy, symlinks=True)
    states = [picture(copy)]
    for act in ACTS:
        given = act["arguments"]
        if act["name"] == "Bash":
            subprocess.run(["bash", "-c", given["command"]], cwd=copy, check=True)
        else:
            (copy / given["file_path"]).parent.mkdir(exist_ok=True)
            (copy / given["file_path"]).write_text(given["content"])
        states.append(picture(copy))
    assert len({json.dumps(state) for state in states}) == len(ACTS) + 1
    return states


def checkpoints(house: House) -> list[dict[str, object]]:
    done = house.run("rewind", "--list", "--json")
    assert done.code == 0, done.err
    listed: list[dict[str, object]] = json.loads(done.out)
    return listed


ACTS = (
    bash("sed -i s/two/2/ src/main.py"),
    bash("rm -rf src vendor"),
    bash("mkdir -p new/dir && echo x > new/dir/f && chmod 600 .env && rmdir empty/er && ln -s / root"),
    call("Write", file_path="src/main.py", content="anew\n"),
    bash("chmod 700 src && printf 'a\\n' > src/dos.txt && rm .env .gitignore && mv new moved"),
)


@pytest.mark.parametrize("git", [True, False], ids=["git", "no git"])
def test_a_session_goes_back_to_each_of_its_checkpoints(house, git):
    furnish(house, git=git)
    states = twin(house)  # without the sandbox, which keeps even `rm -rf` from a nested repository
    done = house.ask(*({"calls": [act]} for act in ACTS), {"text": "Done."}, flags=(*STREAM, *BYPASS, "--no-sandbox"))
    assert done.result["subtype"] == "success", done.err
    assert picture(house.project) == states[-1]
    numbers = [point["to"] for point in checkpoints(house)]
    assert numbers == ["1", *(f"1.{n}" for n in range(2, len(ACTS) + 1))]
    index = (house.project / ".git" / "index").read_bytes() if git else b""
    for number, expected in [*zip(numbers, states, strict=False), *reversed(list(zip(numbers, states, strict=False)))]:
        back = house.run("rewind", "--to", str(number), "--files")
        assert (back.code, back.err) == (0, "")
        assert picture(house.project) == expected, number
    assert house.run("rewind", "--to", "1", "--files").code == 0
    # each rewind can be undone, and so can the undoing
    assert house.run("rewind", "--to", "1.3", "--files").code == 0
    assert house.run("rewind", "--undo").code == 0
    assert picture(house.project) == states[0]
    assert house.run("rewind", "--undo").code == 0
    assert picture(house.project) == states[2]
    if git:
        assert (house.project / ".git" / "index").read_bytes() == index
        subprocess.run(["git", "fsck", "--strict"], cwd=house.project, check=True, capture_output=True)
    assert not list((house.project).glob(".*.tmp"))


def test_what_git_keeps_is_not_touched_and_nothing_a_repository_names_is_run(house, tmp_path):
    furnish(house, git=True)
    mark = tmp_path / "ran"
    script = tmp_path / "hostile.sh"
    script.write_text(HOSTILE.format(mark=mark))
    script.chmod(0o755)
    for repository in (house.project, house.project / "vendor" / "lib"):
        for name in ("filter.x.clean", "filter.x.smudge", "core.fsmonitor", "core.sshCommand", "diff.external"):
            subprocess.run(["git", "config", name, str(script)], cwd=repository, check=True)
        (repository / ".gitattributes").write_text("* text=auto filter=x\n")
        for hook in ("post-index-change", "post-checkout", "reference-transaction", "pre-commit"):
            (repository / ".git" / "hooks" / hook).write_text(HOSTILE.format(mark=mark))
            (repository / ".git" / "hooks" / hook).chmod(0o755)
    mark.unlink(missing_ok=True)
    before = picture(house.project, without=())
    done = house.acts(bash("rm -rf src && echo y > vendor/lib/code.c"))
    assert done.result["subtype"] == "success"
    assert house.run("rewind", "--to", "1", "--files").code == 0
    assert picture(house.project, without=()) == before
    assert not mark.exists()


def test_off_is_off(house):
    house.settings(fileCheckpointingEnabled=False)
    done = house.acts(bash("echo x > f"))
    assert not done.of("system", "checkpoint")
    assert not (house.config / "checkpoints").exists()


@pytest.mark.parametrize(
    ("env", "there"),
    [
        ({"CLAUDE_CODE_DISABLE_FILE_CHECKPOINTING": "1"}, False),
        ({"CLAUDE_CODE_ENTRYPOINT": "sdk-py"}, False),
        ({"CLAUDE_CODE_ENTRYPOINT": "sdk-py", "CLAUDE_CODE_ENABLE_SDK_FILE_CHECKPOINTING": "true"}, True),
    ],
)
def test_the_environment_decides(house, env, there):
    done = house.acts(bash("echo x > f"), env=env)
    assert bool(done.of("system", "checkpoint")) is there


def test_bad_wishes_are_told(house):
    assert "no session" in house.run("rewind", "--list").err
    house.acts(bash("echo x > f"))
    for words, said in (
        (["--to", "7"], "prompts are 1 to 1"),
        (["--to", "x"], "no checkpoint 'x'"),
        (["--undo"], "no rewind to undo"),
        (["--to", "1", "--session", "nope"], "found named nope"),
        ([], "one of the arguments --to --list --undo is required"),
    ):
        done = house.run("rewind", *words)
        assert done.code == 2
        assert said in done.err


def test_a_store_that_cannot_be_used_is_told_and_the_session_goes_on(house):
    (house.config / "checkpoints").write_text("in the way")
    done = house.acts(bash("echo x > f"))
    assert done.result["subtype"] == "success"
    assert (house.project / "f").exists()
    assert "No checkpoints from here on" in json.dumps(done.of("system", "informational"))


def test_a_link_swapped_in_is_not_followed_out(house, tmp_path):
    """What a rewind writes stays in the project, whatever stands where a directory was."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "f").write_text("mine\n")
    (house.project / "d").mkdir()
    (house.project / "d" / "f").write_text("1\n")
    house.acts(bash("echo 2 > d/f"))
    (house.project / "d" / "f").unlink()
    (house.project / "d").rmdir()
    (house.project / "d").symlink_to(outside)
    assert house.run("rewind", "--to", "1", "--files").code == 0
    assert (outside / "f").read_text() == "mine\n"
    assert not (house.project / "d").is_symlink()
    assert (house.project / "d" / "f").read_text() == "1\n"
    assert os.listdir(outside) == ["f"]


def test_a_conversation_goes_back_too_and_is_gone_on_with_from_there(house):
    def say(prompt, *flags):
        done = house.ask({"text": f"You said {prompt}."}, prompt=prompt, flags=(*STREAM, *flags))
        return [m["content"] for m in done.asked[0].messages if m["role"] in {"user", "assistant"}]

    def said(messages, word):
        return any(word in str(message) for message in messages)

    say("alpha")
    say("beta", "--continue")
    say("gamma", "--continue")
    assert house.run("rewind", "--to", "2.2", "--conversation").code == 2
    back = house.run("rewind", "--to", "2", "--conversation", "--json")
    assert back.code == 0, back.err
    messages = say("delta", "--continue")
    assert said(messages, "alpha")
    assert not said(messages, "beta")
    assert not said(messages, "gamma")
    assert [point["takenBack"] for point in checkpoints(house)] == [False, True, True, False]
    assert "already taken out" in house.run("rewind", "--to", "3", "--conversation").err
    assert house.run("rewind", "--undo").code == 0
    assert [point["takenBack"] for point in checkpoints(house)] == [False, False, False, True]
    messages = say("epsilon", "--continue")
    assert all(said(messages, word) for word in ("alpha", "beta", "gamma"))
    assert not said(messages, "delta")


def test_a_slash_command_goes_back_in_a_session_that_runs(house):
    (house.project / "f").write_text("one\n")
    house.ask({"calls": [bash("echo two > f")]}, {"text": "Did it."}, prompt="alpha", flags=(*STREAM, *BYPASS))

    def typed(text, *answers):
        return house.ask(*answers, {"text": "unused"}, prompt=text, flags=(*STREAM, *BYPASS, "--continue"))

    listed = typed("/rewind").result["result"]
    assert "alpha" in listed
    back = typed("/rewind 1")
    assert "1 changed" in back.result["result"]
    assert (house.project / "f").read_text() == "one\n"
    assert back.of("system", "rewind")
    messages = [str(m["content"]) for m in typed("beta").asked[0].messages]
    assert not any("alpha" in text for text in messages)
    assert any("beta" in text for text in messages)
    typed("/rewind undo")
    assert (house.project / "f").read_text() == "two\n"
    messages = [str(m["content"]) for m in typed("gamma").asked[0].messages]
    assert any("alpha" in text for text in messages)
    assert typed("/rewind 9").result["is_error"]
