"""One turn's tally, and the result it comes to."""

import time
from dataclasses import dataclass, field
from typing import Any

from harness.errors import EXIT_ERROR, EXIT_INTERRUPTED, EXIT_OK, ProviderError
from harness.events import Denial, Result, ResultSubtype
from harness.messages import Stop, ToolCall, Usage
from harness.providers.port import Model

_WELL = frozenset({"completed", "tool_deferred"})  # terminal reasons that are no error


@dataclass(frozen=True, slots=True)
class Spent:
    """A request beside the conversation was answered: inside the loop only, for the turn's bill."""

    model: str
    usage: Usage | None
    cost: float | None


@dataclass(frozen=True, slots=True)
class Bill:
    """What a session has cost so far, as `Turn` counts it."""

    cost: float = 0.0
    priced: int = 0
    unpriced: int = 0
    by_model: dict[str, tuple[Usage, float]] = field(default_factory=dict)


@dataclass(slots=True)
class Turn:
    """`ended` is the terminal reason, in the words of `conventions.md` 1.4; empty while the turn goes on."""

    began: float = field(default_factory=time.monotonic)
    api_seconds: float = 0.0
    requests: int = 0
    usage: Usage = field(default_factory=Usage)
    cost: float = 0.0  # US dollars of the messages that have a price
    priced: int = 0  # messages whose cost is known
    unpriced: int = 0
    by_model: dict[str, tuple[Usage, float]] = field(default_factory=dict)
    denials: list[Denial] = field(default_factory=list)
    malformed: int = 0  # messages in a row whose calls were all unusable
    sent_back: int = 0  # times that a Stop hook made the model go on
    text: str = ""
    stop: Stop | None = None
    ended: str = ""
    error: ProviderError | None = None
    errors: list[str] = field(default_factory=list)
    overflows: int = 0  # requests that were refused as too long
    structured: Any = None  # the answer that a schema was given for
    deferred: ToolCall | None = None  # the call that waits for the session's next turn, as the model wrote it
    squeeze: bool = False  # the next one is to be made shorter first

    def spend(self, model: str, usage: Usage | None, cost: float | None) -> None:
        """A message has come. Each is priced when it comes: another model later changes nothing of it."""
        self.usage += usage or Usage()
        self.aside(model, usage, cost)

    def aside(self, model: str, usage: Usage | None, cost: float | None) -> None:
        """A request beside the conversation (a compaction): it costs, but is none of the turn's own usage."""
        before, paid = self.by_model.get(model, (Usage(), 0.0))
        self.by_model[model] = before + (usage or Usage()), paid + (cost or 0.0)
        self.cost += cost or 0.0
        self.priced += cost is not None
        self.unpriced += cost is None

    def end(self, reason: str, error: str = "") -> None:
        self.ended = reason
        if error:
            self.errors.append(error)

    def fail(self, error: ProviderError) -> None:
        self.error = error
        self.ended = "prompt_too_long" if error.kind == "overflow" else "api_error"

    @staticmethod
    def after(spent: "Bill") -> "Turn":
        """The next turn of a session: cost and usage by model go on from what was spent before."""
        return Turn(cost=spent.cost, priced=spent.priced, unpriced=spent.unpriced, by_model=dict(spent.by_model))

    @property
    def bill(self) -> "Bill":
        return Bill(self.cost, self.priced, self.unpriced, dict(self.by_model))

    def result(self, model: Model, context: dict[str, Any] | None = None) -> Result:
        """The turn's one result. A failed request is `success` with `is_error`, as the SDKs expect it."""
        return Result(
            subtype=self._subtype(),
            is_error=self.ended not in _WELL,
            result=f"API Error: {self.error}" if self.error else self.text,
            num_turns=self.requests,
            duration_ms=round((time.monotonic() - self.began) * 1000),
            duration_api_ms=round(self.api_seconds * 1000),
            usage=self.usage,
            model=model.id,
            context_window=model.context_window,
            max_output=model.max_output,
            stop_reason=self.ended if self.deferred else self.stop,
            terminal_reason=self.ended,
            permission_denials=tuple(self.denials),
            errors=tuple(self.errors),
            api_error_status=self.error.status if self.error else None,
            by_model=self.by_model,
            total_cost_usd=self.cost,
            cost_known=self.priced > 0 and not self.unpriced,
            exit_code=self._exit_code(),
            context=context,
            structured_output=self.structured,
            deferred_tool_use=_plain(self.deferred) if self.deferred else None,
        )

    def _subtype(self) -> ResultSubtype:
        if self.ended in _WELL or self.error:
            return "success"
        named: dict[str, ResultSubtype] = {"max_turns": "error_max_turns", "budget_exhausted": "error_max_budget_usd"}
        named["structured_output_retry_exhausted"] = "error_max_structured_output_retries"
        return named.get(self.ended, "error_during_execution")

    def _exit_code(self) -> int:
        if self.error:
            return self.error.exit_code
        if self.ended.startswith("aborted"):
            return EXIT_INTERRUPTED
        return EXIT_OK if self.ended in _WELL else EXIT_ERROR


def _plain(call: ToolCall) -> dict[str, Any]:
    return {"id": call.id, "name": call.name, "input": dict(call.input or {})}


def stillborn(error: Exception, reason: str, model: str) -> Result:
    """The one result of a turn that failed outside of the loop; `reason` is its terminal reason."""
    turn = Turn()
    if isinstance(error, ProviderError):
        turn.fail(error)
        turn.ended = reason if reason == "turn_setup_failed" else turn.ended
    else:
        turn.end(reason, str(error) or type(error).__name__)
    return turn.result(Model(model, ""))
