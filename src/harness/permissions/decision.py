"""The answers of the permission engine."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Allow:
    """`source`: rule, mode or sandbox. `rule`: the rule's text where one decided."""

    source: str
    reason: str
    rule: str = ""


@dataclass(frozen=True, slots=True)
class Deny:
    source: str
    reason: str
    rule: str = ""


@dataclass(frozen=True, slots=True)
class Ask:
    """`suggestions` are rules that would have allowed this, the narrowest first.

    `classifiable`: in `auto` mode the classifier may answer instead of the person (never for an explicit ask
    rule, a critical removal, or a question that is the person's own).
    """

    source: str
    reason: str
    rule: str = ""
    suggestions: tuple[str, ...] = ()
    classifiable: bool = False


Decision = Allow | Deny | Ask
