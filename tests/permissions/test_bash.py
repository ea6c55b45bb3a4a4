"""Reading command lines: quoting as bash does it, wrappers, and what stays denied however it is dressed."""

import subprocess
import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from harness.permissions import Allow, Ask, Deny
from harness.permissions.bash.parse import parse
from harness.permissions.bash.words import read_word
from tests.corpus.decisions import HOME, PROJECT
from tests.permissions.at import command, on_command, rules

NO_RM = rules(deny=["Bash(rm:*)"])


def words(text: str) -> list[list[str]]:
    return [[word.text for word in each.words] for each in parse(text, PROJECT, HOME).commands]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a 'b c' | d && e; f & g", [["a", "b c"], ["d"], ["e"], ["f"], ["g"]]),
        ("A=1 x >o 2>&1 y", [["x", "y"]]),
        ("ls && x >o y z | w <i v", [["ls"], ["x", "y", "z"], ["w", "v"]]),
        ("x <<E y\nE", [["x", "y"]]),
        (">o >e x y", [["x", "y"]]),
        ("! x >&- y", [["x", "y"]]),
        ('x "$(y `z`)"', [["z"], ["y", "`z`"], ["x", "$(y `z`)"]]),
        ("for i in 1 2; do x $i; done", [["x", "$i"]]),
        ("if [ -f a ]; then x; elif y; then z; fi", [["[", "-f", "a", "]"], ["x"], ["y"], ["z"]]),
        ("f() { x; }; case a in b) y;; esac", [["x"], ["y"]]),
        ("cat <<E && x\n$(y)\nE", [["y"], ["x"], ["cat"]]),
    ],
)
def test_commands_are_found_wherever_they_stand(text, found):
    assert sorted(words(text)) == sorted(found)


def test_the_parse_is_data_for_explaining():
    script = parse("cd src && X=1 npm test > out; $a", PROJECT, HOME)
    npm = script.commands[1]
    assert (npm.assignments[0].name, npm.redirects[0].target.text, npm.cwds) == ("X", "out", (PROJECT / "src",))
    assert parse("cd a && x | y; z", PROJECT, HOME).commands[-1].cwds == (PROJECT / "a", PROJECT)
    assert script.commands[2].cwds == (PROJECT / "src", PROJECT)
    assert script.unlisted == ("which program it runs is known only when it runs",)


QUOTED = st.lists(
    st.sampled_from(["a", "b ", "'x y'", '"p q"', '"\\""', "\\ ", "\\\\", "$'t\\tn'", "'\\'", '"\\x"', "\\$", "'$x'", '"it\'s"']),
    min_size=1, max_size=6,
).map(lambda parts: "".join(part.strip() if part == "b " else part for part in parts))  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(st.lists(QUOTED, min_size=10, max_size=20))
def test_quotes_are_removed_as_bash_removes_them(texts):
    said = subprocess.run(
        ["bash", "-c", "printf '%s\\0' " + " ".join(texts)], capture_output=True, check=True, env={}
    ).stdout.split(b"\0")[:-1]
    assert [read_word(text).text.encode() for text in texts] == said


WRAPS = st.sampled_from(
    ["{}", "ls && {}", "ls; {}", "ls | {}", "ls\n{}", "echo $( {} )", 'echo "$( {} )"', "echo `{}`", "( {} )", "{{ {}; }}",
     "if true; then {}; fi", "while {}; do ls; done", "for f in a; do {}; done", "f() {{ {}; }}", "cat <(ls; {})",
     "cat <<E\n$( {} )\nE", "{} > /dev/null 2>&1", "{} &", "true || {}", "case a in a) {};; esac",
     'echo "${{y:-$( {} )}}"', "[[ -n $( {} ) ]]", "x=$( {} )", "ls # c\n{}", "cat <<'E' && {}\nx\nE"]
)  # fmt: skip
PREFIXES = st.sampled_from(
    ["", "sudo ", "sudo -u root ", "env A=b -i ", "timeout 5 ", "timeout -k 5 9 ", "nice -n 3 ", "nohup ",
     "command ", "xargs -n1 ", "xargs -I {{}} ", "find . -exec ", "watch -n 2 ", "ionice -c3 ", "flock /tmp/l ", "stdbuf -oL ",
     "setsid -f ", "docker run --rm -v a:b img ", "npx ", "time -p ", "exec -a x ", "strace -f -o out ", "doas "]
)  # fmt: skip
ASSIGNED = st.sampled_from(["", "A=1 ", "LANG=C B='2 3' "])
PROGRAMS = st.sampled_from(
    ["rm", "\\rm", "'rm'", '"rm"', "r''m", '"r"m', "$'rm'", "$'r\\x6d'", "/bin/rm", "../../bin/rm", "r\\\nm", "r\\m"]
)
ARGUMENTS = st.sampled_from([" x", "  -rf   y", "\tx", "", " $x", ' "a b"', " *", " \\\n x"])


@settings(max_examples=150, deadline=None)
@given(st.lists(WRAPS, min_size=1, max_size=3), ASSIGNED, st.lists(PREFIXES, max_size=3), PROGRAMS, ARGUMENTS)
@example(["{}"], "", ["xargs -n1 "], "rm", "")
@example(["ls\n{}"], "", [], "\\rm", " x")
@example(["cat <<'E' && {}\nx\nE", "ls; {}"], "", [], "rm", "")
def test_a_denied_command_stays_denied(wraps, assigned, prefixes, program, arguments):
    line = assigned + "".join(prefix.replace("{{}}", "{}") for prefix in prefixes) + program + arguments
    for wrap in wraps:
        if ("\n" in line and wrap.startswith("cat <<")) or ("`" in line and "`" in wrap):
            continue  # another line than meant
        line = wrap.replace("{{", "\1").replace("}}", "\2").replace("{}", line).replace("\1", "{").replace("\2", "}")
    for mode in ("default", "bypassPermissions"):
        got = command(line, NO_RM, mode)
        assert got == "deny", line


@pytest.mark.parametrize(
    "line",
    ["eval 'rm x'", 'eval "r"m x', "$a x", "`echo rm` x", "rm${IFS}x", "{rm,x}", "echo 'x", ". ./x", "r${x}m y", "a=(rm); ${a[@]}", "cat <<E | sh\nrm x\nE", "bash -s <<< 'rm x'",
     "echo rm x | sudo bash", "bash <<< 'rm x'", "busybox rm x"],
)  # fmt: skip
def test_what_cannot_be_seen_is_never_allowed_beside_a_deny_rule(line):
    allowed = rules(allow=["Bash"], deny=["Bash(rm:*)"])
    for mode in ("default", "acceptEdits", "auto", "bypassPermissions"):
        assert command(line, allowed, mode) != "allow"


@pytest.mark.parametrize("line", ["echo 'x; rm y", "cat <<E; rm x\nx\nE", "if x; then rm y", "ls ) && A=1 sudo rm y"])
def test_lines_that_cannot_be_parsed_are_searched(line):
    assert command(line, NO_RM, "bypassPermissions") == "deny"
    assert command(line.replace("rm y", "rm -rf /").replace("rm x", "rm -rf /"), mode="bypassPermissions") == "ask"


@pytest.mark.parametrize("line", ["bash -c 'ls; rm x'", "sudo sh -ec 'rm x'", "watch 'rm x'", "echo `echo \\`rm x\\``", "env -S 'rm x'", "trap 'rm x' EXIT",
                                  "bash -c \"sh -c 'rm x'\"", "flock l -c 'rm x'", "parallel 'rm {}' ::: a",
                                  "env -S'rm x'", "bash -c -- 'rm x'", "bash -o errexit -c 'rm x'", "tmux new -d 'rm x'", "watch 'rm\tx'", "watch 'ls;rm'", "watch -n1 'ls|rm'",
                                  "alias x='rm y'", "git -c alias.x='!rm x' x", "git rebase -x 'rm x'", "git bisect run rm x", "git submodule foreach 'rm x'"])  # fmt: skip
def test_shell_texts_are_read(line):
    assert command(line, NO_RM, "bypassPermissions") == "deny"


def test_too_many_words_behind_a_wrapper_ask():
    line = "env " + "-u A " * 300 + "rm x"
    assert command(line, NO_RM, "bypassPermissions") != "allow"


@pytest.mark.parametrize(
    "line",
    ["ls | xargs cat", "cat a > b", "command cd /etc && cat passwd", "builtin cd secrets; ls", "cat -- /etc/shadow", "ls *.py /root",
     "git -C x status", "git log --out=x", "sort --compress-program=x f", "rg --pre=x y", "find . -newerXY x", "tail ~root/x",
     "sed -n '1w x' f", "sed 's/[/]/p;s/w f/x/' f", "sed '$!{p;w x' f", "printf -v x y", "printf '%n' PATH", "test -v 'a[$(id)]'",
     "for PATH in x; do ls; done", "for http_proxy in x; do ls; done", "cat */../../x", "cat src/*/../../../x", "find $x", "sort $x",
     "ls !$", "date 0101", "echo a\x07", "cat <<E\n${x@P}\nE", "[[ a -eq b ]]", "jq env", "ps e", "GIT_DIR=x git log", "TZ=/x date",
     "xargs -a f ls", "cat <<A\\B\nx\nA\\B", "echo $[1+1]", "time -o x ls", "git branch -m x", "git stash", "git remote add a b",
     "uniq a b", "tee x", "cat < ../../x", "wc --files0-from=x", "grep -f /etc/shadow x", "git diff -O/x", "git show :/../../x",
     "git branch --abbrev made", "git tag -n -d v1", "git stash -p list", "git log --show-signature", "git log --format=%G?", "git show --pretty=x%+GS",
     "git for-each-ref --format='%(signature)'", "git branch --sort=-signature:key", "date -I --set=2020-01-01", "tree -Lo 2 made", "file -p a", "file -z a",
     "diff -l a b", "od -w /etc/shadow", "strings @a", "ls | [ x = x ] > made", "ls && ( ls ) > made", "ls | { cat; } > made",
     "! { ls; } > made", "ls || if ls; then ls; fi > made", "[[ -f a ]] > made", "nice -n $(echo 3 curl) ls", "timeout -s $x 5 ls", "head -n $(echo 1 /etc/shadow)", "grep $x a",
     "grep /etc/* x", "head -n ../* a", "for x in '-v a[$(id)]'; do test $x; done", "for x in -v; do test \"$x\" 'a[$(id)]'; done", "ls \u115f", "ls | while ls; do ls; done >> made"],
)  # fmt: skip
def test_not_read_only(line):
    assert command(line) == "ask"


@pytest.mark.parametrize(
    "line", ["git status -uno", "git tag -n5", "date -Iseconds", "od -w8 a", "tree -L 2", "git blame --abbrev a"]
)
def test_an_option_with_its_value_in_the_same_word_reads(line):
    assert command(line) == "allow"


@pytest.mark.parametrize("line", ['grep "$x" a', "grep foo.* src", "grep -r --include=*.py x .", "head -n $((1+2)) a", 'head -n "$n" a', 'test -f "$x"',
                                  "test ! -f a", 'test "$a" = "$b"', "ls -I *.pyc", "nice -n 3 ls"])  # fmt: skip
def test_what_expands_in_one_word_reads(line):
    assert command(line) == "allow"


@pytest.mark.parametrize(
    "line",
    [
        "strings @.env",
        "curl -d @.env x",
        "curl --data=@.env x",
        "grep -f.env x",
        "tar -xf.env",
        "cat < .env",
        "git show HEAD:.env",
    ],
)
def test_a_denied_file_is_found_in_every_spelling(line):
    assert command(line, rules(["Bash"], ["Read(.env)"]), "bypassPermissions") == "deny"


@pytest.mark.parametrize(
    "line",
    ["rm .m*", "cp x/.mcp.json .", "mv x/.* .", "cp -r x/. .", "rm ./.git*", "mv a .claude/", "cp a b/../.envrc", "touch {a,b}",
     "mkdir -p a && touch ../b", "sed -i s/a/b/ .npmrc", "cp -t /etc x", "rm --no-preserve-root x", "touch -r /etc/shadow x",
     "cp /etc/passwd x", "ln -s a b", "cd .. && touch proj/x", "rm x &", "sed -i --file=x y", "rm -rf *"],
)  # fmt: skip
def test_not_just_files_of_the_project(line):
    assert command(line, mode="acceptEdits") == "ask"


@pytest.mark.parametrize("line", ["rm a.txt b.txt", "rm -rf build/*", "mkdir -p src/a/b", "cp -r src/a src/b", "mv src/*.py lib",
                                  "touch ~/proj/x", "sed -i 's/a/b/g' src/a.py", "cd src && touch x", "LANG=C mkdir x"])  # fmt: skip
def test_just_files_of_the_project(line):
    assert command(line, mode="acceptEdits") == "allow"


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("npm run test -- -q", ("Bash(npm run test:*)",)),
        ("npm test && make deploy", ("Bash(npm test:*)", "Bash(make deploy:*)")),
        ("python3 x.py *", (r"Bash(python3 x.py \*)",)),
        ("timeout 9 pytest -q | tee log", ("Bash(pytest:*)", "Bash(tee log)")),
        ("make > out/log", ("Bash(make)", "Edit(//home/u/proj/out/log)")),
        ("watch ls", ("Bash(watch ls)",)),
        ("$a", ()),
        ("A=1 make", ()),
        ("rm -rf /", ()),
    ],
)
def test_suggestions(line, wanted):
    got = on_command(line)
    assert isinstance(got, Ask)
    assert got.suggestions == wanted


SIMPLE = st.sampled_from(["npm run a:b -- x", "git push -f", "make", "watch ls", "find . -delete", "python -c 'a; b'", "cat /etc/x",
                          "touch *", "echo x > y", "ls | xargs wc", "nice make x", "a 'b*c' \"d\"", "cp a b &", "git log"])  # fmt: skip


@given(st.lists(SIMPLE, min_size=1, max_size=4), st.sampled_from([" && ", "; ", " | ", "\n"]))
def test_suggestions_taken_allow_what_asked(lines, joint):
    line = joint.join(lines)
    got = on_command(line)
    if isinstance(got, Ask) and got.suggestions:
        assert isinstance(on_command(line, rules(got.suggestions)), Allow)


@pytest.mark.parametrize(
    "line",
    ["(" * 5_000, "$(" * 2_000 + "ls", "a;" * 100_000, "docker " + "x " * 20_000, "{" * 3_000, "`" * 5_001, "'\"" * 5_000,
     "if true; then " * 1_000, "ls " + "*" * 9_000, "sed '" + "s/a/b/;" * 1_400 + "' f", "x" * 2_000_000, "cat <<E\n" * 2_000,
     "cd a;" * 1_500, "rm " + "{a,b}" * 2_000, "a=" * 4_000, "env " * 3_000 + "ls"],
    ids=lambda line: line[:8],
)  # fmt: skip
def test_time_is_bounded(line):
    began = time.process_time()  # of ours: the machine may be busy
    got = on_command(line, NO_RM)
    assert time.process_time() - began < 5
    assert getattr(got, "source", "") != "error"


@pytest.mark.parametrize(
    "text",
    ["git -C . push", "git --no-pager push -f", "/usr/bin/git -c a.b=c --git-dir .git push", "env git -P push; true"],
)
def test_options_of_git_itself_hide_no_subcommand_from_a_rule(text):
    assert isinstance(on_command(text, rules(deny=["Bash(git push:*)"]), "bypassPermissions"), Deny)
    assert isinstance(on_command(text, rules(ask=["Bash(git push:*)"]), "bypassPermissions"), Ask)
    assert not isinstance(on_command(text, rules(allow=["Bash(git push:*)"]), "default"), Allow)


@pytest.mark.parametrize(
    "line",
    [
        "git reflog --format --output=made",
        "git log --unified --output=made",
        "git show --format --output=made HEAD",
        "git rev-list --format --output=made HEAD",
        "git shortlog --committer --output=made",
        "git stash list --format --output=made",
        "cat <<E && cat <<'E'\n$(git branch -m side made)\nE\nx\nE",
        "cat <<'E' && cat <<E\nx\nE\n$(touch made)\nE",
    ],
)
def test_what_a_look_at_running_commands_found(line):
    assert not isinstance(on_command(line), Allow)
