"""Playing a script: which step answers a request, with what captures, and what was wrong on the way."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from harness.scripted.chat import Chat
from harness.scripted.script import Expect, Script, Step, When
from harness.scripted.template import NotANumber, fill

_ABSENT = object()


class Refused(ValueError):
    """The script has no answer for this request, or the request is not what a step expects."""


@dataclass(frozen=True, slots=True)
class Turn:
    """The answer to one request: a step with its templates filled. `arguments` are those of its calls, in order."""

    number: int
    step: Step
    text: str
    reasoning: str
    arguments: tuple[Any, ...]
    body: str | None
    error: str | None


class Play:
    """A script in use: counts requests and how often each step may still answer."""

    def __init__(self, script: Script) -> None:
        self._script = script
        self._left = [step.times for step in script.steps]
        self.requests = 0

    def answer(self, chat: Chat) -> Turn:
        """The first step in the file that matches and is not used up, filled from the request.

        Raises:
            Refused: none does, the step's `expect` does not hold, or a capture cannot be used.
        """
        self.requests += 1
        for index, step in enumerate(self._script.steps):
            left = self._left[index]
            captures = match(step.when, chat, self.requests) if left != 0 else None
            if captures is None:
                continue
            self._left[index] = None if left is None else left - 1
            if problems := unmet(step.expect, chat):
                raise Refused(f"request {self.requests}, {step.name}: {'; '.join(problems)}")
            return self._turn(step, captures)
        raise Refused(f"no step answers request {self.requests}: {_described(chat)}; {self._unused()}")

    def _turn(self, step: Step, captures: Mapping[str, str]) -> Turn:
        try:
            return Turn(
                self.requests,
                step,
                fill(step.text, captures),
                fill(step.reasoning, captures),
                tuple(fill(call.arguments, captures) for call in step.calls),
                fill(step.http.body, captures),
                fill(step.http.error, captures),
            )
        except NotANumber as error:
            raise Refused(f"request {self.requests}, {step.name}: {error}") from None

    def _unused(self) -> str:
        names = [step.name for step, left in zip(self._script.steps, self._left, strict=True) if left != 0]
        return f"steps not used up: {', '.join(names)}" if names else "every step is used up"


def match(when: When, chat: Chat, number: int) -> dict[str, str] | None:
    """The captures of a request that meets every condition; None where one is not met."""
    fresh = [result.text for result in chat.fresh if when.tool in {None, result.tool}]
    plain = (
        when.request in {None, number}
        and when.messages in {None, len(chat.messages)}
        and when.last in {None, chat.last_role}
        and (when.tool is None or fresh)
    )
    if not plain:
        return None
    user, system = chat.text_of("user"), chat.text_of("system", "developer")
    captures = {"request": str(number), "user": user, "result": fresh[-1] if fresh else ""}
    searches = (
        (when.system, [system]),
        (when.user, [user]),
        (when.result, fresh),
        (when.any_result, [result.text for result in reversed(chat.results)]),
        (when.any_user, chat.all_of("user")),
    )
    for patterns, texts in searches:
        for pattern in patterns:
            found = _first(pattern, texts)
            if found is None:
                return None
            captures |= found.groupdict("")
    return captures


def _first(pattern: re.Pattern[str], texts: Iterable[str]) -> re.Match[str] | None:
    return next((found for text in texts if (found := pattern.search(text))), None)


def unmet(expect: Expect, chat: Chat) -> list[str]:
    """What of a step's `expect` the request does not hold."""
    everything = "\n".join(chat.texts)
    problems = [f"expected {text!r} in a message" for text in expect.contains if text not in everything]
    problems += [f"did not expect {text!r} in any message" for text in expect.lacks if text in everything]
    problems += [f"expected the tool {name} to be offered" for name in expect.tools if name not in chat.offered]
    for path, value in expect.fields.items():
        found = _at(chat.body, path)
        if found != value:
            problems.append(f"expected {path} to be {value!r}, not {'absent' if found is _ABSENT else repr(found)}")
    for name, pattern in expect.headers.items():
        if not pattern.search(chat.headers.get(name, "")):
            problems.append(f"expected the header {name} to match {pattern.pattern!r}")
    return problems


def _at(body: Any, path: str) -> Any:
    for key in path.split("."):
        if not isinstance(body, dict) or key not in body:
            return _ABSENT
        body = body[key]
    return body


def _described(chat: Chat) -> str:
    who = f"a result of {chat.fresh[-1].tool}" if chat.fresh else f"a {chat.last_role} message"
    return f"{len(chat.messages)} messages, the last {who}: {chat.texts[-1][-300:]!r}"
