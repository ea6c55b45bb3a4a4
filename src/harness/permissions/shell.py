"""Deciding a command line, from its parse: deny, ask, critical removals, then part by part.

The string is our reading of what a shell will do. It decides how often to ask, never what can happen: the
sandbox does that.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from harness.effects import Runs
from harness.messages import Mode
from harness.permissions.access import by_rule, decide_read, decide_write, from_mode
from harness.permissions.bash import files, wrappers
from harness.permissions.bash.parse import parse
from harness.permissions.bash.readonly import Reading, judge
from harness.permissions.bash.script import Command, Redirect, Script
from harness.permissions.bash.words import Word
from harness.permissions.decision import Allow, Ask, Decision, Deny
from harness.permissions.modes import verdict
from harness.permissions.paths import Roots, inside, may_cover, path_rule, place
from harness.permissions.rules import Rule, Rules, broad, tool_rule
from harness.permissions.suggest import command_rule
from harness.permissions.wildcard import command_match
from harness.sandbox.policy import Granted

# Variables that change how output looks and nothing about what is run.
_SAFE_VARIABLES = re.compile(
    r"(LANG|LANGUAGE|LC_\w+|TZ|NO_COLOR|FORCE_COLOR|CLICOLOR(_FORCE)?|COLORTERM|TERM|COLUMNS|LINES|NODE_ENV|CI|"
    r"PYTHONUNBUFFERED|PYTHONDONTWRITEBYTECODE|RUST_BACKTRACE|RUST_LOG|CGO_ENABLED|GOOS|GOARCH|DEBIAN_FRONTEND)\Z"
)
_NESTING = 3  # shell texts inside shell texts
_FREE_TARGETS = frozenset({"/dev/null", "/dev/stdout", "/dev/stderr", "/dev/stdin"})


@dataclass(frozen=True, slots=True)
class Part:
    """One simple command's verdict. `allowed`: by what; '' where nothing does, and then `why` not."""

    command: Command
    allowed: str
    why: str = ""
    rule: str = ""
    suggestions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Judged:
    """A decision on a command line, with the parse and the parts it was made from."""

    decision: Decision
    script: Script
    parts: tuple[Part, ...] = ()


@dataclass(frozen=True, slots=True)
class _Judge:
    run: Runs
    tool: str
    rules: Rules
    mode: Mode
    roots: Roots
    sandbox: Granted | None

    # ---- the whole line

    def judged(self) -> Judged:
        script = parse(self.run.command, self.run.cwd, self.roots.home)
        commands = tuple(self._with_nested(script, _NESTING))
        if decision := self._forbidden(script, commands):
            return Judged(decision, script)
        parts = tuple(self._part(command) for command in script.commands)
        return Judged(self._overall(script, commands, parts), script, parts)

    def _with_nested(self, script: Script, depth: int) -> Iterator[Command]:
        """All commands, those inside `sh -c '...'` and the like included."""
        for command in script.commands:
            yield command
            for words in wrappers.wrapped(command.words)[0] if depth else ():
                for text in wrappers.shell_texts(words):
                    inner = parse(text, self.run.cwd, self.roots.home)
                    yield from self._with_nested(inner, depth - 1)

    def _forbidden(self, script: Script, commands: Sequence[Command]) -> Decision | None:
        """What rules deny or ask, and what always asks."""
        for pool in (self.rules.deny, self.rules.ask):
            for rule in pool:
                if rule.kind == "bash" and rule.names(self.tool) and _hits(rule, script, commands):
                    return by_rule(rule)
            named = chain.from_iterable(self._named_paths(command) for command in commands)
            for path, kinds in named:
                where = place(path, self.roots)
                if rule_ := next((r for kind in kinds if (r := path_rule(pool, kind, where, self.roots))), None):
                    return by_rule(rule_)
        for command in commands:
            for words in wrappers.wrapped(command.words)[0]:
                behind_xargs = any(word.text == "xargs" for word in command.words)
                problem = files.critical_removal(words, command.cwds, self.roots, from_input=behind_xargs)
                if problem:
                    return Ask("critical", problem)
        return None

    def _overall(self, script: Script, commands: Sequence[Command], parts: Sequence[Part]) -> Decision:
        hidden = self._hidden(script, commands)
        if self.mode == "bypassPermissions" and not hidden:
            return from_mode("command", self.mode, "it is a command")
        bare = self._bare_rule()
        if not hidden and self._sandboxed():
            return Allow("sandbox", "it runs inside the sandbox")
        if script.unreadable or (hidden and bare):
            return self._ask((script.unreadable or (hidden,))[0], ())
        missing = [part for part in parts if not part.allowed]
        if not missing and not script.unlisted:
            rule = next((part.rule for part in parts if part.rule), "")
            return Allow(
                "rule" if rule else "mode", "; ".join(dict.fromkeys(p.allowed for p in parts)) or "nothing runs", rule
            )
        if bare and not any(part.why.startswith("!") for part in missing):
            return by_rule(bare)
        if script.unlisted:
            return self._ask(script.unlisted[0], ())
        suggestions = tuple(dict.fromkeys(chain.from_iterable(part.suggestions for part in missing)))
        complete = all(part.suggestions for part in missing)
        return self._ask(missing[0].why.lstrip("!"), suggestions if complete else ())

    def _ask(self, reason: str, suggestions: tuple[str, ...]) -> Decision:
        decision = from_mode("command", self.mode, reason, suggestions)
        return Ask("mode", reason, suggestions=suggestions) if isinstance(decision, Allow) else decision

    def _hidden(self, script: Script, commands: Sequence[Command]) -> str:
        """Why a command that a rule denies or asks about could hide in this line; '' where none could."""
        scoped = [r for r in (*self.rules.deny, *self.rules.ask) if r.kind == "bash" and r.names(self.tool)]
        if not scoped:
            return ""
        for command in commands:
            if any(wrappers.base(words[0]) in wrappers.REPARSERS for words in wrappers.wrapped(command.words)[0]):
                return f"`{command.program}` may run something that a rule denies"
            if wrappers.wrapped(command.words)[1]:
                return "it has too many words to search for what a rule denies"
        problems = (*script.unreadable, *script.unlisted)
        return f"{problems[0]}: it may hide something that a rule denies" if problems else ""

    def _sandboxed(self) -> bool:
        """Whether the sandbox makes asking needless (`decisions.md` 2)."""
        granted = self.sandbox
        if granted is None or granted.level != "full" or self.run.unsandboxed or granted.auto_allow is False:
            return False
        if verdict("command sandboxed", self.mode) != "run":
            return False
        if granted.auto_allow:
            return True
        nothing_more = granted.network == "none" and all(
            inside(place(p, self.roots), self.roots) for p in granted.write
        )
        return self.mode == "acceptEdits" and nothing_more

    def _bare_rule(self) -> Rule | None:
        rules = self.rules.allow if self.mode != "auto" else [rule for rule in self.rules.allow if not broad(rule)]
        return tool_rule(rules, self.tool, {}) if self.mode != "plan" else None

    # ---- one simple command

    def _part(self, command: Command) -> Part:
        """Redirections are judged whatever approves the command. A `why` with `!` first no bare rule mends."""
        suggestions: list[str] = []
        for redirect in command.redirects:
            decision = self._redirect(redirect, command)
            if not isinstance(decision, Allow):
                final = "!" if isinstance(decision, Deny) or not decision.suggestions else ""
                own = command_rule(command) if command.words and not self._approved(command).allowed else ()
                suggestions = [*own, *getattr(decision, "suggestions", ())]
                return Part(command, "", final + decision.reason, suggestions=() if final else tuple(suggestions))
        return self._approved(command)

    def _approved(self, command: Command) -> Part:
        unsafe = next((a for a in command.assignments if not _safe(a.name, a.value)), None)
        if unsafe:
            return Part(command, "", f"it sets the variable {unsafe.name}")
        if not command.words:
            return (
                Part(command, "only a redirection")
                if not command.assignments
                else Part(command, "", "it sets a variable")
            )
        words = wrappers.strip(command.words)
        reading = judge(words)
        why = reading if isinstance(reading, str) else self._readable(reading, command)
        if not why and not command.background:
            return Part(command, "it only reads")
        if rule := self._allowed_by_rule(command):
            return Part(command, f"the rule {rule.text} allows it", rule=rule.text)
        if verdict("command on files", self.mode) == "run" and not command.background:
            touched = files.touches(words)
            file_why = touched if isinstance(touched, str) else self._touchable(touched, command)
            if not file_why:
                return Part(command, "it changes files in the working directories")
            why = file_why if not isinstance(touched, str) else why
        return Part(command, "", why or "it runs in the background", suggestions=command_rule(command))

    def _readable(self, reading: Reading, command: Command) -> str:
        if reading.is_git and command.moved and any(cwd not in {self.run.cwd, self.roots.cwd} for cwd in command.cwds):
            return "`cd` and then git: another repository's settings may run programs"
        for text in reading.mentions:
            if problem := self._mention(text, command):
                return problem
        for word in reading.paths:
            if problem := self._read_problem(word, command, reading.deep):
                return problem
        return ""

    def _mention(self, text: str, command: Command) -> str:
        """git's operands: revisions or paths; those that could lead out of the project count as paths."""
        for piece in {text, text.partition(":")[2]}:
            if piece.startswith(("/", "~")) or ".." in piece.split("/"):
                if problem := self._read_problem(Word(piece, piece), command, deep=False):
                    return problem
        return ""

    def _read_problem(self, word: Word, command: Command, deep: bool) -> str:
        for cwd in command.cwds:
            base = _absolute(word, cwd, self.roots)
            if base is None:
                return "which file it reads is not known"
            globbed = "glob" in word.loose
            fixed = Path(re.split(r"[*?\[]", base)[0].rpartition("/")[0] or "/") if globbed else Path(base)
            if globbed and ".." in base[len(str(fixed)) :].split("/"):
                return "which file it reads is not known"
            decision = decide_read(fixed, "Bash", self.rules, self.mode, self.roots)
            if not isinstance(decision, Allow):
                return decision.reason
            if deep and not inside(place(fixed, self.roots), self.roots):
                return f"it reads everything below {fixed}"
            masked = self.sandbox is not None and self.sandbox.level == "full" and not self.run.unsandboxed
            rule = may_cover((*self.rules.deny, *self.rules.ask), "Read", base, deep, self.roots)
            if rule and (globbed or deep) and not masked:
                return f"it may read what the rule {rule.text} is about"
        return ""

    def _touchable(self, touched: files.Touching, command: Command) -> str:
        for words, decide in ((touched.reads, decide_read), (touched.writes, decide_write)):
            for word in words:
                for cwd in command.cwds:
                    base = _absolute(word, cwd, self.roots)
                    if base is None:
                        return "which file it changes is not known"
                    path = (
                        Path(re.split(r"[*?\[]", base)[0].rpartition("/")[0] + "/*")
                        if "glob" in word.loose
                        else Path(base)
                    )
                    decision = decide(path, "Bash", self.rules, self.mode, self.roots)
                    if not isinstance(decision, Allow):
                        return decision.reason
        return ""

    def _allowed_by_rule(self, command: Command) -> Rule | None:
        if self.mode == "plan" and _writes_by_name(command):
            return None
        texts = _allow_texts(command)
        exact_only = any(_exact_only(words) for words in (command.words, wrappers.strip(command.words)))
        whole = " ".join(self.run.command.split())
        for rule in self.rules.allow:
            if rule.kind != "bash" or not rule.names(self.tool) or (self.mode == "auto" and broad(rule)):
                continue
            pattern = " ".join(rule.specifier.split())
            wild = "*" in pattern.replace("\\*", "")
            if (not wild and command_match(pattern, whole)) or (
                not (wild and exact_only) and any(command_match(pattern, text) for text in texts)
            ):
                return rule
        return None

    # ---- redirections and paths

    def _redirect(self, redirect: Redirect, command: Command) -> Decision:
        target = redirect.target
        if redirect.only_descriptors or (target.literal and target.text in _FREE_TARGETS):
            return Allow("mode", "no file is opened")
        if not target.literal:
            return Ask("mode", "which file it redirects to is known only when it runs")
        if target.text.startswith(("/dev/tcp/", "/dev/udp/")):
            return Ask("mode", "the redirection opens a network connection")
        found: Decision = Allow("mode", "")
        for cwd in command.cwds:
            path = _absolute(target, cwd, self.roots)
            if path is None:
                return Ask("mode", "which file it redirects to is not known")
            decide = decide_write if redirect.writes else decide_read
            found = decide(Path(path), "Bash", self.rules, self.mode, self.roots)
            if not isinstance(found, Allow):
                return found
        return found

    def _named_paths(self, command: Command) -> Iterator[tuple[Path, tuple[str, ...]]]:
        """Paths that a command names, with the families of rules that hold for them."""
        named: list[tuple[Word, tuple[str, ...]]] = [
            (redirect.target, ("Edit", "Read") if redirect.writes else ("Read",)) for redirect in command.redirects
        ]
        for words in wrappers.wrapped(command.words)[0]:
            reading = judge(words)
            if isinstance(reading, Reading):
                named += [(word, ("Read",)) for word in reading.paths]
                named += [
                    (Word(p, p), ("Read",)) for text in reading.mentions for p in {text, text.partition(":")[2]} if p
                ]
            else:
                named += _operands(words)
        for word, kinds in named:
            for cwd in command.cwds:
                if word.loose <= {"tilde"} and (path := _absolute(word, cwd, self.roots)) and "\0" not in path:
                    yield Path(path), kinds


def _operands(words: Sequence[Word]) -> Iterator[tuple[Word, tuple[str, ...]]]:
    """What a command not understood in full, but known to work on files, names as files."""
    program = wrappers.base(words[0]) if words else ""
    writes = program in files.WRITERS or program in files.OTHER_WRITERS or program == "sed"
    if (
        not writes
        and program not in files.OTHER_READERS
        and isinstance(judge([words[0]]), str)
        and program not in _JUDGED
    ):
        return
    for word in words[1:]:
        value = word.text.partition("=")[2] if "=" in word.text else word.text
        if value and not value.startswith("-"):
            yield Word(word.raw, value, word.loose), (("Edit", "Read") if writes else ("Read",))


_JUDGED = frozenset({"git", "find", "grep", "rg", "sort", "uniq", "diff", "file"})


def _absolute(word: Word, cwd: Path | None, roots: Roots) -> str | None:
    """A word as an absolute path, `..` not folded; None where it cannot be known."""
    text = word.text
    if word.loose - {"glob", "tilde"}:
        return None
    if "tilde" in word.loose and text.startswith("~"):
        return f"{roots.home}{text[1:]}" if text == "~" or text.startswith("~/") else None
    if text.startswith("/"):
        return text
    return None if cwd is None else f"{cwd}/{text}"


def _hits(rule: Rule, script: Script, commands: Iterable[Command]) -> bool:
    pattern = " ".join(rule.specifier.split())
    texts = chain([" ".join(script.text.split())], chain.from_iterable(_deny_texts(command) for command in commands))
    return any(command_match(pattern, text) for text in texts)


def _deny_texts(command: Command) -> Iterator[str]:
    """Every way to read a command: as written, unquoted, by base name, and all that wrappers may run."""
    yield " ".join(command.raw.split())
    for words in wrappers.wrapped(command.words)[0]:
        tail = " ".join(word.text for word in words[1:])
        yield f"{words[0].text} {tail}".strip()
        yield " ".join(word.canonical for word in words)
        if "/" in words[0].text:
            yield f"{wrappers.base(words[0])} {tail}".strip()


def _allow_texts(command: Command) -> set[str]:
    forms = (command.words, wrappers.strip(command.words))
    return {" ".join(part) for words in forms for part in ([w.raw for w in words], [w.canonical for w in words])}


def _exact_only(words: Sequence[Word]) -> bool:
    program = wrappers.base(words[0]) if words else ""
    return program in wrappers.EXACT_ONLY or (
        program == "find" and any(word.text in wrappers.FIND_ACTIONS for word in words)
    )


def _writes_by_name(command: Command) -> bool:
    words = wrappers.strip(command.words)
    program = wrappers.base(words[0]) if words else ""
    return program in files.WRITERS or program in files.OTHER_WRITERS or program in {"git", "sed"}


def _safe(name: str, value: Word) -> bool:
    return bool(_SAFE_VARIABLES.match(name)) and value.literal and "/" not in value.text


def judge_command(run: Runs, tool: str, rules: Rules, mode: Mode, roots: Roots, sandbox: Granted | None) -> Judged:
    """Decide a command line, and say from what. Pure."""
    return _Judge(run, tool, rules, mode, roots, sandbox).judged()
