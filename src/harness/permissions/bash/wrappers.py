"""Programs that run other programs: what is run behind them.

Two readings. For allowing, only the wrappers of `STRIPPED` with options we know are looked through. For denying,
every place where a wrapped program could begin counts.
"""

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

from harness.permissions.bash.words import Word
from harness.permissions.tables import names

# Looked through by allow rules (`conventions.md` 3.2), with their options: (without value, with value, operands).
STRIPPED: dict[str, tuple[str, str, int]] = {
    "timeout": (
        r"--foreground|--preserve-status|--verbose|-v|-k\d\w*|-s\w+|--kill-after=\w+|--signal=\w+",
        "-k|-s|--kill-after|--signal",
        1,
    ),
    "time": (r"-p", "", 0),
    "nice": (r"-n-?\d+|-\d+|--adjustment=-?\d+", "-n|--adjustment", 0),
    "nohup": ("", "", 0),
    "stdbuf": (r"-[ioe](L|\d+\w?)|--(input|output|error)=\w+", "-i|-o|-e", 0),
    "command": ("", "", 0),
    "builtin": ("", "", 0),
    "noglob": ("", "", 0),
    "xargs": ("", "", 0),
}  # fmt: skip
_DURATION = re.compile(r"\d+(\.\d+)?[smhd]?\Z")

# Whose prefix rules approve nothing: only an exact rule does.
EXACT_ONLY = frozenset({"watch", "setsid", "ionice", "flock"})
FIND_ACTIONS = names("-exec -execdir -ok -okdir -delete -fprint -fprint0 -fprintf -fls")
_FIND_RUNS = frozenset({"-exec", "-execdir", "-ok", "-okdir"})

# Programs that run their arguments, and how many operands may stand before those (`_ANY`: any number).
_ANY = 1_000
_MOST_WORDS = 20_000  # in all of them together
_MOST = 100  # argument lists behind one command; more are not searched, and ask
EXEC_WRAPPERS: dict[str, int] = (
    dict.fromkeys(
        names(
            "! { if then elif else while until do coproc "  # as the grammar may leave them
            "time nice nohup stdbuf command builtin noglob env sudo doas watch setsid ionice xargs parallel unshare "
            "nsenter strace ltrace exec caffeinate systemd-run runuser setpriv firejail proxychains "
            "proxychains4 rlwrap unbuffer numactl gdb valgrind perf dbus-run-session xvfb-run fakeroot catchsegv "
            "pkexec gosu su-exec tini dumb-init ts torify torsocks eatmydata cpulimit prlimit choom nocorrect nq tsp"
        ),
        0
    )
    | dict.fromkeys(names("timeout flock taskset chroot chrt ssh faketime su script gosu su-exec sg entr arch"), 1)
    | dict.fromkeys(
        names("npx pnpx bunx npm pnpm yarn bun docker podman nerdctl kubectl mise direnv devbox uv uvx poetry pipenv "
        "pdm hatch conda mamba nix nix-shell pixi rye asdf dotenv bwrap lxc-attach systemd-nspawn machinectl toolbox "
        "distrobox flatpak snap heroku vagrant rush fd fdfind tmux screen"), _ANY
    )
)  # fmt: skip
SHELLS = names("sh bash dash ash zsh ksh mksh fish rbash")
# Their operands are read as shell text, in ways that we do not follow.
REPARSERS = frozenset({"eval", "source", ".", "busybox", "toybox"})


def base(word: Word) -> str:
    return word.text.rsplit("/", 1)[-1]


def strip(words: Sequence[Word]) -> Sequence[Word]:
    """What an allow rule looks at: stripped wrappers removed while every option of theirs is known."""
    while words and words[0].literal and words[0].text in STRIPPED:
        rest = _after(words)
        if rest is None:
            return words
        words = rest
    return words


def _after(words: Sequence[Word]) -> Sequence[Word] | None:
    plain, valued, operands = STRIPPED[words[0].text]
    index = 1
    while index < len(words) and words[index].literal and words[index].text.startswith("-"):
        option = words[index].text
        index += 1
        if option == "--":
            break
        if valued and re.fullmatch(valued, option):
            if index >= len(words) or not words[index].literal:  # it could become the program
                return None
            index += 1
        elif not (plain and re.fullmatch(plain, option)):
            return None
    for _ in range(operands):
        if index >= len(words) or not (words[index].literal and _DURATION.match(words[index].text)):
            return None
        index += 1
    return words[index:] if index < len(words) else None


def wrapped(words: Sequence[Word]) -> tuple[list[Sequence[Word]], bool]:
    """Every argument list that may be run behind wrappers, and whether there were too many to list.

    The command itself is the first. An unknown option may take a value or not, so the words after it count
    both as value and as program.
    """
    if not words:
        return [], False
    found = [0]
    most = max(4, min(_MOST, _MOST_WORDS // len(words)))
    for head in found:  # grows as wrappers are found behind wrappers
        for start in _starts(words, head):
            if start not in found:
                found.append(start)
            if len(found) > most:
                return [words[start:] for start in found], True
    return [words[start:] for start in found], False


def _starts(words: Sequence[Word], head: int) -> Iterator[int]:
    program = base(words[head])
    if program == "find":
        yield from (i + 1 for i in range(head, len(words) - 1) if words[i].text in _FIND_RUNS)
        return
    if program == "git":
        yield from (i + 1 for i in range(head + 1, len(words) - 1) if words[i].text in {"run", "foreach"})
    if program not in EXEC_WRAPPERS:
        return
    operands, after_option = EXEC_WRAPPERS[program], False
    for index in range(head + 1, len(words)):
        text = words[index].text
        if text.startswith("-") or text == ":::":
            after_option = text != "--"
            continue
        if re.match(r"\w+=", text):
            continue
        yield index
        if not after_option:
            operands -= 1
        if operands < 0:
            return
        after_option = False


def shell_texts(words: Sequence[Word]) -> Iterator[str]:
    """Strings among the arguments that some program will run as shell text: `sh -c`, `watch 'x'`, `env -S`."""
    program = base(words[0]) if words else ""
    texts = [word.text for word in words]
    if program in SHELLS:
        options = [i for i, text in enumerate(texts) if re.match(r"-\w*c", text)]
        yield from texts[options[0] + 1 :] if options else ()
    elif program == "git":  # `-c alias.x=!...`, `rebase -x ...`
        yield from (text.partition("=!")[2] for text in texts if "=!" in text)
        yield from (after for before, after in pairwise(texts) if before in {"-x", "--exec"})
    elif program in EXEC_WRAPPERS or program in {"trap", "alias"}:
        several = [text for text in texts[1:] if re.search(r"[\s;&|<>()`$]", text)]
        yield from (text[2:] if re.match(r"-\w", text) else text for text in several)
        yield from (text.partition("=")[2] for text in several if "=" in text)


def reads_commands(words: Sequence[Word]) -> bool:
    """Whether it is a shell that is given no script and no `-c`: it runs what it reads."""
    texts = [word.text for word in words[1:]]
    scripted = any(re.match(r"-\w*c", text) or not text.startswith(("-", "+")) for text in texts)
    return base(words[0]) in SHELLS and (not scripted or "-s" in texts)
