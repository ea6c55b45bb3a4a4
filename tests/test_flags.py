"""The command line as people and their scripts write it."""

import contextlib
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import PROTOCOL_LEVEL, __version__
from harness.errors import UsageError
from harness.flags import VENDOR_FLAGS, Flags, parse, parser
from harness.flags.foreign import NOT_YET
from harness.messages import MODES


def refused(*argv):
    with pytest.raises(UsageError) as caught:
        parse(argv)
    assert caught.value.exit_code == 2
    assert caught.value.mend
    return str(caught.value)


def test_nothing_is_a_conversation_with_the_defaults():
    flags = parse([])
    assert (flags.prompt, flags.headless, flags.output_format, flags.network) == (None, False, "text", None)
    assert (flags.sandbox, flags.persist, flags.permission_mode, flags.max_turns) == (None, True, None, None)


@pytest.mark.parametrize(
    ("argv", "allowed"),
    [
        (["-p", "q", "--allowedTools", "A", "B"], ("A", "B")),
        (["-p", "--allowedTools", "A", "--", "q"], ("A",)),
        (["-p", "--allowedTools", "A", "B", "--model", "m", "q"], ("A", "B")),
        (["--allowed-tools", "A", "-p", "q"], ("A",)),
        (["-p", "q", "--allowedTools", "A,B"], ("A,B",)),
        (["-p", "q", "--allowedTools=A"], ("A",)),
        (["-p", "q", "--allowedTools", "A", "--allowed-tools", "B"], ("A", "B")),
        (["-p", "--allowedTools", "Bash(git diff *)", "--", "q"], ("Bash(git diff *)",)),
    ],
)
def test_print_is_a_switch_and_rules_take_several_words(argv, allowed):
    flags = parse(argv)
    assert (flags.prompt, flags.headless, flags.allowed) == ("q", True, allowed)


@pytest.mark.parametrize("prompt", ["--what does this flag do?", "- a list", "a\nb", "", "-1"])
def test_a_prompt_may_look_odd(prompt):
    assert parse(["-p", prompt]).prompt == prompt


@pytest.mark.parametrize("prompt", ["--chrome", "--help", "-p", "--", "events"])
def test_after_two_dashes_all_is_prompt(prompt):
    assert parse(["-p", "--", prompt]).prompt == prompt


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("--allowdTools", "--allowedTools"),
        ("--max-turn", "--max-turns"),
        ("--permision-mode=plan", "--permission-mode"),
    ],
)
def test_an_unknown_flag_gets_the_nearest_name(typed, meant):
    text = refused("-p", "q", typed)
    assert typed.split("=")[0] in text
    assert f"Did you mean {meant}?" in text


def test_a_flag_like_no_other_points_to_the_help():
    assert "--help" in refused("--frobnicate")
    assert "-z" in refused("-z")


@pytest.mark.parametrize("mode", MODES)
def test_modes(mode):
    assert parse(["--permission-mode", mode]).permission_mode == mode


def test_mode_aliases_and_conflicts():
    assert parse(["--permission-mode", "manual"]).permission_mode == "default"
    assert parse(["--dangerously-skip-permissions"]).permission_mode == "bypassPermissions"
    assert "plan" in refused("--permission-mode", "yolo")
    assert "yolo" in refused("--permission-mode", "yolo", "--dangerously-skip-permissions")
    assert "disagree" in refused("--permission-mode", "plan", "--dangerously-skip-permissions")


@pytest.mark.parametrize("turns", ["0", "-1", "1.5", "x", "", "٣", "9" * 5000])
def test_turns_are_a_positive_number(turns):
    assert "--max-turns" in refused("-p", "q", f"--max-turns={turns}")


def test_turns():
    assert parse(["-p", "q", "--max-turns", "3"]).max_turns == 3


def test_directories_are_made_absolute(tmp_path, monkeypatch):
    (tmp_path / "a").mkdir()
    (tmp_path / "link").symlink_to("a")
    monkeypatch.chdir(tmp_path)
    assert parse(["--add-dir", "a", "link"]).add_dirs == (tmp_path / "a", tmp_path / "a")


@pytest.mark.parametrize("name", ["missing", "~nobody-has-this-name", "file", "circle", "\0"], ids=repr)
def test_a_directory_that_is_none_is_named(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    (tmp_path / "circle").symlink_to("circle")
    assert f"--add-dir {name}" in refused("--add-dir", name)


@pytest.mark.parametrize("flag", sorted(VENDOR_FLAGS))
def test_flags_of_a_vendors_cloud_are_told_and_have_no_effect(flag):
    flags = parse(["-p", flag, "q", f"{flag}=x"])
    assert (flags.prompt, flags.vendor) == ("q", (flag, flag))


def test_flags_of_a_vendors_cloud_with_a_value():
    flags = parse(["--ref", "main", "-p", "q", "--environment=prod"])
    assert (flags.prompt, flags.vendor) == ("q", ("--ref", "--environment"))


@pytest.mark.parametrize("argv", [["--output-format", "xml"], ["--network", "all"], ["a", "b"], ["--model"]])
def test_values_that_cannot_be_used(argv):
    assert argv[-1] in refused(*argv)


def test_the_rest_of_the_flags():
    argv = ["--output-format", "stream-json", "--include-partial-messages", "--verbose", "--network", "host"]
    argv += ["--no-sandbox", "--no-session-persistence", "--system-prompt", "s", "--append-system-prompt", "a"]
    flags = parse([*argv, "--disallowedTools", "Bash", "-p", "q"])
    assert (flags.output_format, flags.partial_messages, flags.network) == ("stream-json", True, "host")
    assert (flags.sandbox, flags.persist, flags.disallowed) == ("none", False, ("Bash",))
    assert (flags.system_prompt, flags.append_system_prompt) == ("s", "a")


@pytest.mark.parametrize("argv", [["--version"], ["-pv"], ["--model", "m", "-v"]])
def test_the_version_anywhere(argv, capsys):
    with pytest.raises(SystemExit) as ended:
        parse(argv)
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"{PROTOCOL_LEVEL} (harness {__version__})\n"


def test_the_help_names_every_flag_and_is_plain(capsys):
    text = parser().format_help()
    assert text.isascii()
    for action in parser()._actions:
        assert all(name in text for name in action.option_strings)
        assert action.help


words = ["-p", "--", "q", "--allowedTools", "--add-dir", "--max-turns", "3", "--model=", "--chrome", "-v", "-h"]


@given(st.lists(st.sampled_from(words) | st.text(max_size=4), max_size=6))
def test_any_command_line_is_read_or_refused_in_words(argv):
    # SystemExit is that of --help and --version.
    with contextlib.suppress(UsageError, SystemExit), contextlib.redirect_stdout(io.StringIO()):
        assert isinstance(parse(argv), Flags)


def test_effort_endpoint_and_fallbacks():
    flags = parse(["--effort", "max", "--endpoint", "work", "--fallback-model", "a, b"])
    assert (flags.effort, flags.endpoint, flags.fallback_models) == ("max", "work", ("a", "b"))
    assert "--effort" in refused("--effort", "huge")


@pytest.mark.parametrize("flag", [*NOT_YET, "-w"])
def test_flags_that_are_not_here_yet_are_refused_by_name(flag):
    known = {name for action in parser()._actions for name in action.option_strings}
    if flag not in known:
        assert "here yet" in refused("-p", "q", flag)


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        (["--output-format", "json"], "Add -p"),
        (["-p", "q", "--include-partial-messages"], "stream-json"),
        (["-p", "q", "--output-format", "json", "--include-hook-events"], "stream-json"),
        (["-p", "q", "--replay-user-messages"], "--input-format"),
        (["-p", "q", "--permission-prompt-tool", "stdio"], "--allowedTools"),
        (["-p", "q", "--autocompact", "5k"], "from 100k to 1M"),
        (["-p", "q", "--autocompact", "wide"], "from 100k to 1M"),
    ],
)
def test_what_would_have_no_effect_is_refused(argv, told):
    assert told in refused(*argv)


@pytest.mark.parametrize(("given_", "tokens"), [("auto", 0), ("500k", 500_000), ("1M", 1_000_000), ("200", 200_000)])
def test_the_window_to_compact_at(given_, tokens):
    assert parse(["--autocompact", given_]).autocompact == tokens


def test_debug_binds_a_filter_by_its_sign_only():
    assert (parse(["--debug", "-p", "q"]).debug, parse(["-p", "--debug=hook", "q"]).debug) == ("*", "hook")
    assert parse(["-p", "--debug", "q"]).prompt == "q"
