"""/permissions: the rules that count now, and what `auto` mode's classifier has denied."""

from collections.abc import AsyncGenerator

from harness.events import Event
from harness.session import Session

SHOWN, WIDE = 20, 200  # denials, the last ones; characters of each


async def permissions(session: Session, _argument: str) -> AsyncGenerator[Event | str, None]:
    rules = session.permit.effective
    yield f"mode {session.mode}"
    for rule in (*rules.deny, *rules.ask, *rules.allow):
        yield f"  {rule.behavior:<6} {rule.text}  {rule.source} {rule.where}".rstrip()
    if not (rules.deny or rules.ask or rules.allow):
        yield "  There are no rules: the mode decides."
    judge = vars(session).get("classifier")  # there only once it was asked
    denied = judge.denials.calls if judge else []
    if denied:
        yield "Denied by auto mode's classifier, the last one last; say so in your own words if one is to be done:"
    for call, reason in denied[-SHOWN:]:
        given = ", ".join(str(value) for value in (call.input or {}).values())
        yield f"  {call.name}({given[:WIDE]}): {reason}"
