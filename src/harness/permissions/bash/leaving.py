"""Commands that cannot do their work in the sandbox: those that settings name, and git where it writes its own
configuration, speaks ssh or signs. Read from the parse, before anything runs. Pure.

Only plain forms count: a git whose options set its configuration or its place is no such command, since what it
would do outside is not what its name says.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from harness.permissions.bash.forms import one_spaced
from harness.permissions.bash.script import Command, Script
from harness.permissions.wildcard import command_match

_READS_CONFIG = frozenset({"get", "list", "get-all", "get-regexp", "get-urlmatch", "get-color", "get-colorbool"})
_ELSEWHERE = ("-f", "--file", "--blob")  # a file that is named is an ordinary one
_REMOTE_FORMS = frozenset({"add", "rename", "remove", "rm", "set-url", "set-branches"})
_SUBMODULE_FORMS = frozenset({"add", "init", "sync", "deinit", "absorbgitdirs"})
_SSH = frozenset({"push", "fetch", "pull", "clone", "ls-remote"})
_VALUED = frozenset({"-o", "--push-option", "--repo", "--receive-pack", "--exec", "--depth", "-b", "--branch", "-j"})
_SIGNERS = frozenset({"commit", "merge", "rebase", "cherry-pick", "revert", "am", "pull"})
_SETS = frozenset({"--add", "-e", "--edit", "--replace-all", "--rename-section", "--remove-section"})
_SETS |= {"--unset", "--unset-all"}
_TEXTUAL = frozenset("mFoXjCct")
_BESIDE = frozenset({"cd", "git", "echo", "pwd", "true"})  # may stand on the same line
_SAFE_GLOBALS = frozenset({"--no-pager", "-P", "--no-optional-locks", "--literal-pathspecs"})


@dataclass(frozen=True, slots=True)
class GitConfig:
    """What of git's configuration matters here: keys as git lists them (`remote.origin.url`), all values of each."""

    values: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def last(self, key: str) -> str:
        return next(reversed(self.values.get(key, ())), "")

    def true(self, key: str) -> bool:
        return key in self.values and self.last(key).lower() in {"true", "yes", "on", "1", ""}

    @property
    def remotes(self) -> frozenset[str]:
        return frozenset(key.split(".", 1)[1].rpartition(".")[0] for key in self.values if key.startswith("remote."))

    def urls(self, remote: str, *, push: bool) -> Sequence[str]:
        """Where a remote's name, or a URL in its place, leads."""
        named = self.values.get(f"remote.{remote}.pushurl", ()) if push else ()
        return [self._replaced(url) for url in named or self.values.get(f"remote.{remote}.url", (remote,))]

    def _replaced(self, url: str) -> str:
        for key, starts in self.values.items():
            if key.startswith("url.") and key.endswith((".insteadof", ".pushinsteadof")):
                for start in starts:
                    if start and url.startswith(start):
                        return key[len("url.") :].rpartition(".")[0] + url[len(start) :]
        return url


@dataclass(frozen=True, slots=True)
class Need:
    """`why` it has to run outside; `alone`: nothing else would run outside with it."""

    command: str
    why: str
    alone: bool


def excluded(script: Script, globs: Sequence[str]) -> bool:
    """Whether every command of the line is one that settings let run outside, and the line does nothing besides:
    it sets nothing, and writes to no file."""
    if not script.commands or script.unreadable or script.unlisted:
        return False
    return all(_plain(command) and _listed(command, globs) for command in script.commands)


def _plain(command: Command) -> bool:
    free = all(each.only_descriptors or each.target.text == "/dev/null" for each in command.redirects if each.writes)
    return free and not command.assignments and bool(command.words) and command.words[0].literal


def _listed(command: Command, globs: Sequence[str]) -> bool:
    texts = {" ".join(word.text for word in command.words), " ".join(word.canonical for word in command.words)}
    return any(command_match(one_spaced(glob), text) for glob in globs for text in texts)


def need(script: Script, config: Callable[[Path], GitConfig | None]) -> Need | None:
    """The first command that cannot work inside. `config`: of the repository that a git in that directory would use;
    None where that is not the project's own."""
    if script.unreadable:
        return None
    found = next(filter(None, (_git(command, config) for command in script.commands)), None)
    if found is None:
        return None
    command, why = found
    # `cd x && git ...` would be no simple reading of a repository, but its `cwds` are known
    alone = not script.unlisted and all(_plain(each) and each.program in _BESIDE for each in script.commands)
    return Need(command.raw, why, alone)


def _git(command: Command, config: Callable[[Path], GitConfig | None]) -> tuple[Command, str] | None:
    words = [word.text for word in command.words]
    if command.program != "git" or not all(word.whole for word in command.words) or len(command.cwds) != 1:
        return None
    at = 1
    while at < len(words) and words[at] in _SAFE_GLOBALS:
        at += 1
    if at >= len(words) or words[at].startswith("-"):
        return None
    (cwd,) = command.cwds
    found = config(cwd) if cwd else None
    if found is None:
        return None
    name, rest = words[at], words[at + 1 :]
    why = next(_reasons(name, rest, found), "")
    return (command, why) if why else None


def _reasons(name: str, rest: Sequence[str], config: GitConfig) -> Iterator[str]:
    if what := _writes_config(name, rest, config):
        yield f"`git {what}` writes git's configuration, which the sandbox protects"
    if name in _SSH and any(_by_ssh(url) for url in _urls(name, rest, config)):
        yield f"`git {name}` speaks ssh, and the sandbox hides your keys"
    if _signs(name, rest, config):
        yield f"`git {name}` signs, and the sandbox hides your keys"


def _writes_config(name: str, rest: Sequence[str], config: GitConfig) -> str:
    """The words that say so; '' where it does not."""
    operands = [word for word in rest if not word.startswith("-")]
    first = operands[0] if operands else ""
    match name:
        case "remote" if first in _REMOTE_FORMS:
            return f"remote {first}"
        case "submodule" if first in _SUBMODULE_FORMS or (first == "update" and "--init" in rest):
            return f"submodule {first}"
        case "sparse-checkout" if first != "list":
            return f"sparse-checkout {first}".strip()
        case "push" if _flagged(rest, "u", "--set-upstream"):
            return "push -u"
        case "switch" | "checkout" if _flagged(rest, "t", "--track") or _from_remote(rest, config):
            return f"{name} --track"
        case "branch" if _flagged(rest, "umMcC", "--set-upstream-to", "--unset-upstream", "--move", "--copy"):
            return f"branch {next(word for word in rest if word.startswith('-'))}"
        case "branch" if _flagged(rest, "t", "--track") or (len(operands) > 1 and _remote(operands[1], config)):
            return "branch --track"
        case "config" if _sets(rest, operands):
            return "config"
    return ""


def _flagged(words: Sequence[str], letters: str, *names: str) -> bool:
    """Whether one of these options is there: a letter, in a cluster too, or a long name, with a value or not."""
    for word in words:
        if word == "--":
            return False
        if word.startswith("--"):
            if word.partition("=")[0] in names:
                return True
        elif word.startswith("-") and " " not in word:
            for letter in word[1:]:
                if letter in letters:
                    return True
                if letter in _TEXTUAL:  # the rest is its value
                    break
    return False


def _from_remote(rest: Sequence[str], config: GitConfig) -> bool:
    """`-b NAME origin/NAME`: git then writes what the branch follows."""
    made = [at for at, word in enumerate(rest) if word in {"-b", "-B", "-c", "-C", "--create", "--force-create"}]
    operands = [word for word in rest[made[0] + 2 :] if not word.startswith("-")] if made else []
    return bool(operands) and "--no-track" not in rest and _remote(operands[0], config)


def _remote(name: str, config: GitConfig) -> bool:
    return any(name.startswith(f"{remote}/") for remote in config.remotes)


def _sets(rest: Sequence[str], operands: Sequence[str]) -> bool:
    options = {word.partition("=")[0] for word in rest if word.startswith("-")}
    if options & set(_ELSEWHERE) or any(option.removeprefix("--") in _READS_CONFIG for option in options):
        return False
    if "-l" in options or (operands and operands[0] in _READS_CONFIG):
        return False
    if operands and operands[0] in {"set", "unset", "rename-section", "remove-section", "edit"}:
        return True
    return bool(options & _SETS) or len(operands) > 1


def _urls(name: str, rest: Sequence[str], config: GitConfig) -> Sequence[str]:
    operands, skip = [], False
    for word in rest:
        if skip:
            skip = False
        elif word.startswith("-"):
            skip = word in _VALUED
        else:
            operands.append(word)
    remotes = config.remotes
    usual = "origin" if "origin" in remotes or len(remotes) != 1 else next(iter(remotes))
    if name == "fetch" and "--all" in rest:
        return [url for remote in remotes for url in config.urls(remote, push=False)]
    return config.urls(operands[0] if operands else usual, push=name == "push")


def _by_ssh(url: str) -> bool:
    """`ssh://...`, or the short form `host:path`."""
    if "://" in url:
        return url.startswith(("ssh://", "git+ssh://", "ssh+git://"))
    host, colon, _ = url.partition(":")
    return bool(colon) and "/" not in host and len(host) > 1


def _signs(name: str, rest: Sequence[str], config: GitConfig) -> bool:
    if "--no-gpg-sign" in rest or "--no-sign" in rest:
        return False
    if name == "tag":
        made = any(not word.startswith("-") for word in rest) and not _flagged(rest, "dlv", "--delete", "--list")
        wanted = config.true("tag.gpgsign") or (config.true("tag.forcesignannotated") and _flagged(rest, "a"))
        return _flagged(rest, "su", "--sign", "--local-user") or (made and wanted)
    if name == "push":
        return _flagged(rest, "", "--signed")
    return name in _SIGNERS and (_flagged(rest, "S", "--gpg-sign") or config.true("commit.gpgsign"))
