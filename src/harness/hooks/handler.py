"""A handler: one thing to be asked at an event, whoever brought it."""

from collections.abc import Awaitable, Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from harness.effects import Effect
from harness.hooks.verdict import Verdict
from harness.messages import ToolCall

Json = dict[str, Any]


class HookFailed(Exception):
    """A handler that gave no answer: it could not be started, crashed, or said what nobody can read."""


@dataclass(frozen=True, slots=True)
class Ran:
    """How one handler ended: its answer, and what it said for whoever watches."""

    verdict: Verdict
    output: str = ""
    stderr: str = ""
    exit_code: int | None = None


Run = Callable[[Json, str | None], Awaitable[Ran]]
Concern = Literal["yes", "unsure", "no"]
Concerns = Callable[[ToolCall, Sequence[Effect]], Concern]


@dataclass(frozen=True, slots=True)
class Handler:
    """`matches` says whether a tool's (agent's, source's) name is meant. `run` gets the event's input and the
    call's id; it raises `HookFailed`. Handlers with the same `key` are one. `timeout` is in seconds.

    `concerns` narrows further, by what a call would do; where it is unsure the handler is asked, and its allow does
    not count. None: all calls of the tools that `matches` means.

    `guards`: without an answer, what it was asked about is refused. `only_narrows`: its allow does not count,
    because whom it is for could not be read. `keeps_rights`: of a repository; it may answer, and changes neither mode
    nor rules nor directories. `background`: nobody waits for it.
    """

    event: str
    matches: Callable[[str], bool]
    name: str
    run: Run
    timeout: float
    key: Hashable
    concerns: Concerns | None = None
    guards: bool = False
    only_narrows: bool = False
    keeps_rights: bool = False
    background: bool = False
    status: str = ""
