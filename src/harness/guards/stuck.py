"""Notice when work goes round in circles, say so to the model with the evidence, and stop it in the end. Pure.

Seen over a sliding window of calls: the same call with the same result, two calls in turn, one error under many
arguments, a file that is changed back and forth, and many calls that bring nothing new. Waiting for something is no
circle: calls that poll are passed over.
"""

import re
from collections import Counter, deque
from dataclasses import dataclass, field
from hashlib import blake2b

from harness.messages import ToolCall, ToolResult

SAME = 3  # times in a row that one call may have one result
PERIODS = 3  # times that two calls may alternate with the same results
ERRORS, ERRORS_IN = 4, 8  # one error under different arguments, among so many calls
REVISITS = 2  # times that a file may come back to a content it had
NOTHING_NEW = 25  # calls without a result that was not seen before
RUNGS = 2  # times that the model is told before it is stopped
CALM = 12  # calls without a finding after which all is forgiven
_POLLS = re.compile(
    r"\b(sleep|wait|watch|tail\s+-[fF]|until|inotifywait)\b|--(watch|wait|follow)\b|\b(status|describe|ps|top|logs)\b"
)
_WAITING = frozenset({"TaskOutput", "Monitor", "BashOutput"})
_VARIES = re.compile(r"0x[0-9a-fA-F]+|\d+|(['\"]).*?\1|/[\w./-]+|\b[0-9a-f]{7,}\b")


@dataclass(frozen=True, slots=True)
class Circle:
    """What was found, and the evidence as the model and the person read it."""

    kind: str
    evidence: str


@dataclass(frozen=True, slots=True)
class _Seen:
    call: str
    result: str
    error: str
    name: str
    polls: bool


@dataclass(slots=True)
class Watch:
    """Notes each call; `found` is what goes round now. One for a session."""

    _calls: deque[_Seen] = field(default_factory=lambda: deque(maxlen=64))
    _contents: dict[str, list[str]] = field(default_factory=dict)  # path -> the contents it had, by digest
    _results: deque[str] = field(default_factory=lambda: deque(maxlen=4096))
    _known: Counter[str] = field(default_factory=Counter)
    _stale: int = 0  # calls in a row without anything new

    def note(self, call: ToolCall, result: ToolResult, content: str = "") -> None:
        """A call has ended. `content`: a digest of what the file that it changed holds now."""
        text = result.text
        seen = _Seen(
            _digest(call.name, call.arguments),
            _digest(text),
            _VARIES.sub("#", text)[:300] if result.is_error else "",
            call.name,
            _polls(call),
        )
        self._calls.append(seen)
        fresh = self._known[seen.result] == 0
        self._remember(seen.result)
        self._stale = 0 if fresh or seen.polls else self._stale + 1
        path = str((call.input or {}).get("file_path", ""))
        if content and path and not result.is_error:
            self._contents.setdefault(path, []).append(content)
            del self._contents[path][:-16]

    def found(self) -> Circle | None:
        """The first circle that the last call closes."""
        if not self._calls or self._calls[-1].polls:
            return None
        checks = (self._same, self._alternating, self._one_error, self._back_and_forth, self._nothing_new)
        return next((circle for check in checks if (circle := check())), None)

    def forget(self) -> None:
        """Begin anew: something was said or done about it."""
        self._calls.clear()
        self._contents.clear()
        self._stale = 0

    def _remember(self, result: str) -> None:
        if len(self._results) == self._results.maxlen:
            self._known[self._results[0]] -= 1
        self._results.append(result)
        self._known[result] += 1

    def _same(self) -> Circle | None:
        last = list(self._calls)[-SAME:]
        if len(last) == SAME and len({(each.call, each.result) for each in last}) == 1:
            return Circle("identical", f"The same {last[0].name} call gave the same result {SAME} times in a row.")
        return None

    def _alternating(self) -> Circle | None:
        last = [(each.call, each.result) for each in self._calls][-2 * PERIODS :]
        if len(last) == 2 * PERIODS and len(set(last)) == 2 and last[0] != last[1] and last[:-2] == last[2:]:
            names = " and ".join(each.name for each in list(self._calls)[-2:])
            return Circle("oscillation", f"{names} were called in turn {PERIODS} times, with the same results.")
        return None

    def _one_error(self) -> Circle | None:
        last = self._calls[-1]
        same = [each for each in list(self._calls)[-ERRORS_IN:] if each.error and each.error == last.error]
        if last.error and len(same) >= ERRORS and len({each.call for each in same}) >= ERRORS - 1:  # a test run is one
            return Circle("error", f"{len(same)} of the last {ERRORS_IN} calls failed alike: {last.error[:200]}")
        return None

    def _back_and_forth(self) -> Circle | None:
        for path, contents in self._contents.items():
            changed = [new for old, new in zip(["", *contents], contents, strict=False) if old != new]
            if len(changed) > 2 * REVISITS and changed.count(changed[-1]) > REVISITS:
                times = changed.count(changed[-1])
                return Circle("undo", f"{path} has come back to the same content {times} times, changed to and fro.")
        return None

    def _nothing_new(self) -> Circle | None:
        if self._stale < NOTHING_NEW:
            return None
        return Circle("nothing_new", f"The last {self._stale} calls showed nothing that had not been seen before.")


@dataclass(slots=True)
class Ladder:
    """What is done about circles: evidence, then a demand for a new plan, then the end."""

    rung: int = 0
    _since: int = 0

    def calm(self) -> None:
        """A call that closed no circle."""
        self._since += 1
        if self._since >= CALM:
            self.rung = 0

    def climb(self, circle: Circle) -> str:
        """What the model is told: twice, see RUNGS."""
        self.rung, self._since = self.rung + 1, 0
        if self.rung == 1:
            return (
                f"{circle.evidence} Doing it again will not help. Say what this rules out, and do something else: "
                "look at another place, read the exact error, or test one assumption."
            )
        return (
            f"{circle.evidence} This is the second time that the work goes round in circles. Stop and write down: what "
            "you know for certain, two other explanations, and a new plan of at most five steps. Then take its first "
            "step. If the task cannot be done here, say so and finish."
        )


def _polls(call: ToolCall) -> bool:
    if call.name in _WAITING:
        return True
    command = (call.input or {}).get("command")
    return isinstance(command, str) and bool(_POLLS.search(command))


def _digest(*texts: str) -> str:
    return blake2b("\0".join(texts).encode("utf-8", "replace"), digest_size=12).hexdigest()
