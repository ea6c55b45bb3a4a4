"""The permission decision: one pure function over the call, its effects, the rules, the mode and the places.

Deny before ask before allow, over the rules of all sources; what no rule decides, the mode's table does. No
input makes it raise: what it cannot judge, it asks about.
"""

from collections.abc import Sequence

from harness.effects import Asks, Effect, Fetches, Opaque, Reads, Runs, Writes
from harness.messages import Mode, ToolCall
from harness.network import domains, urls
from harness.network.hosts import Refused
from harness.permissions.access import by_rule, decide_read, decide_write, from_mode
from harness.permissions.decision import Allow, Ask, Decision, Deny
from harness.permissions.paths import Roots
from harness.permissions.rules import Rule, Rules, broad, tool_rule
from harness.sandbox.policy import Granted


def decide(
    call: ToolCall, effects: Sequence[Effect], rules: Rules, mode: Mode, roots: Roots, sandbox: Granted | None = None
) -> Decision:
    """Whether a call may run. Never raises; `roots.real` is its only window on the disk.

    In a run where nobody can be asked the caller turns `Ask` into a denial; `dontAsk` mode does so here.
    """
    try:
        decision = _decide(call, effects, rules, mode, roots, sandbox)
    except Exception as error:  # noqa: BLE001  whatever we did not foresee must not let a call through
        decision = Ask("error", f"the permission check failed ({type(error).__name__}: {error})")
    if mode == "dontAsk" and isinstance(decision, Ask):
        return Deny(decision.source, f"{decision.reason}; dontAsk mode denies what would ask", decision.rule)
    return decision


def _decide(
    call: ToolCall, effects: Sequence[Effect], rules: Rules, mode: Mode, roots: Roots, sandbox: Granted | None
) -> Decision:
    fields = call.input or {}
    if rule := tool_rule(rules.deny, call.name, fields):
        return by_rule(rule)
    asked = tool_rule(rules.ask, call.name, fields)
    decisions = [_effect(effect, call, rules, mode, roots, sandbox) for effect in effects]
    if denied := next((each for each in decisions if isinstance(each, Deny)), None):
        return denied
    if asked:
        return by_rule(asked)
    asks = [each for each in decisions if isinstance(each, Ask)]
    if asks:
        return _joined(asks)
    return decisions[0] if decisions else Allow("mode", f"{call.name} changes nothing outside the session")


def _joined(asks: Sequence[Ask]) -> Ask:
    """Several questions as one; a classifier may answer it only if it may answer each."""
    # an explicit rule's or a critical removal's question is the one to show
    first = next((ask for ask in asks if not ask.classifiable), asks[0])
    suggestions = tuple(dict.fromkeys(text for ask in asks for text in ask.suggestions))
    complete = all(ask.suggestions for ask in asks)
    return Ask(
        first.source, first.reason, first.rule, suggestions if complete else (), all(a.classifiable for a in asks)
    )


def _effect(
    effect: Effect, call: ToolCall, rules: Rules, mode: Mode, roots: Roots, sandbox: Granted | None
) -> Decision:
    match effect:
        case Reads(path):
            return decide_read(roots.cwd / path, call.name, rules, mode, roots)
        case Writes(path):
            return decide_write(roots.cwd / path, call.name, rules, mode, roots)
        case Runs():
            from harness.permissions.shell import judge_command  # noqa: PLC0415  loads tree_sitter

            return judge_command(effect, call.name, rules, mode, roots, sandbox).decision
        case Fetches(url):
            return _fetch(url, call, rules, mode)
        case Asks():
            return Ask("tool", "it is a question for you")
        case Opaque(name):
            if rule := _allow_rule(call, rules, mode):
                return by_rule(rule)
            return from_mode("other", mode, f"what {name} does is not known", (call.name,))


def _allow_rule(call: ToolCall, rules: Rules, mode: Mode) -> Rule | None:
    pool = [rule for rule in rules.allow if not broad(rule)] if mode == "auto" else rules.allow
    return tool_rule(pool, call.name, call.input or {})


def _fetch(url: str, call: ToolCall, rules: Rules, mode: Mode) -> Decision:
    try:
        host = urls.parse(url).host.text  # by the parser that the connection is made from
    except Refused as refused:
        return Deny("network", f"{url[:200]!r} cannot be fetched: {refused}")
    for pool in (rules.deny, rules.ask, rules.allow):
        for rule in pool:
            if rule.kind == "domain" and rule.names(call.name) and domains.matches(rule.specifier, host):
                return by_rule(rule)
    if rule_ := _allow_rule(call, rules, mode):
        return by_rule(rule_)
    return from_mode("fetch", mode, f"it fetches from {host}", (f"WebFetch(domain:{host})",))
