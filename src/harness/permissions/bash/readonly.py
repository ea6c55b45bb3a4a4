"""Commands that only read: which they are, and what they read.

A list of what may pass, never of what may not: an option, a form or an expansion that is not on it asks.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from harness.permissions.bash.git import judge_git
from harness.permissions.bash.options import Spec, parse_options
from harness.permissions.bash.programs import READERS
from harness.permissions.bash.words import Word
from harness.permissions.tables import names

# What may stand in an argument of a command none of whose options can do harm.
_HARMLESS = frozenset({"variable", "substitution", "arithmetic", "glob", "tilde"})


@dataclass(frozen=True, slots=True)
class Reading:
    """A command that only reads. `paths`: what it opens, as written; `deep`: with all below.

    `mentions` are operands that may be paths or not (git's revisions): checked, but not required to exist.
    """

    paths: tuple[Word, ...] = ()
    deep: bool = False
    mentions: tuple[str, ...] = ()
    is_git: bool = False


HERE = Word(".", ".")


def judge(words: Sequence[Word]) -> Reading | str:
    """What a command reads, or why it is not known to only read. Names of programs only, never paths to them."""
    if not words or not words[0].literal:
        return "the program is not known"
    name = words[0].text
    for word in words:
        if word.loose & {"brace", "history", "complex", "unsure"}:
            return "an expansion could become anything"
    special = _SPECIAL.get(name)
    if special:
        return special(words)
    spec = READERS.get(name)
    if spec is None:
        return f"`{name}` is not on the list of read-only commands"
    return _by_spec(name, spec, words[1:])


def _by_spec(name: str, spec: Spec, arguments: Sequence[Word]) -> Reading | str:
    loose = frozenset[str]().union(*(word.loose for word in arguments))
    if not loose <= (_HARMLESS if spec.free else {"tilde"}):
        return f"an expansion could become an option of `{name}`"
    if spec.operands == "echo":
        return Reading()
    parsed = parse_options(spec, [word.text for word in arguments])
    if parsed is None:
        return f"an option of `{name}` is not on its read-only list"
    operands = [arguments[i] for i in parsed.operands]
    if spec.operands == "none" and operands:
        return f"`{name}` with an operand may change something"
    if spec.operands == "date" and any(not word.text.startswith("+") for word in operands):
        return "`date` with an operand sets the clock"
    if len(operands) > spec.most:
        return f"`{name}` writes to its second operand"
    if spec.operands not in {"paths", "pattern"}:
        return Reading()
    if spec.operands == "pattern" and not parsed.used & {"e", "regexp", "files", "type-list"}:
        operands = operands[1:] if operands and operands[0].whole else operands
    operands += [word for i, word in enumerate(arguments) if i not in parsed.operands and not _one_option(word)]
    if any(word.loose - {"glob", "tilde"} for word in operands):
        return "which file it reads is known only when it runs"
    deep = spec.deep == "*" or bool(
        parsed.used & {*spec.deep, "recursive", "dereference-recursive", "directories"} and spec.deep
    )
    if not operands and (spec.implicit or deep):
        operands = [HERE]
    return Reading(tuple(word for word in operands if word.text != "-"), deep)


def _one_option(word: Word) -> bool:
    """Whether an option or its value stays one word; else some of it could become a file to read."""
    return word.whole or (word.text.startswith("-") and word.loose <= {"glob", "tilde"})


# ---- programs that options alone do not decide


def _git(words: Sequence[Word]) -> Reading | str:
    if any(not word.literal for word in words):
        return "an expansion could become an option of `git`"
    operands = judge_git([word.text for word in words])
    return operands if isinstance(operands, str) else Reading(mentions=operands, is_git=True)


_FIND_TESTS = names(
    "-name -iname -path -ipath -wholename -iwholename -regex -iregex -lname -ilname -type -xtype -size -mtime -atime "
    "-ctime -mmin -amin -cmin -newer -anewer -cnewer -user -group -uid -gid -perm -links -inum -samefile -maxdepth "
    "-mindepth -regextype -fstype -used -printf"
)
_FIND_PLAIN = names(
    "-print -print0 -ls -prune -quit -depth -d -empty -executable -readable -writable -true -false -nouser -nogroup "
    "-mount -xdev -daystart -follow -noleaf -not -a -and -o -or ! ( ) , -nowarn -warn -ignore_readdir_race"
)


def _find(words: Sequence[Word]) -> Reading | str:
    if any(word.loose - {"tilde"} for word in words):
        return "an expansion could become an action of `find`"
    texts = [word.text for word in words]
    index = 1
    while index < len(texts) and texts[index] in {"-H", "-L", "-P"}:
        index += 1
    first = index
    while index < len(texts) and not (texts[index].startswith("-") or texts[index] in {"!", "(", ")", ","}):
        index += 1
    paths = tuple(words[first:index])
    while index < len(texts):
        if texts[index] in _FIND_TESTS and index + 1 < len(texts):
            index += 2
        elif texts[index] in _FIND_PLAIN:
            index += 1
        else:
            return f"`find {texts[index]}` is not on the read-only list"
    return Reading(paths or (HERE,), deep=True)


_ADDRESS = r"(?:\d+(?:~\d+)?|\$|/(?:\\.|\[\^?\]?[^\]/\n]*\]|[^/\\\n\[])+/I?)"
_SED_SCRIPT = re.compile(
    rf"(?:[\s;]*(?:{_ADDRESS}(?:\s*,\s*(?:{_ADDRESS}|[+~]\d+))?\s*!?\s*)?"
    r"(?:[pPdDgGhHxnNlq=]|s(?P<d>[/|#,:@%!_+])(?:\\.|\[\^?\]?(?:(?!(?P=d))[^\]\n])*\]|(?!(?P=d))[^\\\n\[])*(?P=d)"
    r"(?:\\.|(?!(?P=d))[^\\\n])*(?P=d)[gpiI0-9]*)\s*(?=[;\n]|\Z))+[\s;]*\Z"
)
_SED = Spec(
    "nErsuzl:", "quiet silent regexp-extended separate unbuffered null-data line-length= posix debug help version"
)
_SED_IN_PLACE = re.compile(r"-(i\S*|[nErsuz]+i)\Z|--in-place(=\S*)?\Z")


def sed_operands(words: Sequence[Word]) -> tuple[tuple[Word, ...], bool] | str:
    """The files of a sed call and whether it edits them in place; why not, where a script could do more."""
    if any(word.loose - {"tilde"} for word in words):
        return "an expansion could become part of sed's script"
    scripts: list[str] = []
    rest: list[Word] = []
    in_place, index = False, 1
    while index < len(words):
        text = words[index].text
        if text in {"-e", "--expression", "-ne"} and index + 1 < len(words):
            scripts.append(words[index + 1].text)
            index += 1
        elif text.startswith("--expression="):
            scripts.append(text.partition("=")[2])
        elif _SED_IN_PLACE.match(text) and "/" not in text and "*" not in text:
            in_place = True
        else:
            rest.append(words[index])
        index += 1
    parsed = parse_options(_SED, [word.text for word in rest])
    if parsed is None:
        return "an option of `sed` is not on its read-only list"
    operands = [rest[i] for i in parsed.operands]
    if not scripts and operands:
        scripts.append(operands.pop(0).text)
    if not scripts or not all(len(script) < 1_000 and _SED_SCRIPT.match(script) for script in scripts):
        return "sed's script may write files or run programs"
    return tuple(operands), in_place


def _sed(words: Sequence[Word]) -> Reading | str:
    found = sed_operands(words)
    if isinstance(found, str):
        return found
    return "`sed -i` writes" if found[1] else Reading(found[0])


def _printf(words: Sequence[Word]) -> Reading | str:
    first = words[1].text if len(words) > 1 else ""
    if first.startswith("-") or any(word.loose - _HARMLESS for word in words):
        return "`printf` with an option may assign"
    if len(words) > 1 and (not words[1].literal or re.search(r"%[^a-zA-Z%]*n", first)):
        return "the format of `printf` may assign"
    return Reading()


def _strings(words: Sequence[Word]) -> Reading | str:
    if any(word.text.startswith("@") for word in words):
        return "`strings` reads options from a file"
    return _by_spec("strings", READERS["strings"], words[1:])


_UNARY = names("-b -c -d -e -f -g -h -k -n -p -r -s -u -w -x -z -L -S -G -N -O -t")  # -v and -R evaluate a subscript
_BINARY = names("= == != < > -eq -ne -lt -le -gt -ge -nt -ot -ef")


def _test(words: Sequence[Word]) -> Reading | str:
    """A variable may hold an operator, so that only forms whose operator is written count."""
    terms = words[1:] if words[0].text == "test" else words[1:-1]
    if len(terms) > 1 and terms[0].raw == "!":
        terms = terms[1:]
    unary = len(terms) == 2 and terms[0].literal and terms[0].text in _UNARY
    binary = len(terms) == 3 and terms[1].literal and terms[1].text in _BINARY
    one = len(terms) < 2 or unary or binary
    if not one or not all(word.whole and not word.loose - {"variable", "tilde"} for word in terms):
        return "this test may execute something"
    if words[0].text == "[[" and any(word.loose for word in words):
        return "this test may execute something"
    return Reading()


def _cd(words: Sequence[Word]) -> Reading | str:
    """Following it is `flow`'s work; that the place is allowed is checked as for a read."""
    targets = tuple(word for word in words[1:] if word.text not in {"--", "-P", "-L"})
    if len(targets) != 1 or targets[0].text.startswith("-") or targets[0].loose - {"tilde"}:
        return "where `cd` leads is not known"
    return Reading(targets)


def _command(words: Sequence[Word]) -> Reading | str:
    if len(words) == 3 and words[1].text in {"-v", "-V"}:
        return Reading()
    return "`command` with these options is not on the read-only list"


_SPECIAL: dict[str, Callable[[Sequence[Word]], Reading | str]] = {
    "git": _git, "find": _find, "sed": _sed, "printf": _printf, "test": _test, "[": _test, "[[": _test,
    "cd": _cd, "command": _command, "strings": _strings,
}  # fmt: skip
PROGRAMS = READERS.keys() | _SPECIAL.keys()
