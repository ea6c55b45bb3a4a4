"""The profile's text: paths only as parameters, later rules narrower than earlier ones. (Run only on macOS.)"""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from harness.sandbox.policy import Policy
from harness.sandbox.protect import Protection
from harness.sandbox.seatbelt import Profile, profile

PROJECT, HOME, TMP = Path("/Users/u/proj"), Path("/Users/u"), Path("/private/var/folders/x/T")
SSH = HOME / ".ssh"


def made(protection: Protection | None = None, hidden=(SSH,), **options) -> Profile:
    policy = Policy(**{"project": PROJECT, "home": HOME} | options)
    return profile(policy, hidden, (), protection or Protection(), (Path("/opt/harness"),), TMP)


def parameter(found: Profile, path: Path | str) -> str:
    return next(f'(param "{name}")' for name, value in found.parameters if value == str(path))


def test_everything_is_denied_first():
    assert made().text.startswith("(version 1)\n(deny default)\n")


def test_secrets_are_denied_after_reading_is_allowed():
    found = made()
    assert found.text.index("(allow file-read*)") < found.text.index(f"(subpath {parameter(found, SSH)})")


def test_the_project_is_writable_and_in_plan_only_the_temporary_directory():
    write = "(allow file-read* file-write*\n  (subpath "
    assert write + parameter(made(), PROJECT) in made().text
    found = made(project_readonly=True)
    assert str(PROJECT) not in dict(found.parameters).values()
    assert write + parameter(found, TMP) in found.text


def test_protected_names_and_their_parents_cannot_be_replaced():
    hooks = PROJECT / "sub" / ".git" / "hooks"
    found = made(Protection(read_only=[hooks]))
    unlink = found.text[found.text.index("(deny file-write-unlink") :]
    values = [value for name, value in found.parameters if f'(param "{name}")' in unlink]
    assert [str(hooks), str(hooks.parent), str(PROJECT / "sub")] == sorted(values, reverse=True)


def test_nested_repositories_are_covered_by_a_pattern():
    assert "(hooks|config|" in made().text


def test_the_network_is_opened_only_on_request():
    assert "network" not in made().text
    assert "(allow network*)" in made(network="host").text


def test_both_spellings_of_tmp_are_named():
    values = [value for _, value in made(project=Path("/tmp/p")).parameters]
    assert {"/tmp/p", "/private/tmp/p"} <= set(values)


def test_the_command_follows_the_parameters():
    argv = made().argv(["bash", "-c", "x"])
    assert argv[:2] == ["/usr/bin/sandbox-exec", "-p"]
    assert argv[-3:] == ["bash", "-c", "x"]
    assert argv[argv.index("-D") + 1].startswith("P0=/")


@given(
    st.text(st.characters(codec="utf-8", exclude_characters="\0/"), min_size=1).filter(lambda t: t not in (".", ".."))
)
def test_no_name_becomes_part_of_the_profile(name):
    path = PROJECT / name
    plain, hostile = made(deny_read=(PROJECT / "x",)), made(deny_read=(path,))
    assert plain.text == hostile.text
    assert str(path) in dict(hostile.parameters).values()
