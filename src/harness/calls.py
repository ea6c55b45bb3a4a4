"""A call before it is run: what it needs, the tool that it names, its validated input, its effects and the decision."""

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from harness.asks import Asks
from harness.checkpoints import Checkpoints
from harness.errors import ToolError
from harness.events import Denial, Event, Notice
from harness.messages import Mode, ToolCall, ToolResult
from harness.permissions.decision import Ask, Decision, Deny
from harness.tools.tool import Context, Tool

if TYPE_CHECKING:  # most sessions have no hooks, many no questions; effects come with the first call
    from harness.effects import Effect
    from harness.hooks.asking import Hooks
    from harness.permissions.offer import Offer


class Toolbox(Protocol):
    """The tools on offer. `specs` is their encoded JSON array; `find` loads a tool's module on first use."""

    @property
    def specs(self) -> bytes: ...

    @property
    def names(self) -> Sequence[str]: ...

    @property
    def pending(self) -> bool:
        """Whether the specs are to change at the next declared break."""
        ...

    def reveal(self) -> Sequence[str]:
        """That break: the names that entered the specs."""
        ...

    def find(self, name: str) -> Tool | None: ...

    def parse(self, tool: Tool, given: Mapping[str, Any]) -> Any:
        """The tool's validated input; raises `ToolError` naming the field, the rule and the mend."""
        ...


@dataclass(slots=True)
class Calls:
    """What executing a call needs. `asks` is None where nobody can be asked: what would ask is denied.

    `memory`: the standing instructions that count from now on because a file has been read.
    `updates` applies permission updates of an answer (`sdk.md` 3.2); one that is invalid makes it apply none.
    """

    toolbox: Toolbox
    context: Context
    decide: "Callable[[ToolCall, Sequence[Effect], Mapping[Path, Path]], Decision]"
    mode: Callable[[], Mode]
    allow_rule: Callable[[str], None]
    memory: Callable[[Path], str] = lambda _path: ""
    asks: Asks | None = None
    hooks: "Hooks | None" = None
    updates: Callable[[Sequence[Mapping[str, Any]]], None] = lambda _: None
    offer: "Callable[[ToolCall, Sequence[Effect], Ask], Offer] | None" = None
    save: Callable[[Sequence[str]], Event] | None = None  # rules of an answer, for later sessions
    agent: str = ""  # whose calls these are: a sub-agent's id
    classify: Callable[[ToolCall, Ask], AsyncGenerator[Any, None]] | None = None  # see `Classifier.judge`
    checkpoints: Checkpoints | None = None
    placed: "Callable[[Effect], Effect]" = lambda effect: effect  # see `Leaving`
    defers: bool = False  # whether a call that a hook defers may wait for the session's next turn
    alone: bool = False  # the call is the only one of its message


@dataclass(frozen=True, slots=True)
class Prepared:
    """A call as far as it can be known without running it. `problem` answers a call that cannot be run.

    `call` names the tool and its fields as they are, however the model spelt them: rules go by those names.
    """

    call: ToolCall
    tool: Tool | None = None
    args: Any = None
    effects: "tuple[Effect, ...]" = ()
    problem: str = ""


@dataclass(frozen=True, slots=True)
class ToolEnd:
    """The end of one call: inside the loop only; surfaces see the result as a `user` event. A deferred one has none.

    `stop_turn`: the person said no, and no more. `halt`: a hook ends the turn, and why.
    """

    result: ToolResult
    outcome: Literal["ran", "malformed", "denied", "deferred"] = "ran"
    stop_turn: bool = False
    halt: str | None = None
    denied: tuple[Denial, ...] = ()  # hosts that it was not let reach
    content: str = ""  # digest of what the file that was changed holds now


def prepare(call: ToolCall, calls: Calls) -> Prepared:
    """Find the tool, validate the input, declare the effects. Never raises for what a model can write."""
    if call.problem or call.input is None:
        return Prepared(call, problem=call.problem or "The arguments are not a JSON object.")
    tool = calls.toolbox.find(call.name)
    if tool is None:
        return Prepared(call, problem=f"There is no tool named {call.name!r}. {_meant(call.name, calls.toolbox.names)}")
    try:
        args = calls.toolbox.parse(tool, call.input)
        effects = tuple(map(calls.placed, tool.effects(args, calls.context.cwd)))
    except ToolError as error:
        return Prepared(call, tool, problem=str(error))
    given = args.model_dump(mode="json", by_alias=True, exclude_unset=True)
    return Prepared(replace(call, name=tool.name, input=given), tool, args, effects)


def deferred(prepared: Prepared, calls: Calls) -> "ToolEnd | Notice | None":
    """What becomes of a call that a hook defers: it ends, or else it is asked about, which is told, or denied.

    Only the one call of a message can be taken up again later without leaving others unanswered.
    """
    if isinstance(judge(prepared, calls)[1], Deny):
        return None
    if calls.defers and calls.alone:
        return ToolEnd(ToolResult(prepared.call.id, ()), "deferred")
    why = (
        "it is not the only call of its message"
        if calls.defers
        else "only a session without a person, that is kept, can be left so"
    )
    if calls.agent:
        why = "it is a sub-agent's"
    text = f"A hook defers the call of {prepared.call.name}, which cannot wait ({why}): it is asked about."
    return Notice(level="warning", cause="hook", text=text)


def _meant(name: str, known: Sequence[str]) -> str:
    from difflib import get_close_matches  # noqa: PLC0415  seldom wanted

    near = get_close_matches(name, known, 1)
    return f"Did you mean {near[0]}?" if near else f"The tools are: {', '.join(known)}."


def judge(prepared: Prepared, calls: Calls) -> tuple[dict[Path, Path], Decision]:
    """The decision, and where the call's paths lead: what is opened later must be what was decided on."""
    from harness.effects import Reads, Writes  # noqa: PLC0415  there by now: a tool has told its effects

    paths = [effect.path for effect in prepared.effects if isinstance(effect, Reads | Writes)]
    real = {path: calls.context.files.real(path) for path in paths}
    return real, calls.decide(prepared.call, prepared.effects, real)
