"""Generated lines, run by a real bash with harmless stand-ins for programs: whatever it ran, the parse had seen.

Each stand-in writes down its arguments and its directory. Only lines that the parse claims to understand count:
for the others every decision asks.
"""

import random
import shutil
import subprocess
from pathlib import Path

import pytest

from harness.permissions.bash.parse import parse
from harness.permissions.bash.script import Script
from harness.permissions.bash.wrappers import wrapped

TOKENS = [
    "p",
    "q",
    "r",
    "x",
    "\\x",
    "'y'",
    "$'t\\t'",
    "-o",
    "a=1",
    "&&",
    "||",
    ";",
    "|",
    "&",
    "(",
    ")",
    "$(p)",
    "$(",
    "`q`",
    "`",
    ">/dev/null",
    "2>&1",
    "</dev/null",
    ">&2",
    ">&-",
    "E",
    "#",
    "\\",
    '"',
    "'",
    "!",
    "if",
    "then",
    "fi",
    "while",
    "do",
    "done",
    ";;",
    "esac",
    "$i",
    "${i:-p}",
    "$((1))",
    "<(p)",
    "<<<x",
    "*",
    "~",
    "{a,b}",
    "=",
    "time",
    "f()",
    '"$(q)"',
    "2>/dev/null",
    "|&",
    "&>/dev/null",
    "$",
    "{",
    "}",
    "-",
    "--",
]
TOKENS += [
    "p a",
    "q 'b c'",
    'r "d"',
    '"z w"',
    "A=1 p",
    "{ ",
    " ; }",
    "<<E\n",
    "\nE\n",
    "<<'E'\n",
    "<<-E\n",
    "# c",
    "\\\n",
    "\\ ",
]
TOKENS += ["for i in 1 2; do", "case a in a)", "[ a ]", "[[ a ]]", "\n", " ", "\t", "cd a;", "cd b &&"]
STAND_IN = """#!/bin/bash
printf -v said '%s\\2' "$PWD" "${0##*/}" "$@"; printf '%s\\1' "$said" >> "$LOG"
"""
MOVES = ["cd a", "cd b", "cd ..", "cd nope", "p", "p", "p", "command cd a", "time cd b", "cd -- a", "cd ./b/.."]
JOINTS = [" && ", " || ", "; ", " | ", " & ", "\n"]
GROUPS = ["( {} )", "{{ {}; }}", "if {}; then p; fi", "x=$({})", "echo $({})", "{} >/dev/null", "! {}", "{} | p",
          "while {}; do p; break; done", "for i in 1 2; do {}; done", "f() {{ {}; }}; f", "cat <({})", "case a in a) {};; esac"]  # fmt: skip


def soup(rng: random.Random) -> str:
    tokens = [rng.choice(TOKENS) for _ in range(rng.randint(1, 9))]
    return rng.choice([" ", " ", ""]).join(tokens)


def moves(rng: random.Random, depth: int = 2) -> str:
    line = "".join(step + rng.choice(JOINTS) for step in rng.choices(MOVES, k=rng.randint(1, 3))) + rng.choice(MOVES)
    if depth and rng.random() < 0.6:
        return rng.choice(GROUPS).format(moves(rng, depth - 1)) + rng.choice(JOINTS) + line
    return line


@pytest.fixture
def place(tmp_path):
    (tmp_path / "w/a/b").mkdir(parents=True)
    (tmp_path / "w/b").mkdir()
    (tmp_path / "bin").mkdir()
    for name in "pqr":
        (tmp_path / "bin" / name).write_text(STAND_IN)
        (tmp_path / "bin" / name).chmod(0o755)
    return tmp_path


def ran(line: str, place: Path, number: int) -> list[list[str]]:
    """Directory, program and arguments of each stand-in that bash started."""
    log = place / str(number)
    log.touch()
    env = {"PATH": f"{place / 'bin'}:/usr/bin:/bin", "LOG": str(log)}
    silent = subprocess.DEVNULL
    subprocess.run(
        ["bash", "-c", line], env=env, cwd=place / "w", stdin=silent, stdout=silent, stderr=silent,
        timeout=20, check=False,
    )  # fmt: skip
    return [entry.split("\2")[:-1] for entry in log.read_text().split("\1")[:-1]]


def seen(script: Script, directory: str, argv: list[str]) -> bool:
    for command in script.commands:
        if None not in command.cwds and Path(directory) not in command.cwds:
            continue
        for words in wrapped(command.words)[0]:
            if all(word.literal for word in words):
                if [word.text for word in words] == argv:
                    return True
            elif not words[0].literal or words[0].text == argv[0]:
                return True
    return False


def compare(make, seed: int, count: int, place: Path) -> int:
    rng, checked = random.Random(seed), 0
    for number in range(count):
        line = make(rng)
        script = parse(line, place / "w", place)
        if script.unreadable or (make is soup and script.unlisted):
            continue
        for directory, *argv in ran(line, place, number):
            assert seen(script, directory, argv), (line, directory, argv)
            checked += 1
    return checked


bash = pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash here")


@bash
@pytest.mark.parametrize(("make", "count"), [(soup, 500), (moves, 50)])
def test_what_bash_runs_was_seen(make, count, place):
    assert compare(make, 1, count, place) > 10


@bash
@pytest.mark.long
@pytest.mark.parametrize("make", [soup, moves])
def test_what_bash_runs_was_seen_in_long(make, place):
    assert compare(make, random.randrange(1 << 30), 10_000, place) > 300


@bash
@pytest.mark.parametrize(
    "line",
    ['r "d"\\x}', " \\ # c $(q)", "x<<E\n$(q)", "cd b; cd a | p\ncd -- a && cd b", "x <<E\n y `q` \nE\n", "x<<E\n`p`Efi`q`\n", "! if cd a; then p; fi", "p >&- q", "p <<E r\nE", "cd a | p",
     "p 2>&1 x y", "for i in 1 2; do p; cd b; done", "cd a && p | q; r", "p\\\nq", "echo a#$(p)", "! { cd b; p; } && q"],
)  # fmt: skip
def test_lines_that_were_misread_once(line, place):
    script = parse(line, place / "w", place)
    understood = not (script.unreadable or script.unlisted)
    assert all(seen(script, directory, argv) for directory, *argv in ran(line, place, 0)) or not understood
