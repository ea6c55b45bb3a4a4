"""Deciding in a fixed place: project `/home/u/proj`, no links but those given."""

from collections.abc import Iterable
from pathlib import Path

from harness.effects import Effect, Reads, Runs, Writes
from harness.messages import Mode, ToolCall
from harness.permissions import Decision, Roots, Rules
from harness.permissions.decide import decide
from harness.sandbox.policy import Granted
from tests.corpus.decisions import PROJECT, decided, roots_for


def rules(allow: Iterable[str] = (), deny: Iterable[str] = (), ask: Iterable[str] = ()) -> Rules:
    return Rules.parse({"allow": allow, "deny": deny, "ask": ask}, "project", PROJECT)


def call(name: str, **fields: object) -> ToolCall:
    return ToolCall("c", name, "{}", fields)


def on_command(
    command: str, given: Rules | None = None, mode: Mode = "default", *, sandbox: Granted | None = None,
    unsandboxed: bool = False, roots: Roots | None = None,
) -> Decision:  # fmt: skip
    runs = Runs(command, PROJECT, unsandboxed)
    return decide(call("Bash", command=command), [runs], given or rules(), mode, roots or roots_for(), sandbox)


def on_path(
    tool: str, path: str, given: Rules | None = None, mode: Mode = "default", roots: Roots | None = None
) -> Decision:
    where = Path(path) if path.startswith("/") else PROJECT / path
    effect: Effect = Reads(where) if tool in {"Read", "Grep", "Glob"} else Writes(where)
    return decide(call(tool), [effect], given or rules(), mode, roots or roots_for())


def command(text: str, *args, **kwargs) -> str:
    return decided(on_command(text, *args, **kwargs))


def path(tool: str, where: str, *args, **kwargs) -> str:
    return decided(on_path(tool, where, *args, **kwargs))
