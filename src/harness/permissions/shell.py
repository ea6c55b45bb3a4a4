"""Deciding a command line, from its parse: deny, ask, critical removals, then part by part.

The string is our reading of what a shell will do. It decides how often to ask, never what can happen: the
sandbox does that.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from harness.effects import Runs
from harness.messages import Mode
from harness.permissions.access import by_rule, decide_read, decide_write, from_mode
from harness.permissions.bash import files, wrappers
from harness.permissions.bash.forms import approves, forbids, one_spaced, writes_by_name
from harness.permissions.bash.named import absolute, named_paths, pieces
from harness.permissions.bash.parse import parse
from harness.permissions.bash.readonly import judge
from harness.permissions.bash.script import Assignment, Command, Redirect, Script
from harness.permissions.bash.words import Word
from harness.permissions.decision import Allow, Ask, Decision, Deny
from harness.permissions.modes import verdict
from harness.permissions.paths import Roots, beyond, inside, may_cover, path_rule, place
from harness.permissions.places import may_be_protected
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
_CONNECTIONS = ("/dev/tcp/", "/dev/udp/")


@dataclass(frozen=True, slots=True)
class Part:
    """One simple command's verdict. `allowed`: by what, in words; '' where by nothing, and `why` not.

    `firm`: not even a rule that allows all of Bash mends it.
    """

    command: Command
    allowed: str = ""
    why: str = ""
    rule: str = ""
    suggestions: tuple[str, ...] = ()
    firm: bool = False


@dataclass(frozen=True, slots=True)
class Judged:
    """A decision on a command line, with the parse and the parts it was made from."""

    decision: Decision
    script: Script
    parts: tuple[Part, ...] = ()


def judge_command(run: Runs, tool: str, rules: Rules, mode: Mode, roots: Roots, sandbox: Granted | None) -> Judged:
    """Decide a command line, and say from what. Pure."""
    return _Judge(run, tool, rules, mode, roots, sandbox).judged()


@dataclass(frozen=True, slots=True)
class _Judge:
    run: Runs
    tool: str
    rules: Rules
    mode: Mode
    roots: Roots
    sandbox: Granted | None

    def judged(self) -> Judged:
        script = parse(self.run.command, self.run.cwd, self.roots.home)
        commands = tuple(self._with_nested(script, _NESTING))
        decision = self._by_rules(script, commands)
        if not isinstance(decision, Deny):
            decision = self._leaving() or decision or self._critical(commands)
        if decision:
            return Judged(decision, script)
        parts = tuple(self._part(command) for command in script.commands)
        return Judged(self._overall(script, self._hidden(script, commands), parts), script, parts)

    def _with_nested(self, script: Script, depth: int) -> Iterator[Command]:
        """All commands, those inside `sh -c '...'` and the like included."""
        for command in (*script.commands, *script.guesses):
            yield command
            for words in wrappers.wrapped(command.words)[0] if depth else ():
                for text in wrappers.shell_texts(words):
                    inner = parse(text, self.run.cwd, self.roots.home)
                    yield from self._with_nested(inner, depth - 1)

    # ---- what is decided before anything may be allowed

    def _by_rules(self, script: Script, commands: Sequence[Command]) -> Decision | None:
        for pool in (self.rules.deny, self.rules.ask):
            for rule in pool:
                if rule.kind == "bash" and rule.names(self.tool) and forbids(rule, script, commands):
                    return by_rule(rule)
            if not any(rule.kind == "path" for rule in pool):
                continue
            for path, families in chain.from_iterable(named_paths(command, self.roots) for command in commands):
                where = place(path, self.roots)
                for family in families:
                    if rule_ := path_rule(pool, family, where, self.roots):
                        return by_rule(rule_)
        return None

    def _leaving(self) -> Decision | None:
        """A call that asks to run outside the sandbox is the person's to decide, whatever rule or mode allows it."""
        run = self.run
        if not (run.unsandboxed or run.why) or self.sandbox is None or self.sandbox.level == "none":
            return None
        if self.mode == "plan":
            return Deny("mode", "in plan mode nothing runs outside the sandbox")
        if not run.unsandboxed:
            return Deny("sandbox", run.why)
        if not self.sandbox.may_leave:
            why = f"{run.why}; " if run.why else ""
            return Deny("sandbox", f"{why}settings forbid leaving the sandbox (sandbox.allowUnsandboxedCommands)")
        return Ask("sandbox", f"{run.why}: it would run outside" if run.why else "it asks to run outside the sandbox")

    def _critical(self, commands: Sequence[Command]) -> Decision | None:
        for command in commands:
            behind_xargs = any(word.text == "xargs" for word in command.words)
            for words in wrappers.wrapped(command.words)[0]:
                problem = files.critical_removal(words, command.cwds, self.roots, from_input=behind_xargs)
                if problem:
                    return Ask("critical", problem)
        return None

    def _hidden(self, script: Script, commands: Sequence[Command]) -> str:
        """Why a command that a rule denies or asks about could hide in this line; '' where none could."""
        scoped = any(r.kind == "bash" and r.names(self.tool) for r in (*self.rules.deny, *self.rules.ask))
        if not scoped:
            return ""
        problems = [*script.unreadable, *script.unlisted]
        for command in commands:
            behind, too_many = wrappers.wrapped(command.words)
            if too_many:
                problems.append("it has too many words behind a wrapper")
            if not all(words[0].literal for words in behind):
                problems.append("which program it runs is known only when it runs")
            if any(wrappers.base(words[0]) in wrappers.REPARSERS for words in behind):
                problems.append(f"`{command.program}` runs text as commands")
            if any(map(wrappers.reads_commands, behind)):
                problems.append("a shell runs what it reads")
        return f"{problems[0]}: it may hide something that a rule is about" if problems else ""

    # ---- the line as a whole

    def _overall(self, script: Script, hidden: str, parts: Sequence[Part]) -> Decision:
        if self.mode == "bypassPermissions" and not hidden:
            return from_mode("command", self.mode, "it is a command")
        if self._sandboxed(parts) and not hidden:
            return Allow("sandbox", "it runs inside the sandbox")
        if script.unreadable:  # where a rule is concerned, for a person and not for a classifier
            return Ask("mode", hidden) if hidden else self._ask(script.unreadable[0])
        missing = [part for part in parts if not part.allowed]
        if not missing and not script.unlisted:
            why = "; ".join(dict.fromkeys(part.allowed for part in parts))
            rule = next((part.rule for part in parts if part.rule), "")
            return Allow("rule" if rule else "mode", why or "it runs nothing", rule)
        bare = self._bare_rule()
        if bare and not hidden and not any(part.firm for part in missing):
            return by_rule(bare)
        if hidden:
            return Ask("mode", hidden)
        if script.unlisted:
            return self._ask(script.unlisted[0])
        complete = all(part.suggestions for part in missing)
        suggestions = tuple(dict.fromkeys(chain.from_iterable(part.suggestions for part in missing)))
        return self._ask(missing[0].why, suggestions if complete else ())

    def _ask(self, reason: str, suggestions: tuple[str, ...] = ()) -> Decision:
        decision = from_mode("command", self.mode, reason, suggestions)
        return Ask("mode", reason, suggestions=suggestions) if isinstance(decision, Allow) else decision

    def _sandboxed(self, parts: Sequence[Part]) -> bool:
        """Whether the sandbox makes asking needless (`decisions.md` 2)."""
        granted = self.sandbox
        if granted is None or granted.level != "full" or self.run.outside or granted.auto_allow is False:
            return False
        if any(command_match(one_spaced(glob), text) for glob in granted.excluded for text in self._texts(parts)):
            return False  # it will not be inside
        if verdict("command sandboxed", self.mode) != "run":
            return False
        if any(beyond(rule, self.roots) for rule in self.rules.deny if rule.tool == "Read"):
            return False  # it would not hide all that is denied
        if granted.auto_allow:
            return True
        within_mode = all(inside(place(path, self.roots), self.roots) for path in granted.write)
        return self.mode == "acceptEdits" and granted.network != "host" and within_mode

    def _texts(self, parts: Sequence[Part]) -> Iterator[str]:
        yield one_spaced(self.run.command)
        for part in parts:
            yield from (" ".join(word.text for word in words) for words in wrappers.wrapped(part.command.words)[0])

    def _bare_rule(self) -> Rule | None:
        """A rule that allows all of Bash; `auto` has its classifier for that, and plan keeps asking."""
        if self.mode == "plan":
            return None
        return tool_rule((r for r in self.rules.allow if self.mode != "auto" or not broad(r)), self.tool, {})

    # ---- one simple command

    def _part(self, command: Command) -> Part:
        """Redirections are judged apart: what approves the command does not approve where it writes."""
        part = self._approved(command)
        for redirect in command.redirects:
            decision = self._redirect(redirect, command)
            if not isinstance(decision, Allow):
                offered = decision.suggestions if isinstance(decision, Ask) else ()
                own = () if part.allowed else part.suggestions
                complete = bool(offered) and bool(own or part.allowed)
                return Part(
                    command,
                    why=decision.reason,
                    suggestions=(*own, *offered) if complete else (),
                    firm=not offered,
                )
        return part

    def _approved(self, command: Command) -> Part:
        unsafe = next((each for each in command.assignments if not _safe(each)), None)
        if unsafe or (command.assignments and not command.words):
            return Part(command, why=f"it sets the variable {(unsafe or command.assignments[0]).name}")
        if not command.words:
            return Part(command, "it only redirects")
        words = wrappers.strip(command.words)
        why = self._not_reading(words, command)
        if not why:
            return Part(command, "it only reads")
        if rule := self._allowed_by_rule(command):
            return Part(command, f"the rule {rule.text} allows it", rule=rule.text)
        if verdict("command on files", self.mode) == "run":
            touched = files.touches(words)
            if isinstance(touched, files.Touching):
                why = "it runs in the background" if command.background else self._not_touchable(touched, command)
                if not why:
                    return Part(command, "it changes files in the working directories")
        return Part(command, why=why, suggestions=command_rule(command))

    def _allowed_by_rule(self, command: Command) -> Rule | None:
        if self.mode == "plan" and writes_by_name(command):
            return None
        usable = [rule for rule in self.rules.allow if rule.kind == "bash" and rule.names(self.tool)]
        if self.mode == "auto":
            usable = [rule for rule in usable if not broad(rule)]
        return next((rule for rule in usable if approves(rule, command, self.run.command)), None)

    # ---- what it reads and changes

    def _not_reading(self, words: Sequence[Word], command: Command) -> str:
        """Why a command is not known to only read what it may read; '' where it is."""
        reading = judge(words)
        if isinstance(reading, str):
            return reading
        if words is not command.words and any(word.text == "xargs" for word in command.words):
            return "its operands come from its input"
        if reading.is_git and command.moved and any(cwd not in {self.run.cwd, self.roots.cwd} for cwd in command.cwds):
            return "`cd` and then git: another repository's settings may run programs"
        for piece in chain.from_iterable(map(pieces, reading.mentions)):
            leads_out = piece.startswith(("/", "~")) or ".." in piece.split("/")
            if leads_out and (problem := self._read_problem(Word(piece, piece), command, deep=False)):
                return problem
        problems = (self._read_problem(word, command, reading.deep) for word in reading.paths)
        problem = next(filter(None, problems), "")
        return problem or ("it runs in the background" if command.background else "")

    def _read_problem(self, word: Word, command: Command, deep: bool) -> str:
        for cwd in command.cwds:
            path = absolute(word, cwd, self.roots)
            fixed = _before_glob(path) if path and "glob" in word.loose else Path(path) if path else None
            if path is None or fixed is None:
                return "which file it reads is not known"
            decision = decide_read(fixed, self.tool, self.rules, self.mode, self.roots)
            if not isinstance(decision, Allow):
                return decision.reason
            if deep and not inside(place(fixed, self.roots), self.roots):
                return f"it reads everything below {fixed}"
            if (deep or "glob" in word.loose) and (problem := self._may_reach(path, deep)):
                return problem
        return ""

    def _may_reach(self, pattern: str, deep: bool) -> str:
        """Whether a glob or a whole tree may hold what a rule is about.

        A full sandbox hides by itself what is denied within the working directories, and nothing else.
        """
        contained = self.sandbox is not None and self.sandbox.level == "full" and not self.run.outside
        within = inside(place(_before_glob(pattern) or Path("/"), self.roots), self.roots)
        rules = self.rules.ask if contained and within else (*self.rules.deny, *self.rules.ask)
        rule = may_cover(rules, "Read", pattern, deep, self.roots)
        return f"it may read what the rule {rule.text} is about" if rule else ""

    def _not_touchable(self, touched: files.Touching, command: Command) -> str:
        for words, decide in ((touched.reads, decide_read), (touched.writes, decide_write)):
            for word in words:
                for cwd in command.cwds:
                    path = absolute(word, cwd, self.roots)
                    fixed = _before_glob(path) if path and "glob" in word.loose else Path(path) if path else None
                    if fixed is None:
                        return "which file it changes is not known"
                    if "glob" in word.loose and may_be_protected(str(path), hidden_only=touched.removes):
                        return "a wildcard may reach a protected file"
                    decision = decide(fixed, self.tool, self.rules, self.mode, self.roots)
                    if not isinstance(decision, Allow):
                        return decision.reason
        return ""

    def _redirect(self, redirect: Redirect, command: Command) -> Decision:
        target = redirect.target
        if redirect.only_descriptors or (target.literal and target.text in _FREE_TARGETS):
            return Allow("mode", "no file is opened")
        if not target.literal or None in command.cwds:
            return Ask("mode", "which file it redirects to is known only when it runs")
        if target.text.startswith(_CONNECTIONS):
            return Ask("mode", "the redirection opens a network connection")
        decide = decide_write if redirect.writes else decide_read
        found: Decision = Deny("path", "nothing is known of where it runs")
        for cwd in command.cwds:
            path = absolute(target, cwd, self.roots)
            found = decide(Path(path or "/"), self.tool, self.rules, self.mode, self.roots)
            if not isinstance(found, Allow):
                return found
        return found


def _before_glob(path: str) -> Path | None:
    """The directory that a shell glob starts from; None where `..` after a wildcard leads anywhere."""
    head = re.split(r"[*?\[]", path)[0].rpartition("/")[0]
    return None if ".." in path[len(head) :].split("/") else Path(head or "/")


def _safe(assignment: Assignment) -> bool:
    value = assignment.value
    return bool(_SAFE_VARIABLES.match(assignment.name)) and value.literal and "/" not in value.text
