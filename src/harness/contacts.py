"""Which hosts a session's commands may reach, and what happens at the first contact with one that no list names."""

import json
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from harness.asks import Answer, Asks
from harness.events import Denial, PermissionRequest
from harness.messages import Mode, ToolCall
from harness.network.contact import Contact
from harness.network.domains import Domains, Entry, rule_entry
from harness.permissions.rules import Rule, Rules

if TYPE_CHECKING:
    from harness.network.gate import Ask

TOOL = "SandboxNetworkAccess"  # the customary name: no tool of ours, so that nothing that allows Bash answers it


def listed(base: Domains, rules: Rules) -> Domains:
    """The lists of flags and settings, and what `WebFetch(domain:...)` rules add to them.

    A repository's own rules take hosts away and give none (those that a person saved, in its local settings, do);
    `domain:*` lets a tool read pages and is no word about what commands may send.
    """
    given = (entry for entry in _entries(r for r in rules.allow if r.source != "project") if not entry.everything)
    return Domains(
        (*base.allowed, *given),
        (*base.denied, *_entries(rules.deny)),
        (*base.asked, *_entries(rules.ask)),
    )


def _entries(rules: Iterable[Rule]) -> Iterable[Entry]:
    return (rule_entry(rule.specifier) for rule in rules if rule.kind == "domain" and rule.names("WebFetch"))


def asking(asks: Asks | None, mode: Callable[[], Mode], hold: Callable[[Answer], None]) -> "Ask | None":
    """Puts a contact to the person, by id, like a call. None where nobody can be asked.

    `hold` is told what else a yes says: rules, updates.
    """
    if asks is None:
        return None

    async def ask(contact: Contact, show: Callable[[Contact], None]) -> bool | None:
        # These modes do not ask, and the list is a part of the sandbox, which no mode loosens.
        if mode() in {"dontAsk", "bypassPermissions"}:
            return None
        with asks.open(question(contact, mode())):
            show(contact)
            answer: Answer = await asks.wait(contact.id)
        if answer.decision == "allow":
            hold(answer)
        return answer.decision == "allow"

    return ask


def question(contact: Contact, mode: Mode) -> PermissionRequest:
    return PermissionRequest(
        id=contact.id,
        call=_call(contact),
        mode=mode,
        reason=f"a command wants to connect to {contact.place}; no list names it",
        suggestions=contact.rules,
        savable=bool(contact.rules),
    )


def denial(contact: Contact) -> Denial:
    call = _call(contact)
    return Denial(tool_name=call.name, tool_use_id=call.id, tool_input=dict(call.input or {}))


def _call(contact: Contact) -> ToolCall:
    given = {"host": contact.host, "port": contact.port}
    return ToolCall(contact.id, TOOL, json.dumps(given), given)
