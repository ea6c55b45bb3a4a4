"""`harness permissions explain` and `list`: what a session started here would decide, and by which rules."""

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, NoReturn

from harness import flags, paths, settings
from harness.confine import Confinement
from harness.effects import Effect, Reads, Runs, Writes
from harness.errors import EXIT_OK, UsageError
from harness.files import Files
from harness.messages import Mode, ToolCall
from harness.options import SessionOptions
from harness.permissions import Allow, Ask, Decision, Deny, Roots, Rule, Rules
from harness.permissions.access import by_rule
from harness.permissions.bash.script import Command, Script
from harness.permissions.decide import decide
from harness.permissions.rules import broad
from harness.permissions.shell import Judged, judge_command
from harness.permit import BEHAVIORS, starting_permit
from harness.render import safe
from harness.sandbox.policy import Granted
from harness.settings import Settings

_TRY = "Try: harness permissions explain 'git push --force', or harness permissions list"
_EPILOG = "The flags of a session count here, too: --permission-mode, --allowedTools, --settings, --no-sandbox ..."
_WORDS: dict[type[Decision], str] = {Allow: "allow", Ask: "ask", Deny: "deny"}
_WIDEST = 48  # columns that a column of texts may take


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"harness permissions: {message}.", _TRY)


@dataclass(frozen=True, slots=True)
class _Situation:
    """What a session started here would decide from."""

    rules: Rules
    mode: Mode
    roots: Roots
    granted: Granted
    sandbox: str
    warnings: tuple[str, ...]
    placed: Callable[[Effect], Effect]  # outside the sandbox, where it cannot work inside

    def decide(self, call: ToolCall, effect: Effect) -> Decision:
        return decide(call, (effect,), self.rules, self.mode, self.roots, self.granted)

    def judge(self, run: Runs) -> Judged:
        return judge_command(run, "Bash", self.rules, self.mode, self.roots, self.granted)


@dataclass(frozen=True, slots=True)
class _Step:
    """One simple command of a line, and what decided about it."""

    command: str
    decision: str
    reason: str
    rules: tuple[Rule, ...] = ()
    redirects: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Explained:
    """`suggestions`: rules with which the same call is allowed; tried out, not only proposed."""

    subject: str
    decision: Decision
    rules: tuple[Rule, ...]
    suggestions: tuple[str, ...]
    steps: tuple[_Step, ...] = ()
    script: Script = field(default_factory=lambda: Script(""))


def main(argv: Sequence[str]) -> int:
    """Explain one decision or list the rules; returns the exit code.

    Raises:
        UsageError: flags that cannot be used, or nothing to decide about.
    """
    p = _Parser(
        prog="harness permissions",
        usage="harness permissions {explain COMMAND, explain --tool TOOL --path P, list} [--json] [session's flags]",
        description="Show what a session started in this directory would decide, and by which rules.",
        epilog=_EPILOG,
        allow_abbrev=False,
    )
    p.add_argument("--tool", choices=["Bash", "Read", "Edit", "Write"], default="Bash", help="the tool (default: Bash)")
    p.add_argument("--path", metavar="P", help="the file that the tool would read or change")
    p.add_argument("--json", action="store_true", help="one object instead of lines")
    given, rest = p.parse_known_args(argv)
    what = next(iter(rest), None)
    if what not in ("explain", "list"):
        p.error("say what: explain or list" if what is None else f"{what!r} is neither explain nor list")
    session = flags.parse(rest[1:])
    situation = _situation(SessionOptions.from_flags(session, interactive=True))
    if what == "list":
        if session.prompt is not None or given.path is not None:
            p.error("list takes no command and no path")
        shown, lines = _listed(situation), _list_lines(situation)
    else:
        call, effect = _call(given.tool, session.prompt, given.path, situation.roots)
        explained = _explained(call, situation.placed(effect), situation)
        shown, lines = _object(explained, situation), _lines(explained, situation)
    if given.json:
        print(json.dumps(shown, indent=2))  # noqa: T201  ASCII: nothing in it can steer a terminal
        return EXIT_OK
    for line in lines:
        print(line)  # noqa: T201
    for warning in situation.warnings:
        print(f"Warning: {_line(warning)}", file=sys.stderr)  # noqa: T201
    return EXIT_OK


def _situation(options: SessionOptions) -> _Situation:
    cwd = options.cwd.resolve()
    chosen = settings.load(cwd, options.env, options.settings)
    confinement = Confinement(options, chosen, cwd, results=cwd)  # no session, so no saved results of its own
    files = Files((cwd, *confinement.directories))
    roots, granted = confinement.roots(files.real), confinement.granted()
    files.close()
    permit = starting_permit(options, chosen, roots, granted)
    note = confinement.note(permit.mode)
    return _Situation(
        permit.effective,
        permit.mode,
        roots,
        permit.granted,
        note,
        tuple(_warnings(chosen, permit.rules)),
        confinement.leaving(lambda: permit.mode).placed,
    )


def _warnings(chosen: Settings, rules: Rules) -> Iterator[str]:
    if line := str(chosen.trust):
        yield line
    yield from chosen.problems
    yield from map(str, rules.warnings)


def _call(tool: str, command: str | None, path: str | None, roots: Roots) -> tuple[ToolCall, Effect]:
    if (command is None) == (path is None) or (tool == "Bash") != (path is None):
        raise UsageError(
            "harness permissions explain: give a command, or --path with --tool Read, Edit or Write.", _TRY
        )
    subject = path if command is None else command
    if subject is None or any("\ud800" <= char <= "\udfff" for char in subject):
        raise UsageError("harness permissions explain: what is given is not UTF-8.", "The model can only write UTF-8.")
    if path is None:
        return _tool_call(tool, command=subject), Runs(subject, roots.cwd)
    place = paths.resolve(path, roots.cwd)
    return _tool_call(tool, file_path=subject), Reads(place) if tool == "Read" else Writes(place)


def _tool_call(tool: str, **given: str) -> ToolCall:
    return ToolCall(id="", name=tool, arguments=json.dumps(given), input=given)


def _explained(call: ToolCall, effect: Effect, situation: _Situation) -> _Explained:
    decision = situation.decide(call, effect)
    rules = tuple(_deciding(decision, situation.rules))
    suggestions = () if isinstance(decision, Allow) else _mending(call, effect, situation)
    if not isinstance(effect, Runs):
        subject = f"{call.name} {next(iter((call.input or {}).values()))}"
        return _Explained(subject, decision, rules, suggestions)
    judged = situation.judge(effect)
    steps = tuple(_steps(judged, decision, situation))
    return _Explained(effect.command, decision, rules, suggestions, steps, judged.script)


def _deciding(decision: Decision, rules: Rules) -> Iterator[Rule]:
    """The rule of a decision; several where the same text stands in more than one file of the same source."""
    for rule in (*rules.deny, *rules.ask, *rules.allow):
        # dontAsk mode lengthens the reason; a command line allowed by rules joins those of its parts
        if decision.rule == rule.text and (
            decision.reason.startswith(by_rule(rule).reason)
            or (isinstance(decision, Allow) and rule.behavior == "allow")
        ):
            yield rule


def _mending(call: ToolCall, effect: Effect, situation: _Situation) -> tuple[str, ...]:
    """The rules that `default` mode would offer, if with them the call is allowed in this mode."""
    without = replace(situation.rules, allow=())
    asked = replace(situation, mode="default", rules=without).decide(call, effect)
    offered = asked.suggestions if isinstance(asked, Ask) else ()
    added = Rules.parse({"allow": offered}, "session", situation.roots.cwd)
    mended = replace(situation, rules=situation.rules + added).decide(call, effect)
    return offered if isinstance(mended, Allow) else ()


def _steps(judged: Judged, decision: Decision, situation: _Situation) -> Iterator[_Step]:
    """Each command with its verdict; where the line was decided as a whole before, the verdict on it alone."""
    word = _WORDS[type(decision)]
    for part in judged.parts:
        reason = part.allowed or (decision.reason if isinstance(decision, Allow) else part.why)
        rules = tuple(rule for rule in situation.rules.allow if rule.text == part.rule)
        yield _Step(part.command.raw, "allow" if part.allowed else word, reason, rules, _redirects(part.command))
    if judged.parts:
        return
    for command in judged.script.commands or judged.script.guesses:
        cwd = next(filter(None, command.cwds), situation.roots.cwd)
        alone = situation.decide(_tool_call("Bash", command=command.raw), situation.placed(Runs(command.raw, cwd)))
        found = tuple(_deciding(alone, situation.rules))
        reason = f"alone: {alone.reason}"
        yield _Step(command.raw, _WORDS[type(alone)], reason, found, _redirects(command))


def _redirects(command: Command) -> tuple[str, ...]:
    return tuple(f"{redirect.operator} {redirect.target.raw}" for redirect in command.redirects)


# ---- shown


def _object(explained: _Explained, situation: _Situation) -> dict[str, Any]:
    decision, script = explained.decision, explained.script
    return {
        "decision": _WORDS[type(decision)],
        "source": decision.source,
        "reason": decision.reason,
        "classifier": isinstance(decision, Ask) and decision.classifiable,
        "rules": [_rule(rule) for rule in explained.rules],
        "mode": situation.mode,
        "sandbox": situation.sandbox,
        "commands": [asdict(step) | {"rules": [_rule(rule) for rule in step.rules]} for step in explained.steps],
        "unreadable": [*script.unreadable, *script.unlisted],
        "suggestions": list(explained.suggestions),
        "warnings": list(situation.warnings),
    }


def _lines(explained: _Explained, situation: _Situation) -> Iterator[str]:
    decision = explained.decision
    yield f"{_WORDS[type(decision)]:<10}{_line(explained.subject)}"
    first = "; the classifier is asked in your place" if isinstance(decision, Ask) and decision.classifiable else ""
    yield f"{'why':<10}{decision.source}: {_line(decision.reason)}{first}"
    for rule in explained.rules:
        yield f"{'rule':<10}{_standing(rule)}"
    yield f"{'mode':<10}{situation.mode}; sandbox: {_line(situation.sandbox)}"
    width = _width([step.command for step in explained.steps])
    for step in explained.steps:
        yield f"{'command':<10}{_line(step.command):<{width}}  {step.decision}: {_line(step.reason)}"
        yield from (f"{'':<12}{_standing(rule)}" for rule in step.rules)
        yield from (f"{'':<12}redirect {_line(redirect)}" for redirect in step.redirects)
    for problem in (*explained.script.unreadable, *explained.script.unlisted):
        yield f"{'unread':<10}{_line(problem)}"
    if not isinstance(decision, Allow):
        yield f"{'to allow':<10}{_line(', '.join(explained.suggestions)) or 'no allow rule would'}"


def _listed(situation: _Situation) -> dict[str, Any]:
    pools: dict[str, Any] = {
        behavior: [_rule(rule) for rule in getattr(situation.rules, behavior)] for behavior in BEHAVIORS
    }
    return {**pools, "mode": situation.mode, "warnings": list(situation.warnings)}


def _list_lines(situation: _Situation) -> Iterator[str]:
    rules = (*situation.rules.deny, *situation.rules.ask, *situation.rules.allow)
    width = _width([rule.text for rule in rules])
    for rule in rules:
        idle = "  (too broad to count in auto mode)" if _idle(rule, situation.mode) else ""
        yield f"{rule.behavior:<7}{_line(rule.text):<{width}}  {rule.source:<8} {_line(rule.where)}{idle}"
    if not rules:
        yield f"No rules: the mode ({situation.mode}) decides."


def _idle(rule: Rule, mode: Mode) -> bool:
    return mode == "auto" and rule.behavior == "allow" and broad(rule)


def _rule(rule: Rule) -> dict[str, str]:
    return {"rule": rule.text, "behavior": rule.behavior, "source": rule.source, "where": rule.where}


def _standing(rule: Rule) -> str:
    return f"{_line(rule.text)}  {rule.source}  {_line(rule.where)}"


def _width(texts: Sequence[str]) -> int:
    return min(max((len(_line(text)) for text in texts), default=0), _WIDEST)


def _line(text: str) -> str:
    """Exact, on one line."""
    return safe(text).replace("\n", "\\n").replace("\t", "\\t")
