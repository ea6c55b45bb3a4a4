import os
from pathlib import Path

from harness.sandbox import environment, masks
from harness.sandbox.policy import Policy

POLICY = Policy(project=Path("/p"), home=Path("/h"), env={"MINE": "1"})


def test_only_known_names_and_the_policys_own_get_in():
    outside = {"PATH": "/bin", "LC_ALL": "C", "AWS_SECRET_ACCESS_KEY": "x", "DISPLAY": ":0", "BASH_ENV": "x"}
    inside = environment.sandboxed(POLICY, Path("/h"), outside)
    assert set(outside) & set(inside) == {"PATH", "LC_ALL"}
    assert (inside["MINE"], inside["HOME"], inside["TMPDIR"]) == ("1", "/h", "/tmp")


def test_plan_mode_writes_no_bytecode():
    readonly = Policy(project=Path("/p"), home=Path("/h"), project_readonly=True)
    assert environment.sandboxed(readonly, Path("/h"), {})["PYTHONDONTWRITEBYTECODE"] == "1"


def test_outside_only_keys_are_left_out():
    outside = {"DISPLAY": ":0", "OPENAI_BASE_URL": "x", "SOME_API_KEY": "x", "GATEWAY": "x"}
    assert environment.unsandboxed(POLICY, ("GATEWAY",), outside).keys() & outside.keys() == {"DISPLAY"}


def test_every_dot_entry_but_toolchains_is_hidden(tmp_path):
    for name in (".ssh", ".cargo", ".config/git", ".newtool", "documents"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / ".netrc").touch()
    (tmp_path / ".cargo" / "credentials.toml").touch()
    names = [str(path.relative_to(tmp_path)) for path in masks.hidden([tmp_path], root=False)]
    assert names == [".cargo/credentials.toml", ".config", ".netrc", ".newtool", ".ssh"]
    assert masks.shown([tmp_path]) == (tmp_path / ".config" / "git",)


def test_a_home_may_be_the_root(monkeypatch):
    """As in containers. `//.ssh` would be a path of its own: never watched, never what is shown again."""
    monkeypatch.setattr(os, "listdir", lambda _: [".ssh", ".local", "etc"])
    monkeypatch.setattr(masks, "_coverable", lambda name: name)
    found = masks.hidden([Path("/")], root=False)
    assert {Path("/.ssh"), Path("/.local/share")} <= set(found)
    assert not [path for path in found if str(path).startswith("//")]


def test_of_a_link_the_target_is_hidden_but_never_the_system(tmp_path):
    (tmp_path / "vault").mkdir()
    (tmp_path / ".ssh").symlink_to(tmp_path / "vault")
    (tmp_path / ".all").symlink_to("/usr")
    (tmp_path / ".me").symlink_to(tmp_path)
    assert masks.hidden([tmp_path], root=False) == (tmp_path / "vault",)
