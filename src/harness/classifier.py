"""`auto` mode's classifier: a second question to a model, about one action that no rule and no mode decided.

It is shown what the person said and what would be done, never what tools returned: whoever could write into a file
or a web page could otherwise argue with it. All that is not a clear answer is a question to the person.
"""

import json
import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from importlib import resources
from time import monotonic
from typing import Any
from uuid import uuid4

import anyio
from anyio.abc import TaskGroup

from harness.errors import HarnessError
from harness.events import Notice, Progress
from harness.messages import Text, ToolCall, User
from harness.mux import Mux
from harness.permissions.decision import Allow, Ask, Decision, Deny
from harness.providers.port import MessageEnd, Provider, Request
from harness.settings.values import AutoMode
from harness.turn import Spent

IN_A_ROW, IN_ALL = 3, 20  # denials after which the person is asked again
_MAX_OUTPUT = 4096  # tokens: a sentence, and room for a model that thinks
_MESSAGES, _MESSAGE = 40, 4_000  # how many of the person's messages are shown, and characters of each
_WHOLE = 100_000  # characters of a question; what is longer is the person's to judge
_REASON = 300
_THOUGHT = re.compile(r"<think(?:ing)?>.*?</think(?:ing)?>|\A.*?</think(?:ing)?>", re.DOTALL)

Said = Progress | Notice | Spent | Decision


@dataclass(slots=True)
class Denials:
    """What was denied, for the person to look at, and whether it is so much that they should decide themselves."""

    calls: list[tuple[ToolCall, str]] = field(default_factory=list)
    in_a_row: int = 0
    in_all: int = 0

    @property
    def too_many(self) -> bool:
        return self.in_a_row >= IN_A_ROW or self.in_all >= IN_ALL

    def count(self, call: ToolCall, decision: Decision) -> None:
        if isinstance(decision, Deny):
            self.calls.append((call, decision.reason))
            self.in_a_row += 1
            self.in_all += 1
        elif isinstance(decision, Allow):
            self.in_a_row = 0

    def forgive(self) -> None:
        """The person has taken over, or has said yes: the counts begin anew."""
        self.in_a_row = self.in_all = 0


class Classifier:
    """`provider` is asked for at the first question; `said` and `facts` are what counts at the moment.

    Where nobody can be asked (`interactive` false) it goes on denying, however much that is.
    """

    def __init__(
        self,
        tasks: TaskGroup,
        provider: Callable[[], Awaitable[Provider]],
        own: AutoMode,
        said: Callable[[], Sequence[str]],
        facts: Callable[[], Mapping[str, str]],
        *,
        interactive: bool,
        heartbeat: float,
    ) -> None:
        self._tasks, self._connect, self._own, self._said, self._facts = tasks, provider, own, said, facts
        self._interactive, self._heartbeat = interactive, heartbeat
        self._provider: Provider | None = None
        self._known: dict[str, Allow | Ask | Deny] = {}
        self.denials = Denials()

    async def judge(self, call: ToolCall, ask: Ask) -> AsyncGenerator[Said, None]:
        """Decide in the person's place; the last thing yielded is the decision."""
        if self.denials.too_many and self._interactive:
            yield replace(ask, reason=f"{ask.reason}; auto mode's classifier has denied too much to go on alone")
            return
        text = self._text(call, ask)
        decision = self._known.get(text) if len(text) <= _WHOLE else Ask("error", "it is too long to be judged")
        if decision is None:
            async with aclosing(self._asked(text)) as asking:
                async for item in asking:
                    if isinstance(item, Allow | Ask | Deny):
                        decision = item
                    else:
                        yield item
        if decision is None or decision.source != "classifier":
            what = decision.reason if decision else "no answer"
            yield replace(ask, source="classifier", reason=f"{ask.reason}; not classified: {what}")
            return
        self._known[text] = decision
        self.denials.count(call, decision)
        if isinstance(decision, Deny) and self.denials.too_many and self._interactive:
            yield Notice(
                level="warning",
                cause="auto_mode",
                text="Auto mode's classifier has denied so much that you are asked from now on.",
                mend="It goes on once you allow something. /permissions lists what was denied.",
            )
        if isinstance(decision, Ask):
            decision = replace(ask, source="classifier", reason=f"{ask.reason}; {decision.reason}")
        yield decision

    async def aclose(self) -> None:
        if self._provider:
            await self._provider.aclose()

    # ---- the question

    def _text(self, call: ToolCall, ask: Ask) -> str:
        said = [_shortened(text, _MESSAGE) for text in self._said()]
        if len(said) > _MESSAGES:
            said = [said[0], f"[{len(said) - _MESSAGES} messages are left out here]", *said[1 - _MESSAGES :]]
        facts = dict(self._facts())
        action = {"tool": call.name, "input": call.input or {}, "directory": facts.pop("directory", "")}
        # the action as ASCII: what could hide in it (a mark that turns its direction) is seen, no line of it ends it
        lines = [
            "The person's messages:",
            *(json.dumps(text, ensure_ascii=False) for text in said or ["(none)"]),
            "",
            "Facts:",
            *(f"{name}: {json.dumps(text, ensure_ascii=False)}" for name, text in facts.items() if text),
            f"why no rule decides: {json.dumps(ask.reason, ensure_ascii=False)}",
            "",
            "The action:",
            json.dumps(action),  # whole: what is not shown might be the harm
        ]
        return "\n".join(lines)

    async def _asked(self, text: str) -> AsyncGenerator[Said, None]:
        """The question put, with signs of life; what it cost and what it comes to."""
        async with Mux[Said](self._tasks) as mux:
            beat = mux.add(self._beats())
            mux.add(self._answer(text))
            async for item in mux:
                if isinstance(item, Allow | Ask | Deny):
                    beat.drop()
                yield item

    async def _beats(self) -> AsyncGenerator[Said, None]:
        began = monotonic()
        while True:
            await anyio.sleep(self._heartbeat)
            yield Progress(what="permission check", elapsed=round(monotonic() - began, 1))

    async def _answer(self, text: str) -> AsyncGenerator[Said, None]:
        try:
            with anyio.fail_after(self._own.timeout):
                end = await self._end(text)
        except TimeoutError:
            yield Ask("error", f"the classifier did not answer within {self._own.timeout:g} s")
            return
        except HarnessError as error:
            yield Ask("error", error.what)
            return
        message = end.message
        yield Spent(message.model, message.usage, end.cost)
        if message.calls or message.stop != "end_turn":
            yield Ask("error", f"the classifier's answer is not one ({message.stop})")
        else:
            yield verdict(message.text)

    async def _end(self, text: str) -> MessageEnd:
        self._provider = self._provider or await self._connect()
        request = Request(uuid4().hex, _system(self._own), (User((Text(text),)),), max_output=_MAX_OUTPUT)
        async with aclosing(self._provider.stream(request)) as events:
            async for event in events:
                if isinstance(event, MessageEnd):
                    return event
        raise HarnessError("The classifier's answer ended too early.")


def verdict(text: str) -> Allow | Ask | Deny:
    """What an answer says. Anything but one clear object is a question; thoughts and fences around it do no harm."""
    objects = list(_objects(_THOUGHT.sub("", text)))
    given = objects[0] if objects and all(each == objects[0] for each in objects) else {}
    word, reason = given.get("decision"), given.get("reason", "")
    if not (isinstance(word, str) and isinstance(reason, str) and given.keys() <= {"decision", "reason"}):
        return Ask("error", "the classifier's answer is not in its form")
    reason = " ".join(reason.split())[:_REASON].rstrip(".")  # it becomes part of a sentence
    match word.strip().lower():
        case "allow":
            return Allow("classifier", reason or "it looks like a step of the task")
        case "deny":
            return Deny("classifier", reason or "it does not look like a step of the task")
        case "ask":
            return Ask("classifier", reason or "the classifier is not sure")
    return Ask("error", "the classifier's answer is not in its form")


def _objects(text: str) -> list[dict[str, Any]]:
    """The JSON objects that stand in a text, one after another."""
    decoder, found, at = json.JSONDecoder(), [], text.find("{")
    while at >= 0:
        try:
            value, end = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            return [{}]  # half an object: whoever reads on may take a piece of it for the whole
        found.append(value)
        at = text.find("{", end)
    return found


def _system(own: AutoMode) -> str:
    base = resources.files("harness").joinpath("prompts", "classifier.md").read_text("utf-8").strip()
    more = (
        ("What this person says about their environment:", own.environment),
        ("What this person always allows (unless it is denied below or forbidden in their messages):", own.allow),
        ("What this person always denies:", own.deny),
    )
    blocks = ["\n".join([title, *(f"- {line}" for line in lines)]) for title, lines in more if lines]
    return "\n\n".join([base, *blocks])


def _shortened(text: str, limit: int) -> str:
    """Both ends of it; that something is missing is said where it is missing."""
    if len(text) <= limit:
        return text
    half = limit // 2
    return f"{text[:half]}[... {len(text) - 2 * half} characters are not shown: ask if they matter ...]{text[-half:]}"
