"""Permission rules: `Tool` or `Tool(specifier)`, in the grammar of people's settings files.

Pure: the caller reads the files and says where each rule stood; what cannot be used comes back as a
`RuleWarning`, never as an exception, so that one bad line does not switch the others off.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, TypeAlias

from harness.messages import TOOL_ALIASES, tool_names
from harness.permissions.patterns import pattern_problem
from harness.permissions.tables import names
from harness.permissions.wildcard import glob_match

Behavior = Literal["deny", "ask", "allow"]
Source = Literal["managed", "user", "project", "local", "file", "flag", "session"]
# What a specifier means: nothing (the whole tool), a command, a path, a host, an input field, a name.
Kind = Literal["tool", "bash", "path", "domain", "param", "name"]

EDITORS = frozenset({"Edit", "Write", "MultiEdit", "NotebookEdit"})
READERS = frozenset({"Read", "Grep", "Glob", "LS", "LSP", "NotebookRead"})
SHELLS = frozenset({"Bash", "Monitor"})
# Tools whose rules name one of them: the input field that holds the name.
NAMED: Mapping[str, str] = {"Agent": "subagent_type", "Skill": "skill"}
# Input fields that the tool's own specifier is about; `Tool(field:value)` on them would be a second, weaker
# way to say the same, so it is refused with a warning.
PRIMARY = frozenset({"command", "file_path", "path", "notebook_path", "url"})
# Fields a rule may name on tools whose specifier could be mistaken for one.
FIELDS: Mapping[str, frozenset[str]] = {
    "Bash": frozenset({"timeout", "description", "run_in_background", "dangerouslyDisableSandbox"}),
    "Monitor": frozenset({"description", "timeout_ms", "persistent"}),
    "Read": frozenset({"offset", "limit", "pages"}),
    "Edit": frozenset({"replace_all"}),
    "Write": frozenset(),
    "WebFetch": frozenset({"prompt"}),
}
KNOWN_TOOLS = (
    EDITORS | READERS | SHELLS | NAMED.keys()
    | names(
        "AskUserQuestion BashOutput Cd CronCreate CronDelete CronList EnterPlanMode EnterWorktree ExitPlanMode "
        "ExitWorktree KillShell ListAgents ListMcpResources ListMcpResourcesTool PowerShell PushNotification "
        "ReadMcpResource ReadMcpResourceTool ScheduleWakeup SendMessage TaskCreate TaskGet TaskList TaskOutput "
        "TaskStop TaskUpdate TodoWrite ToolSearch WaitForMcpServers WebFetch WebSearch Workflow"
    )
)  # fmt: skip
_RULE = re.compile(r"(?P<tool>[A-Za-z0-9_*.:-]+)(?:\((?P<specifier>.*)\))?\s*\Z", re.DOTALL)
_FIELD = re.compile(r"(?P<field>[A-Za-z_]\w*):(?P<value>.*)\Z", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. `anchor` is the directory that a path written `/p` starts from (by the rule's source).

    `where` says for people where the rule stands, as `file:line`.
    """

    text: str
    behavior: Behavior
    source: Source
    anchor: Path
    tool: str
    kind: Kind
    specifier: str = ""
    field: str = ""  # the input field of a `param` or `name` rule
    where: str = ""

    def names(self, tool: str) -> bool:
        """Whether the rule's tool part covers `tool`, as itself, by a glob, as its MCP server, or its family."""
        return _names(self.tool, tool)


@dataclass(frozen=True, slots=True)
class RuleWarning:
    """A rule that is not used (`rule` None), or that is used and probably not what was meant."""

    text: str
    what: str
    where: str = ""

    def __str__(self) -> str:
        return f"{self.where + ': ' if self.where else ''}permission rule {self.text!r}: {self.what}"


_WHOLE_TOOL: tuple[Kind, str, str, str] = ("tool", "", "", "")
Parsed: TypeAlias = tuple[Rule | None, RuleWarning | None]


@lru_cache(maxsize=4096)
def _names(pattern: str, tool: str) -> bool:
    called = tool_names(tool)
    if pattern in called or ("*" in pattern and any(glob_match(pattern, each) for each in called)):
        return True
    if pattern.startswith("mcp__"):
        return pattern.count("__") == 1 and tool.startswith(pattern + "__")
    return tool in {"Edit": EDITORS, "Read": READERS, "Bash": SHELLS}.get(pattern, ())


def parse_rule(
    text: str, behavior: Behavior, source: Source, anchor: Path, *, where: str = "", known: Collection[str] = ()
) -> Parsed:
    """Read one rule. Gives the rule, or None with a warning; a usable rule may have a warning too.

    `known` are names of tools beyond the built-in ones.
    """
    match = _RULE.match(text.strip())
    if not match:
        return None, RuleWarning(text, "not of the form Tool or Tool(specifier); it is ignored", where)
    tool = TOOL_ALIASES.get(match["tool"], match["tool"])
    if match["specifier"] in {None, "*"}:
        kind, value, field_, problem = _WHOLE_TOOL
    else:
        kind, value, field_, problem = _specifier(tool, match["specifier"], behavior)
    problem = problem or _tool_problem(tool, behavior)
    if problem:
        return None, RuleWarning(text, f"{problem}; it is ignored", where)
    rule = Rule(text.strip(), behavior, source, anchor, tool, kind, value, field_, where)
    unknown = behavior != "allow" and not (set("_*") & set(tool) or tool in KNOWN_TOOLS or tool in known)
    return rule, RuleWarning(text, "there is no tool of that name", where) if unknown else None


def _tool_problem(tool: str, behavior: Behavior) -> str:
    """Allow rules take globs only below one literal MCP server: a glob there would approve tools unseen."""
    if behavior == "allow" and "*" in tool and not re.match(r"mcp__[A-Za-z0-9.-]+(?:_[A-Za-z0-9.-]+)*__", tool):
        return "an allow rule takes a * in the tool's name only after mcp__<server>__"
    return ""


def _specifier(tool: str, specifier: str, behavior: Behavior) -> tuple[Kind, str, str, str]:
    """The kind, value and field of a specifier, or the problem with it."""
    if not specifier.strip():
        return "tool", "", "", "the specifier is empty"
    param = _FIELD.match(specifier)
    if param and tool not in {"Skill", "Cd"}:
        own = tool in SHELLS | EDITORS | READERS | {"WebFetch"}  # a colon may be a part of their own specifiers
        if param["field"] in FIELDS.get(tool, ()) or param["field"] in PRIMARY or not own:
            return _param(param, behavior)
    if tool in SHELLS:
        return "bash", specifier, "", ""
    if tool in EDITORS | READERS | {"Cd"}:
        return _path(tool, specifier)
    if tool == "WebFetch":
        host = specifier.removeprefix("domain:").strip().lower().rstrip(".")
        return "domain", host, "", "" if specifier.startswith("domain:") and host else "WebFetch takes domain:HOST"
    if tool in NAMED:
        return "name", specifier, NAMED[tool], ""
    return "tool", "", "", f"{tool} takes no specifier"


def _path(tool: str, specifier: str) -> tuple[Kind, str, str, str]:
    family = "Edit" if tool in EDITORS else "Read"
    if tool not in {family, "Cd"}:
        return "path", "", "", f"path rules of {tool} are not consulted, write {family}({specifier})"
    return "path", specifier, "", pattern_problem(specifier)


def _param(param: re.Match[str], behavior: Behavior) -> tuple[Kind, str, str, str]:
    name = param["field"]
    if name in PRIMARY:
        return "param", "", name, f"'{name}' cannot be matched by field, use the tool's own specifier"
    if behavior == "allow":
        return "param", "", name, "rules on an input field can deny or ask, not allow"
    return "param", param["value"], name, ""


def split_rules(value: str) -> list[str]:
    """Split a flag's value at commas and blanks that stand outside parentheses."""
    parts, depth, start = [], 0, 0
    for index, char in enumerate(value):
        depth = max(0, depth + (char == "(") - (char == ")"))
        if depth == 0 and (char == "," or char.isspace()):
            parts.append(value[start:index])
            start = index + 1
    parts.append(value[start:])
    return [part for part in parts if part]


@dataclass(frozen=True, slots=True)
class Rules:
    """Rules of all sources, pooled: deny before ask before allow, whatever their source or precision."""

    deny: tuple[Rule, ...] = ()
    ask: tuple[Rule, ...] = ()
    allow: tuple[Rule, ...] = ()
    warnings: tuple[RuleWarning, ...] = field(default=(), compare=False)

    def __add__(self, other: "Rules") -> "Rules":
        return Rules(
            self.deny + other.deny, self.ask + other.ask, self.allow + other.allow, self.warnings + other.warnings
        )

    @staticmethod
    def parse(
        texts: Mapping[Behavior, Iterable[str]], source: Source, anchor: Path, *, where: str = "",
        known: Collection[str] = (),
    ) -> "Rules":  # fmt: skip
        """Read the lists of one source, such as `{"allow": [...], "deny": [...]}`."""
        pool: dict[str, list[Rule]] = {"deny": [], "ask": [], "allow": []}
        warnings: list[RuleWarning] = []
        for behavior, lines in texts.items():
            for text in lines:
                rule, warning = parse_rule(text, behavior, source, anchor, where=where, known=known)
                pool[behavior] += [rule] if rule else []
                warnings += [warning] if warning else []
        return Rules(tuple(pool["deny"]), tuple(pool["ask"]), tuple(pool["allow"]), tuple(warnings))


def tool_rule(rules: Iterable[Rule], tool: str, fields: Mapping[str, Any]) -> Rule | None:
    """The first rule about this call as a whole: a bare name, an input field, or a named agent or skill."""
    return next((rule for rule in rules if rule.names(tool) and _about_call(rule, fields)), None)


def _about_call(rule: Rule, fields: Mapping[str, Any]) -> bool:
    if rule.kind == "tool":
        return True
    if rule.kind not in {"param", "name"}:
        return False
    value = fields.get(rule.field)
    if value is None or isinstance(value, list | dict):
        return False
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return glob_match(rule.specifier, text) or (
        rule.kind == "name" and rule.specifier.endswith(" *") and rule.specifier[:-2] == text
    )


def removed_tools(rules: Rules, names: Iterable[str]) -> set[str]:
    """The tools that a bare deny takes away from the model altogether."""
    bare = [rule for rule in rules.deny if rule.kind == "tool"]
    return {name for name in names if any(rule.names(name) for rule in bare)}


# Programs for which an allow rule amounts to allowing anything; `auto` leaves such rules to its classifier.
_INTERPRETERS = names(
    "ash bash bun bunx dash deno docker env eval exec fish ksh lua make node npx nu perl php pip pipx pnpm podman "
    "pwsh pypy python ruby sh ssh sudo doas tclsh uv uvx xargs yarn zsh npm"
)


def broad(rule: Rule) -> bool:
    """Whether an allow rule is too wide to stand in for `auto` mode's classifier."""
    if rule.kind == "tool":
        return rule.tool in SHELLS | {"Agent"}
    if rule.kind != "bash" or "*" not in rule.specifier:
        return False
    head, _, rest = re.sub(r":\*\Z", " *", rule.specifier).partition(" ")
    program = re.sub(r"[\d.]*\*?\Z", "", head)
    anything = {"", "*", *(f"{word} *" for word in ("run", "exec", "-c", "-e", "-m"))}
    return head.startswith("*") or (program in _INTERPRETERS and rest in anything)
