"""A permission question as text for a person, and what they type as its answer. Pure."""

from collections.abc import Iterator

from harness.asks import Answer
from harness.events import PermissionRequest
from harness.render import safe

PLACE = ".harness/settings.local.json"


def shown(request: PermissionRequest) -> str:
    """What would run, whole and exact, since all of it is what is allowed; why it is asked; what may be answered."""
    return "".join(f"{line}\n" for line in _lines(request))


def _lines(request: PermissionRequest) -> Iterator[str]:
    yield f"\n? {safe(request.call.name)}: {safe(request.reason)}"
    for name, value in (request.call.input or {}).items():
        yield from _whole(safe(name), value if isinstance(value, str) else repr(value))
    if request.again:
        yield f"  asked again: {safe(request.again)}"
    for number, rule in enumerate(request.suggestions):
        yield f"  rule: {_one_line(rule)}"
        like, unlike = request.examples[number] if number < len(request.examples) else ("", "")
        if like and unlike:
            yield f"        allows: {_one_line(like)}    but not: {_one_line(unlike)}"


def choices(request: PermissionRequest) -> str:
    if not request.suggestions:
        return "[y]es once, [n]o, or say why not: "
    kept = f", [a]lways (saved in {PLACE})" if request.savable else ""
    return f"[y]es once, [s] by the rule for this session{kept}, [n]o, or say why not: "


def answer(said: str, request: PermissionRequest) -> Answer:
    """Any other text refuses, and is the reason."""
    said = said.strip()
    rules = request.suggestions
    match said.lower():
        case "y" | "yes":
            return Answer("allow")
        case "s" | "session" if rules:
            return Answer("allow", rules=rules)
        case "a" | "always" if rules:
            return Answer("allow", rules=rules, save=request.savable)
        case "n" | "no" | "":
            return Answer("deny", stop=True)
    return Answer("deny", reason=said)


def _whole(name: str, value: str) -> Iterator[str]:
    """All of an input: never cut, every unusual character escaped."""
    if "\n" not in value:
        yield f"  {name}: {safe(value)}"
        return
    yield f"  {name}:"
    yield from (f"    | {safe(line)}" for line in value.split("\n"))


def _one_line(text: str) -> str:
    return safe(text).replace("\n", "\\n").replace("\t", "\\t")
