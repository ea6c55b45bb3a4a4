"""Bash lines from a seeded grammar: programs that read, with every option we list for them, and ways to do more.

Half of it is what a model writes, half what somebody would write who wants `touch made` to run unasked.
"""

import shlex
from collections.abc import Callable
from random import Random

from harness.permissions.bash.git import SUBCOMMANDS
from harness.permissions.bash.options import Spec
from harness.permissions.bash.programs import READERS

FILES = ["src/a.py", "src/b.txt", "README.md", "'with space.txt'", "data.csv", "./src", ".", "src/../data.csv", "*.md",
         "src/*", "*", "-", "-- data.csv", "nope", "/dev/null", "~", "~/.profile", "/etc/hosts", "$x", '"$x"', "link", "$(echo -o made)", '"$(echo made)"']  # fmt: skip
PATTERNS = ["def", "'a.*b'", "-e x", "x", "'[a-z]'", '"two words"', "^$", "made"]
VALUES = ["1", "3", "x", "made", "-o", "-omade", "--output=made", "--set=2020-01-01", "touch", "'%H'", "'%G?'", "-i", "-d", "','", "name",
          "=", "+2", "-1", "always", "src", "'1,2'", "x1", "1c", "0", "l", "2M", "'signature'"]  # fmt: skip
REVISIONS = ["HEAD", "main", "v1", "HEAD~1", "-- src", "src/a.py", ":src/a.py", "HEAD:README.md", "made", "side", "stash@{0}",
             "list", "show", "add x y", "expire --all", "push", "-d v1", "prune", "exists", "HEAD..side", "'*'", "signed"]  # fmt: skip
DANGERS: dict[str, list[str]] = {
    "sort": ["-o made", "-omade", "-uo made", "--output=made", "--outp made", "--compress-program=touch", "-S1b --compress-prog touch",
             "-T made", "--files0-from=data.csv", "-to made", "-k1 -o made", "-ko made"],
    "find": ["-delete", "-exec touch made ';'", "-exec touch made {} +", "-fprint made", "-fls made", "-fprintf made x", "-okdir touch made ';'",
             "-name x -o -delete", "-printf '%p' -fprint0 made", "-name -delete", "-newermt 2020-01-01", "-files0-from x", "\\( -delete \\)"],
    "sed": ["-i", "-i.bak", "-ni", "--in-place", "--in-pl", "-s -i p", "-e 'w made'", "'1e touch made'", "'s/a/b/w made'", "p -i",
            "'s/.*/touch made/e'", "-f src/b.txt", "-n '$!{w made' -e '}'", "'r x'", "-l -i p", "-l 3 'w made'", "'/x/,/y/w made'",
            "'s/[/]/w made/'", "-n 'p;w made'", "'a\\' -e 'w made'", "'1!W made'", "-E 's/(a)/b/gw made'", "'s,x,y,;w made'", "--expression='w made'",
            "'y/a/b/;w made'", "'s/a/b/pe'", "-z e", "'s/a\\/w made/b/'", "'s/\\n/w made/;p'", "'#n'", "'l;1q;w made'", "'/[/]w made/p'"],
    "rg": ["--pre=touch x", "--pre touch x", "-z x", "--search-zip x", "--hostname-bin=touch x", "--pre-glob '*' x", "-f data.csv"],
    "date": ["-s 2020-01-01", "--set=2020-01-01", "-I --set=2020-01-01", "-Iseconds", "-f data.csv", "-r made", "01010101"],
    "file": ["-C", "-m made src", "-z data.csv", "-p src/a.py", "-f data.csv"],
    "uniq": ["src/a.py made", "- made", "-c src/a.py made", "-f 1 src/a.py made", "-- src/a.py made", "+1 made"],
    "diff": ["-l src/a.py src/b.txt", "--paginate src/a.py src/b.txt", "--to-file=made src/a.py", "--from-file=x y"],
    "tree": ["-o made", "-Lo 2 made", "-Po x made", "--output made", "-R -H . -L 1"],
    "hostname": ["made", "-F data.csv", "-b made"],
    "printf": ["-v PATH x", "'%n' x", "-vPATH x", "'%(%s)T'"],
    "tail": ["-c +1", "--pid=1 -n1", "-F made"],
    "column": ["--json", "-J"],
    "echo": ["$(touch made)", "`touch made`", '"$(touch made)"', "${x:-$(touch made)}", "$((x[$(touch made)]))", "${x:=made}", "> made",
             "<(touch made)", "${x@P}", "$[x]", "!!", "${!x}", "$'\\x3e' made", '"${x:-`touch made`}"', "\\$(touch made)", "'$(touch made)'"],
    "grep": ["-f data.csv", "--file=x", "-P '(?{touch})'"],
    "ls": ["--color=always", "-D", "--dired"],
    "stat": ["--printf='%n'"],
    "test": ["-v 'a[$(touch made)]'", "-f src/a.py", "x -eq 'a[$(touch made)]'", "-R x"],
    "[": ["-f src/a.py ]", "-v 'a[$(touch made)]' ]", "x = x ]", "'a[$(touch made)]' -eq 0 ]"],
    "[[": ["-f src/a.py ]]", "'a[$(touch made)]' -eq 0 ]]", "x == $(touch made) ]]", "x =~ ^x ]]"],
    "cd": ["src", "..", "-", "~", "src && cd ..", ".git", "$x", "/tmp", "-P src"],
    "command": ["-v ls", "-V touch", "-p touch made", "touch made", "ls", "-- touch made"],
    "git": ["log --output=made", "diff --outp=made HEAD~1", "diff --output made HEAD~1", "grep -Otouch def", "grep -O touch def",
            "grep --open-files-in-pager=touch def", "grep --open=touch def", "log --show-signature signed", "log --format=%G? signed",
            "log -1 --pretty=format:%GK signed", "log --pretty %GG signed", "show -s --format='x%+GS' signed", "-c core.pager=touch -p log",
            "-p log", "-C src log", "--git-dir=.git log", "--exec-path=src log", "log --ext-diff -p", "log --textc -p", "branch made",
            "branch -D side", "branch --del side", "branch -m side made", "tag made", "tag -d v1", "tag -n -d v1", "tag -l -n -d v1", "tag --del v1",
            "tag --points-at HEAD -n -d v1", "stash", "stash push", "stash pop", "stash show -p", "stash list", "stash drop", "stash clear",
            "config user.name made", "config --get x", "remote add made x", "remote -v", "remote show", "remote prune x", "fetch", "pull", "push",
            "reflog expire --all", "reflog delete HEAD@{0}", "reflog show side", "worktree add made", "worktree list", "worktree prune", "gc",
            "checkout side", "checkout -- src", "switch side", "reset HEAD", "restore src", "clean -fd", "add .", "rm data.csv",
            "commit -m x --allow-empty", "update-index --refresh", "update-ref -d HEAD", "symbolic-ref HEAD made", "notes add -m x", "pack-refs --all",
            "apply data.csv", "am x", "archive -o made HEAD", "archive HEAD", "bundle create made HEAD", "format-patch -1", "difftool", "mergetool",
            "mv data.csv made", "init made", "clone . made", "submodule status", "hash-object -w data.csv", "write-tree", "rev-parse --parseopt",
            "bisect start", "for-each-ref --shell", "for-each-ref --format='%(signature)'", "cat-file --textconv HEAD:README.md", "cat-file --batch",
            "cat-file -p HEAD", "ls-remote .", "ls-files --with-tree=HEAD", "shortlog HEAD", "describe --broken", "describe --dirty --tags", "blame --contents made x",
            "rev-list --all --objects", "diff-index HEAD", "diff-files", "check-ignore --stdin", "help log", "alias", "lg", "whatchanged -n1", "status -s",
            "diff --no-index data.csv README.md", "log -L1,2:src/a.py", "log -S def -G x", "diff --submodule=log", "range-diff x", "var GIT_EDITOR", "--version"],
}  # fmt: skip
DOERS = ["touch made", "nice -n $(echo 3 touch made) ls", "timeout -s $x 1 ls", "timeout -k $(echo 1 2 touch made) ls",
         "for x in '-v a[$(touch${IFS}made)]'; do test $x; done", "for x in -v; do test \"$x\" 'a[$(touch made)]'; done",
         "for x in '-o made' '--output=made'; do sort $x; git log $x; ls $x; done", "cp data.csv made", "tee made", "rm data.csv", "mkdir made", "awk 'BEGIN{system(\"touch made\")}'", "tar cf made src", "env touch made",
         "tar -tf x --checkpoint=1 --checkpoint-action=exec=touch", "eval 'touch made'", "export PATH=src", "exec touch made", ". src/b.txt", "source src/b.txt",
         "trap 'touch made' EXIT", "mapfile -C 'touch made' -c1 x", "alias ls=touch", "hash -p /usr/bin/touch ls", "read x", "bash -c 'touch made'", "sh x",
         "xargs touch", "xargs -n1 touch", "coproc touch made", "declare x=1", "local x", "set -x", "shopt -s expand_aliases", "unset x", "enable -f x y",
         "python3 -c 'open(\"made\",\"w\")'", "perl -e 'system q(touch made)'", "env", "dd if=data.csv of=made", "less README.md", "man ls", "history -w made",
         "fc -e touch", "let 'x=a[$(touch made)]'", "ulimit -n 9", "umask 0", "kill 0", "ps e", "xxd data.csv made", "split data.csv made", "base64 data.csv",
         "gzip -k data.csv", "zip made data.csv", "ln -s src made", "chmod +x data.csv", "truncate -s0 data.csv", "gpg --version", "nl data.csv", "jq . data.csv",
         "ed made", "vi made", "watch ls", "ping x", "curl x", "ssh x touch made", "sudo touch made", "make made", "tac data.csv", "shuf -o made data.csv",
         "csplit data.csv 1", "pr data.csv", "tsort data.csv", "logger x", "crontab -l", "compgen -C 'touch made' x", "complete -C x", "bind -x x", "getopts x y",
         "if", "time touch made", "! touch made", "\\touch made", "to''uch made", "$'touch' made", "t=touch; $t made", "builtin eval 'touch made'"]  # fmt: skip
WRAPPERS = ["timeout 2", "timeout -k 1 2", "timeout --signal=KILL 2", "timeout -s TERM 1s", "nice", "nice -n 3", "nice -5", "nohup", "stdbuf -oL", "stdbuf -o L",
            "command", "builtin", "time", "time -p", "\\time", "\\time -o made", "xargs", "xargs -0", "xargs -a data.csv", "env", "env -i", "A=1", "LANG=C", "PATH=src",
            "LD_PRELOAD=./x", "GIT_PAGER=touch", "TZ=UTC", "LC_ALL=C TZ=x", "IFS=o", "NO_COLOR=1", "GIT_EXTERNAL_DIFF=touch", "!", "setsid", "ionice -c3",
            "timeout 1 nice nohup", "BASH_ENV=src/b.txt", "x=1", "CI=$(touch made)", "TERM=a`touch made`", "LANG=~/x", "noglob", "nice timeout 1 stdbuf -eL"]  # fmt: skip
REDIRECTS = [">/dev/null", "2>/dev/null", "2>&1", "&>/dev/null", "</dev/null", "< data.csv", ">&2", "2>&-", "> made", ">> made", ">made", "2>made", "&>made",
             "&>>made", ">|made", "<>made", ">&made", "> $x", "> 'made'", "<<<x", "<<<$(touch made)", "3>made", "{fd}>made", "> /dev/stdout", ">/dev/null made",
             "< <(touch made)", "> >(touch made)", "<nope", ">~/made", ">/tmp/made", "2>&1 >made", ">*", ">/dev/fd/1", "<&0", ">src/../made", "1>&2"]  # fmt: skip
JOINTS = [" && ", " || ", "; ", " | ", "\n", " |& ", " & ", ";", "|", " &&\n", " \\\n| "]
GROUPS = ["( {} )", "{{ {}; }}", "if {}; then {}; fi", "for f in {w}; do {}; done", "for f in 1 2; do {} $f; done", "while {}; do {}; break; done",
          "until {}; do break; done", "case {w} in {w}) {};; *) {};; esac", "echo $({})", 'echo "$({})"', "cat <({})", "x=$({})", "echo `{}`", "f() {{ {}; }}; f",
          "function f {{ {}; }}; {}", "! {}", "{} # {}", "cat <<E\n{}\nE", "cat <<'E'\n$({})\nE", "cat <<E\n$({})\nE", "cat <<-E\n\t`{}`\n\tE", "cat <<E && {}\nx\nE",
          "cat <<\"E\" | {}\nE\n", "[ -f src/a.py ] && {}", "[[ -f src/a.py ]] && {}", "echo '{}'", 'echo "{}"', "test -n \"$({})\"", "for f in $({}); do echo $f; done",
          "for ((i=0;i<1;i++)); do {}; done", "select f in x; do {}; done", "if [ -d src ]; then {}; else {}; fi", "{} > /dev/null; {}", "(( x[$({})] ))", "head -n $({}) data.csv",
          "ls {{a,$({})}}", "echo ${{x:-$({})}}", "cat < <({})", "time {}", "coproc {}", "{} <<< \"$({})\"", "true && {} || {}", "case $({}) in *) {};; esac",
          "cat <<E\n${{x:-`{}`}}\nE", "cat <<E\\\n{}\nE", "echo \\\n{}", "ls 'x\ny' && {}"]  # fmt: skip
PARTS = ["ls", "cat data.csv", "touch made", "$(", ")", "`", "'", '"', "<<E\n", "\nE\n", ">", "/dev/null", ";", "|", "&", "&&", "{ ", " }", "(", "#", "\\",
         "\n", "$x", "if", "then", "fi", "for i in 1; do", "done", "case x in x)", "esac", ";;", "!", "=", "<(", "2>&1", "echo", "$'", "${", "}", "[", "]",
         "[[", "]]", "*", "~", "<<<", "head", "-n1", "\t", " "]  # fmt: skip


def line(rng: Random) -> str:
    """One command line."""
    return _soup(rng) if rng.random() < 0.1 else _statement(rng, 2)


def _soup(rng: Random) -> str:
    return rng.choice([" ", " ", ""]).join(rng.choices(PARTS, k=rng.randint(2, 9)))


def _statement(rng: Random, depth: int) -> str:
    roll = rng.random()
    if depth and roll < 0.2:
        return rng.choice(JOINTS).join(_statement(rng, depth - 1) for _ in range(rng.randint(2, 3)))
    if depth and roll < 0.38:
        group = rng.choice(GROUPS)
        while "{}" in group.replace("{{}}", ""):
            group = group.replace("{}", _statement(rng, depth - 1).replace("{", "{{").replace("}", "}}"), 1)
        return group.replace("{w}", rng.choice(FILES + PATTERNS)).replace("{{", "{").replace("}}", "}")
    return _simple(rng)


def _simple(rng: Random) -> str:
    said = rng.choice(DOERS) if rng.random() < 0.06 else _call(rng)
    if rng.random() < 0.12:
        said = f"{rng.choice(WRAPPERS)} {said}"
    for _ in range(2):
        if rng.random() < 0.12:
            said = f"{said} {rng.choice(REDIRECTS)}"
    return _dressed(rng, said) if rng.random() < 0.15 else said


def _call(rng: Random) -> str:
    program = rng.choice([*READERS, *["git"] * 14, *["find", "sed", "sort", "rg"] * 4, *DANGERS])
    if program in DANGERS and rng.random() < (0.3 if program in READERS or program == "git" else 0.6):
        more = f" {rng.choice(FILES)}" if rng.random() < 0.3 and program != "git" else ""
        return f"{program} {rng.choice(DANGERS[program])}{more}"
    if program == "git":
        name = rng.choice(list(SUBCOMMANDS))
        globals_ = rng.choice(["", "", "", "--no-pager ", "-P ", "--no-optional-locks "])
        return f"git {globals_}{name} {_arguments(rng, SUBCOMMANDS[name], REVISIONS)}"
    if program in READERS:
        spec = READERS[program]
        pool = PATTERNS if spec.operands in {"text", "pattern", "echo"} else FILES
        return f"{program} {_arguments(rng, spec, pool)}{' ' + rng.choice(FILES) if spec.operands == 'pattern' else ''}"
    shape = _SHAPES.get(program)
    return shape(rng) if shape else f"{program} {rng.choice(FILES)}"


def _arguments(rng: Random, spec: Spec, operands: list[str]) -> str:
    """Options off the list in every spelling, operands among them."""
    words = [_option(rng, spec) for _ in range(rng.choice([0, 1, 1, 2, 2, 3]))]
    words += [rng.choice(operands) for _ in range(rng.choice([0, 1, 1, 2]))]
    if rng.random() < 0.3:
        rng.shuffle(words)
    return " ".join(word for word in words if word)


def _option(rng: Random, spec: Spec) -> str:
    if spec.names and (rng.random() < 0.5 or not spec.letters):
        name = rng.choice(list(spec.names))
        if name in {"help", "follow", "retry"}:
            return ""
        short = name[: rng.randint(3, len(name))] if rng.random() < 0.1 and len(name) > 3 else name
        joined = rng.choice(["", "=" + rng.choice(VALUES), " " + rng.choice(VALUES)])
        return f"--{short}{joined if spec.names[name] or rng.random() < 0.1 else ''}"
    letters = [letter for letter in spec.letters if letter not in "fF"] or ["x"]
    cluster = "".join(rng.choices(letters, k=rng.choice([1, 1, 2, 3])))
    if rng.random() < 0.06:
        cluster += rng.choice("oiOefTCdDmpc")
    return f"-{cluster}{rng.choice(['', '', '1', ' ' + rng.choice(VALUES), rng.choice(VALUES)])}"


def _find(rng: Random) -> str:
    tests = ["-name '*.py'", "-type f", "-size +1k", "-newer data.csv", "-maxdepth 2", "-perm /u+x", "-print0", "-ls", "-prune", "-o -print",
             "! -name x", "\\( -name x -o -name y \\)", "-printf '%p\\n'", "-regex '.*x'", "-empty", "-path './.git' -prune", "-exec echo {} ';'", "-delet"]  # fmt: skip
    return f"find {rng.choice(['', '.', 'src', '-L .', '*', '~', '/etc', '$x', '-O3 .', '-D all .'])} {' '.join(rng.choices(tests, k=rng.randint(0, 3)))}"


def _sed(rng: Random) -> str:
    options = rng.choice(["", "-n ", "-E ", "-nE ", "-s ", "--debug ", "-z ", "-u ", "-l 5 ", "--posix "])
    pieces = ["1", "$", "2,$", "/a/", "p", "d", "q", "s/a/b/g", "s|a|b|p", ";", "\n", "w made", "e", "=", "!", "{", "}", "s/[/]/x/", "I", "y/a/b/", "\\", "/", "n", "x"]  # fmt: skip
    script = "".join(rng.choices(pieces, k=rng.randint(1, 5)))
    return f"sed {options}{rng.choice(['', '-e '])}{shlex.quote(script)} {rng.choice(FILES)}"


def _printf(rng: Random) -> str:
    return (
        f"printf {rng.choice(['%s', chr(39) + '%s %d' + chr(39), '-v x', '--', 'x', '%b', '$x'])} {rng.choice(VALUES)}"
    )


_SHAPES: dict[str, Callable[[Random], str]] = {"find": _find, "sed": _sed, "printf": _printf}


def _dressed(rng: Random, said: str) -> str:
    """The same line with its first word quoted, or its blanks stretched, or a line joined."""
    head, blank, rest = said.partition(" ")
    cut = rng.randint(0, len(head))
    heads = [f"'{head}'", f'"{head}"', f"\\{head}", f"{head[:cut]}''{head[cut:]}", f"{head[:cut]}\\\n{head[cut:]}", f"/usr/bin/{head}", f"{head} \\\n", f"\t{head}  ", f"$'{head}'"]  # fmt: skip
    return f"{rng.choice(heads)}{blank}{rest}"
