"""Which commands cannot work in the sandbox, and which settings let out: from the parse, before anything runs."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.effects import Runs
from harness.leaving import Leaving, repository, settings
from harness.permissions.bash import leaving
from harness.permissions.bash.parse import parse
from harness.permissions.decision import Ask, Deny
from harness.sandbox.policy import Granted
from tests.corpus.decisions import roots_for
from tests.permissions.at import call, rules

CONFIG = """
[core]
\tbare = false
[remote "origin"]
\turl = git@host.example:team/shop.git ; the usual one
[remote "files"]
\turl = /srv/shop.git
[remote "web"]
\turl = https://host.example/shop.git
\tpushurl = ssh://host.example/shop.git
[remote "short"]
\turl = gh:team/shop
[url "git@host.example:"]
\tinsteadOf = gh:
"""
NEEDS = """
git remote add up https://x.example/y           configuration
git remote -v                                   -
git remote set-url origin https://x.example     configuration
git push -u files main                          configuration
git push --set-upstream files main              configuration
git push -fu files main                         configuration
git push files main                             -
git push files HEAD:u                           -
git push                                        ssh
git push origin main                            ssh
git push web main                               ssh
git fetch web                                   -
git fetch                                       ssh
git fetch --all                                 ssh
git pull short main                             ssh
git push https://x.example/y main               -
git push ssh://x.example/y main                 ssh
git clone git@x.example:a/b                     ssh
git clone ./here.git                            -
git switch --track origin/x                     configuration
git switch -c x origin/x                        configuration
git checkout -b x origin/x                      configuration
git checkout -b x main                          -
git checkout -b x --no-track origin/x           -
git switch x                                    -
git branch x origin/x                           configuration
git branch -u origin/x                          configuration
git branch -M main                              configuration
git branch -d x                                 -
git config user.name                            -
git config --get user.name                      -
git config --list                               -
git config user.name me                         configuration
git config --unset user.name                    configuration
git config --global user.name me                configuration
git config -f ci.conf a.b c                     -
git config get user.name                        -
git config set user.name me                     configuration
git submodule add ./x                           configuration
git submodule update --init                     configuration
git submodule status                            -
git commit -S -m x                              signs
git commit -m 'Set S'                           -
git commit -m"Set S"                            -
git commit -am Signs                            -
git commit --gpg-sign -m x                      signs
git tag -s v1                                   signs
git tag -a v1 -m"some"                          -
git --no-pager push origin                      ssh
git -c core.sshCommand=x push origin            -
git -C elsewhere push origin                    -
git status                                      -
gitk                                            -
echo git push origin                            -
sudo git push origin                            -
eval 'git push origin'                          -
git push "$remote"                              -
git add . && git commit -m x && git push origin   ssh
make test && git push origin                    ssh apart
git push origin > log                           ssh apart
PATH=. git push origin                          ssh apart
git push origin $(./which)                      -
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    project = tmp_path / "shop"
    (project / ".git").mkdir(parents=True)
    (project / ".git/HEAD").write_text("ref: refs/heads/main\n")
    (project / ".git/config").write_text(CONFIG)
    return project.resolve()


def found(project: Path, command: str, cwd: Path | None = None) -> leaving.Need | None:
    house = Leaving(project, project.parent / "home", "full", lambda: "default")
    return leaving.need(parse(command, cwd or project, house.home), house._config)


@pytest.mark.parametrize("line", NEEDS.strip().splitlines())
def test_what_cannot_work_inside(project, line):
    command, _, expected = line.rpartition("  ")
    kind, _, apart = expected.strip().partition(" ")
    need = found(project, command.strip())
    if kind == "-":
        assert need is None
        return
    assert need is not None
    assert kind in need.why
    assert need.alone is not bool(apart)


def test_the_persons_own_configuration_counts(project):
    home = project.parent / "home"
    home.mkdir()
    (home / ".gitconfig").write_text('[commit]\n\tgpgSign = true\n[url "ssh://git@x/"]\n\tinsteadOf = https://x/\n')
    assert "signs" in (need.why if (need := found(project, "git commit -m x")) else "")
    assert found(project, "git commit --no-gpg-sign -m x") is None
    assert "ssh" in (need.why if (need := found(project, "git push https://x/y")) else "")


def test_only_the_projects_own_repository(project):
    nested = project / "vendor/lib"
    (nested / ".git").mkdir(parents=True)
    (nested / ".git/HEAD").write_text("x")
    (nested / ".git/config").write_text(CONFIG)
    assert found(project, "git push origin", nested) is None
    assert found(project, "cd vendor/lib && git push origin") is None
    assert found(project, "cd vendor && git push origin") is not None
    assert repository(project.parent, project) is None


def test_a_linked_worktree_has_the_configuration_of_its_repository(project):
    tree, own = project.parent / "tree", project / ".git/worktrees/tree"
    tree.mkdir()
    own.mkdir(parents=True)
    (tree / ".git").write_text(f"gitdir: {own}\n")
    (own / "commondir").write_text("../..\n")
    assert found(tree, "git push origin") is not None


@given(st.text(alphabet='[]"\\=;# \t\nabc.', max_size=80))
def test_any_text_is_read_as_settings(text):
    assert all(key.count(".") for key, _ in settings(text))


@pytest.mark.parametrize(
    ("command", "leaves"),
    [
        ("docker ps -a", True),
        ("docker ps && docker images 2>/dev/null", True),
        ("docker ps | grep x", False),
        ("docker ps $(./x)", False),
        ("docker ps > ~/.bashrc", False),
        ("PATH=. docker ps", False),
        ("./docker ps", False),
        ("dockerd", False),
        ("gh pr list", True),
        ("gh", False),
        ('docker "', False),
        ("f() { docker ps; }; f", False),
    ],
)
def test_what_settings_let_out(project, command, leaves):
    house = Leaving(project, project.parent, "full", lambda: "default", ("docker *", "gh pr list:*"))
    assert house.placed(Runs(command, project)) == Runs(command, project, excluded=leaves)


def decided(command, project, mode="default", level="full", may_leave=True, **given):
    granted = Granted(level, write=(project,), auto_allow=True, may_leave=may_leave, excluded=given.pop("excluded", ()))
    house = Leaving(project, project.parent, level, lambda: mode, granted.excluded)
    from harness.permissions.decide import decide

    unsandboxed = given.pop("unsandboxed", False)
    effect = house.placed(Runs(command, project, unsandboxed))
    return decide(call("Bash", command=command), [effect], rules(**given), mode, roots_for(), granted)


def test_leaving_is_the_persons_to_decide(project):
    everything = {"allow": ["Bash"]}
    for mode in ("default", "acceptEdits", "auto", "bypassPermissions"):
        asked = decided("git push origin", project, mode, **everything)
        assert isinstance(asked, Ask)
        assert not asked.classifiable
        assert "ssh" in asked.reason
    assert isinstance(decided("git push origin", project, "dontAsk", **everything), Deny)
    for unsandboxed in (True, False):
        plan = decided("git push origin", project, "plan", unsandboxed=unsandboxed, **everything)
        assert not isinstance(plan, Ask) or "outside" not in plan.reason
    assert isinstance(decided("true", project, "plan", unsandboxed=True), Deny)
    assert isinstance(decided("git push origin", project, may_leave=False), Deny)
    assert "of its own" in decided("make && git push origin", project).reason
    assert isinstance(decided("git push origin", project, deny=["Bash(git push *)"]), Deny)
    assert "outside" not in decided("git push origin", project, level="none").reason


def test_what_settings_let_out_asks_as_without_a_sandbox(project):
    assert isinstance(decided("docker ps -a", project), Ask) is False, "in the sandbox, by autoAllowBashIfSandboxed"
    assert isinstance(decided("docker ps -a", project, excluded=("docker *",)), Ask)
    allowed = decided("docker ps -a", project, excluded=("docker *",), allow=["Bash(docker ps *)"])
    assert allowed.source == "rule"
