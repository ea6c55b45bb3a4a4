"""Names that git, editors or we execute later: what is found on the disk, and that no command can change it."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from harness.errors import SandboxUnavailable
from harness.sandbox import placeholders
from harness.sandbox.protect import Placeholder, linked_worktree, survey
from tests.sandbox.room import Room

HOOK = "#!/bin/sh\ntouch {target}\n"


def repository(room: Room, *, cwd: Path | None = None) -> None:
    room.git("init", cwd=cwd)
    room.git("commit", "--allow-empty", "-m", "first", cwd=cwd)


async def planted(room: Room, command: str) -> bool:
    """Whether, after the command, the user's git executes something of the command's making."""
    evil = room.project / "evil.sh"
    evil.write_text(HOOK.format(target=room.base / "pwned"))
    evil.chmod(0o755)
    await room.run(command)
    for words in (("status",), ("checkout", "-q", "-b", "x"), ("commit", "--allow-empty", "-qm", "x")):
        subprocess.run(["git", *words], cwd=room.project, capture_output=True, check=False)
    return (room.base / "pwned").exists()


@pytest.mark.parametrize(
    "command",
    [
        "cp evil.sh .git/hooks/post-checkout",
        "rm -rf .git/hooks; mkdir .git/hooks; cp evil.sh .git/hooks/post-checkout",
        "git config core.fsmonitor $PWD/evil.sh",
        "printf '[core]\\nfsmonitor=%s/evil.sh\\n' $PWD >> .git/config",
        "mv .git old; cp -r old .git; printf '[core]\\nfsmonitor=%s/evil.sh\\n' $PWD >> .git/config",
        "cp -r .git evil; printf '[core]\\nfsmonitor=%s/evil.sh\\n' $PWD >> evil/config; echo ../evil > .git/commondir",
        "printf '[core]\\nfsmonitor=%s/evil.sh\\n' $PWD > .git/config.worktree",
    ],
)
async def test_the_users_git_runs_nothing_that_a_command_planted(room: Room, command):
    repository(room)
    room.git("config", "extensions.worktreeConfig", "true")
    assert not await planted(room, command)


async def test_missing_hooks_cannot_be_made(room: Room):
    repository(room)
    subprocess.run(["rm", "-rf", room.project / ".git" / "hooks"], check=True)
    assert not await planted(room, "mkdir -p .git/hooks && cp evil.sh .git/hooks/post-checkout")
    assert not (room.project / ".git" / "hooks").exists()


async def test_a_nested_repository_is_protected_too(room: Room):
    nested = room.project / "vendor" / "sub"
    nested.mkdir(parents=True)
    repository(room, cwd=nested)
    await room.run("echo evil > vendor/sub/.git/hooks/pre-commit; echo evil >> vendor/sub/.git/config")
    assert not (nested / ".git" / "hooks" / "pre-commit").exists()
    assert "evil" not in (nested / ".git" / "config").read_text()


async def test_a_submodules_configuration_is_protected(room: Room):
    (room.base / "lib").mkdir()
    repository(room, cwd=room.base / "lib")
    repository(room)
    room.git("-c", "protocol.file.allow=always", "submodule", "add", str(room.base / "lib"), "deps/lib")
    config = room.project / ".git" / "modules" / "deps" / "lib" / "config"
    before = config.read_text()
    await room.run(
        "echo evil >> .git/modules/deps/lib/config; mv .git/modules/deps .git/modules/d2; echo x > deps/lib/.git"
    )
    assert config.read_text() == before
    assert "modules/deps/lib" in (room.project / "deps" / "lib" / ".git").read_text()


async def test_ordinary_git_works(room: Room):
    repository(room)
    identity = {
        "GIT_AUTHOR_NAME": "t",
        "GIT_AUTHOR_EMAIL": "t@t",
        "GIT_COMMITTER_NAME": "t",
        "GIT_COMMITTER_EMAIL": "t@t",
    }
    done = await room.run(
        "set -e; echo 1 > f; git add -A; git commit -qm two; git switch -qc side; echo 2 > f; git stash -q;"
        "git stash pop -q; git commit -qam three; git tag t; git gc -q; git log --oneline | wc -l; git status --short",
        env=identity,
    )
    assert (done.exit_code, done.output.strip()) == (0, "3")
    assert room.git("ls-files") == "f"
    room.git("fsck", "--strict")


async def test_a_linked_worktree_commits_and_its_shared_hooks_are_protected(room: Room):
    main = room.base / "main"
    main.mkdir()
    repository(room, cwd=main)
    room.project.rmdir()
    room.git("worktree", "add", str(room.project), "-b", "side", cwd=main)
    done = await room.run(
        f"git -c user.name=t -c user.email=t@t commit --allow-empty -qm inside; echo x > {main}/.git/hooks/post-commit;"
        f"echo x >> {main}/.git/config; echo x > {main}/file; echo /tmp > $(git rev-parse --git-dir)/commondir; git log"
    )
    assert "inside" in done.output
    assert room.git("log", "-1", "--format=%s", "side", cwd=main) == "inside"
    assert not (main / ".git" / "hooks" / "post-commit").exists()
    assert not (main / "file").exists()


def test_a_git_file_that_nothing_points_back_to_opens_nothing(room: Room):
    (room.base / "victim").mkdir()
    repository(room, cwd=room.base / "victim")
    (room.project / ".git").write_text(f"gitdir: {room.base}/victim/.git\n")
    assert linked_worktree(room.project / ".git") is None
    assert survey(room.project).pinned == []


@pytest.mark.parametrize(
    "name", [".harness/settings.json", ".claude/settings.json", ".claude/settings.local.json", ".mcp.json"]
)
async def test_missing_configuration_cannot_be_made_and_no_ghost_is_left(room: Room, name):
    repository(room)
    done = await room.run(
        f"mkdir -p $(dirname {name}); echo '{{}}' > {name}; rm -rf {name}; mv .claude x; git add -A; git status --short"
    )
    assert done.output.splitlines()[-1:] != ["A  .mcp.json"]
    assert [path.name for path in room.project.iterdir()] == [".git"]
    assert room.git("ls-files") == ""


async def test_existing_configuration_cannot_be_changed_but_worktrees_can(room: Room):
    (room.project / ".claude" / "worktrees").mkdir(parents=True)
    (room.project / ".claude" / "settings.json").write_text("{}")
    (room.project / ".envrc").write_text("x")
    await room.run(
        "echo evil > .claude/settings.json; echo evil >> .envrc; mv .claude c; echo fine > .claude/worktrees/w"
    )
    assert (room.project / ".claude" / "settings.json").read_text() == "{}"
    assert (room.project / ".envrc").read_text() == "x"
    assert (room.project / ".claude" / "worktrees" / "w").read_text() == "fine\n"


@pytest.mark.parametrize("name", [".harness", ".claude", ".mcp.json", ".git"])
async def test_a_link_in_the_place_of_a_protected_name_is_refused(room: Room, name):
    (room.project / name).symlink_to(room.base)
    with pytest.raises(SandboxUnavailable, match="symbolic link"):
        await room.run("true")


def test_what_a_killed_process_left_is_swept_by_the_next(room: Room):
    script = (
        "import os, sys; from pathlib import Path\n"
        "from harness.sandbox import placeholders, protect\n"
        "project = Path(sys.argv[1])\n"
        "with placeholders.hold(project) as journal:\n"
        "    journal.create(protect.survey(project).placeholders, (0, 0)); os.kill(os.getpid(), 9)\n"
    )
    killed = subprocess.run([sys.executable, "-c", script, str(room.project)], check=False, env=os.environ)
    assert killed.returncode == -signal.SIGKILL
    assert (room.project / ".mcp.json").exists()
    with placeholders.hold(room.project):
        assert list(room.project.iterdir()) == []


def test_a_placeholder_that_someone_filled_is_theirs(room: Room):
    with placeholders.hold(room.project) as journal:
        assert journal is not None
        journal.create([Placeholder(room.project / "d", None), Placeholder(room.project / "f")], (0, 0))
        (room.project / "d" / "kept").touch()
        (room.project / "f").write_text("kept")
    assert (room.project / "d" / "kept").exists()
    assert (room.project / "f").read_text() == "kept"


LINKED = (".git/info/attributes", ".git/config.worktree", ".git/worktrees", ".git/info")


@pytest.mark.parametrize("name", [*LINKED, ".claude/worktrees"])
async def test_a_link_in_the_place_of_a_protected_name_leads_no_mount_out_of_the_project(room, name):
    """Made by an earlier command, or come with the repository: what it names was shown inside, or writable."""
    room.git("init")
    secrets = room.home / ".ssh"
    secrets.mkdir()
    (secrets / "attributes").write_text("TOP-SECRET")
    place = room.project / name
    (room.project / ".claude").mkdir()
    shutil.rmtree(place) if place.is_dir() else place.unlink(missing_ok=True)
    whole = name in {".git/worktrees", ".git/info", ".claude/worktrees"}
    place.symlink_to(os.path.relpath(secrets if whole else secrets / "attributes", place.parent))
    with pytest.raises(SandboxUnavailable, match=f"{name} is a symbolic link"):
        await room.run(f"cat {name} {name}/attributes; echo x > {name}/made")
    assert os.listdir(secrets) == ["attributes"]


async def test_what_is_mounted_below_a_directory_of_git_is_not_renamed_away_with_it(room):
    room.git("init")
    (room.project / ".git/info/attributes").write_text("* text\n")
    done = await room.run("mv .git/info .git/old; mkdir -p .git/info; echo x > .git/info/attributes; git add -A")
    assert "busy" in done.output
    assert (room.project / ".git/info/attributes").read_text() == "* text\n"
    assert room.git("ls-files") == ""


async def test_pipes_where_files_of_git_are_read_hold_nobody_up(room):
    room.git("init")
    await room.run("mkfifo .git/config.worktree")
    assert (await room.run("echo done")).output == "done\n"
    shutil.rmtree(room.project / ".git")
    (room.project / "made").mkdir()
    os.mkfifo(room.project / "made/gitdir")
    (room.project / ".git").write_text(f"gitdir: {room.project}/made\n")
    assert (await room.run("echo done")).output == "done\n"
