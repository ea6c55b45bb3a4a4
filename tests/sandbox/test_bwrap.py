"""The argument list and the plan behind it, as pure functions."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.paths import within
from harness.sandbox.bwrap import Layer, Snapshot, arguments, plan
from harness.sandbox.policy import Policy
from harness.sandbox.protect import Protection

PROJECT, HOME = Path("/home/u/proj"), Path("/home/u")
SSH = HOME / ".ssh"


def policy(**options):
    return Policy(**{"project": PROJECT, "home": HOME} | options)


def disk(**facts: Any) -> Snapshot:
    facts = {"hidden": (SSH,), "scratch": (Path("/tmp"),), "empty": (Path("/run"),)} | facts
    facts.setdefault("directories", frozenset((SSH, PROJECT / "secret")))
    return Snapshot(**facts)


def words(policy_=None, disk_=None, **options):
    return arguments(policy_ or policy(), disk_ or disk(), {"A": "b"}, PROJECT, **options)


def test_every_namespace_is_own_and_every_capability_dropped():
    for word in ("--unshare-user", "--unshare-all", "--disable-userns", "--new-session", "--die-with-parent"):
        assert word in words()
    assert words()[words().index("--cap-drop") + 1] == "ALL"
    assert "--clearenv" in words()


def test_the_network_is_shared_only_on_request():
    assert "--share-net" not in words()
    assert "--share-net" in words(policy(network="host"))


def test_everything_is_read_only_and_then_the_project_is_bound():
    given_words = " ".join(words())
    assert given_words.index("--ro-bind / / ") < given_words.index(f"--bind {PROJECT} {PROJECT}")
    assert given_words.endswith(f"--chdir {PROJECT}")


def test_the_filter_is_given_by_its_descriptor():
    assert words(seccomp=7)[-2:] == ["--seccomp", "7"]


def test_parents_are_mounted_before_what_lies_in_them():
    inner = Path("/tmp/a/b")
    given_words = words(policy(write=(inner,)))
    assert given_words.index("/tmp") < given_words.index(str(inner))


def test_secrets_are_hidden_also_when_the_home_is_the_project():
    layers = plan(policy(project=HOME), disk())
    assert (layers[HOME], layers[SSH]) == (Layer.WRITE, Layer.HIDDEN_DIR)


def test_a_directory_is_hidden_by_a_tmpfs_and_a_file_by_nothing():
    netrc = HOME / ".netrc"
    given_words = " ".join(words(disk_=disk(hidden=(SSH, netrc))))
    assert f"--perms 0500 --tmpfs {SSH}" in given_words
    assert f"--ro-bind /dev/null {netrc}" in given_words


def test_denied_paths_win_over_the_project_and_are_not_uncovered_by_protection():
    nested = PROJECT / "secret" / ".git"
    layers = plan(policy(deny_read=(PROJECT / "secret",)), disk(protection=Protection(pinned=[nested])))
    assert layers[PROJECT / "secret"] is Layer.DENIED_DIR
    assert nested not in layers


def test_a_denied_path_lets_through_what_is_allowed_below_it():
    layers = plan(policy(deny_read=(SSH,), read=(SSH / "known",)), disk())
    assert (layers[SSH], layers[SSH / "known"]) == (Layer.HIDDEN_DIR, Layer.READ)


def test_reading_is_given_again_only_where_something_hides():
    layers = plan(policy(read=(SSH / "known", Path("/opt/x"))), disk())
    assert layers[SSH / "known"] is Layer.READ
    assert Path("/opt/x") not in layers


def test_git_is_pinned_and_its_hooks_are_read_only():
    git = PROJECT / ".git"
    layers = plan(policy(), disk(protection=Protection(pinned=[git], read_only=[git / "hooks"])))
    assert (layers[git], layers[git / "hooks"]) == (Layer.WRITE, Layer.READ)


def test_plan_mode_makes_everything_read_only():
    layers = plan(policy(project_readonly=True, write=(Path("/tmp/x"),)), disk())
    assert (layers[PROJECT], layers[Path("/tmp/x")]) == (Layer.READ, Layer.READ)
    assert Layer.WRITE not in layers.values()


def test_plan_mode_as_a_throw_away_overlay():
    given_words = words(policy(project_readonly=True), overlay=True)
    assert given_words[given_words.index("--tmp-overlay") + 1] == str(PROJECT)


def test_our_installation_is_read_only_in_the_project_and_its_parents_cannot_be_renamed():
    venv = PROJECT / "tools" / "deep" / "venv"
    inside = Protection(pinned=[venv / "src" / ".git"])
    layers = plan(policy(), disk(installation=(venv, Path("/usr")), protection=inside))
    assert layers[venv] is Layer.READ
    assert layers[PROJECT / "tools"] is layers[PROJECT / "tools" / "deep"] is Layer.WRITE
    assert {Path("/usr"), venv / "src" / ".git"}.isdisjoint(layers)


def test_our_installation_can_be_read_where_it_would_be_hidden():
    venv = Path("/tmp/clone/.venv")
    assert plan(policy(), disk(installation=(venv,)))[venv] is Layer.READ


def test_deny_write_makes_read_only():
    generated = PROJECT / "generated"
    assert plan(policy(deny_write=(generated,)), disk())[generated] is Layer.READ


NAMES = st.lists(st.sampled_from(["a", "b", ".git", "x y"]), min_size=1, max_size=3).map(lambda p: PROJECT.joinpath(*p))
PATHS = st.lists(NAMES, max_size=4).map(tuple)


@given(denied=PATHS, pinned=PATHS, read_only=PATHS, installation=PATHS)
def test_no_combination_uncovers_what_is_denied(denied, pinned, read_only, installation):
    """Below a denied path nothing is opened but our own installation, and that only for reading."""
    protection = Protection(pinned=list(pinned), read_only=list(read_only))
    facts = disk(directories=frozenset(denied), protection=protection, installation=installation)
    for path, layer in plan(policy(deny_read=denied), facts).items():
        if any(within(path, root) for root in denied):
            assert layer in {Layer.DENIED_DIR, Layer.HIDDEN_DIR} or (path in installation and layer is Layer.READ)


@pytest.mark.parametrize("text", ["--bind", "a\nb", "$(x)"])
def test_values_are_words_of_their_own(text):
    given_words = arguments(policy(), disk(), {"NAME": text}, PROJECT)
    assert given_words[given_words.index("--setenv") : given_words.index("--setenv") + 3] == ["--setenv", "NAME", text]
