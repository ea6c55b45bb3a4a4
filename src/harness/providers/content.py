"""The answer's `content`: reasoning in tags told apart from text, and calls printed as text held back."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from harness.providers import dialects
from harness.providers.calls import Offered
from harness.providers.dialects.code import CodeState
from harness.providers.dialects.entry import PrintedCall
from harness.providers.patterns import Lazy

Kind = Literal["text", "thinking"]

# Reasoning tags count at the very start only; a lone closer makes all before it reasoning, since templates
# put the opener into the prompt (wire facts: DeepSeek R1, QwQ, Qwen3, Seed, Magistral, Command A).
_TAGS = {
    "<think>": "</think>",
    "<thinking>": "</thinking>",
    "<seed:think>": "</seed:think>",
    "[THINK]": "[/THINK]",
    "<|START_THINKING|>": "<|END_THINKING|>",
}
_LONE = Lazy("|".join(re.escape(closer) for closer in _TAGS.values()))
_LONGEST_TAG = max(map(len, _TAGS))


@dataclass(frozen=True, slots=True)
class Content:
    """What the content amounts to, once it is whole. `tag` is the tag that held the thinking."""

    text: str
    thinking: str = ""
    tag: str = ""
    calls: list[PrintedCall] = field(default_factory=list)
    dialect: str = ""


class ContentReader:
    """Takes content piece by piece; says what may be shown at once, and in the end what it all was."""

    def __init__(self, offered: Offered) -> None:
        self._offered = offered
        self._start: str | None = ""  # not None: too little seen to tell whether a tag opens it
        self._tag = ""
        self._closer = ""  # not empty: inside reasoning, until this
        self._tail = ""  # kept back: it may begin a closer or a call
        self._thinking: list[str] = []
        self._body: list[str] = []
        self._hold = dialects.HoldBack(offered) if offered else None

    def feed(self, text: str) -> Iterator[tuple[Kind, str]]:
        """Take a piece; give what can be shown now."""
        if self._start is not None:
            text = self._start + text
            if not self._opened(text):
                return
            text, self._tail = self._tail, ""
        if self._closer:
            text, rest = self._reason(text)
            if text:
                self._thinking.append(text)
                yield "thinking", text
            if self._closer:
                return
            text = rest
        if self._tag and not self._body:
            text = text.lstrip()  # what separates reasoning from text belongs to neither
        if text:
            self._body.append(text)
            shown = self._hold.feed(text) if self._hold else text
            if shown:
                yield "text", shown

    def _opened(self, text: str) -> bool:
        """Whether the start is long enough to tell; then `_tail` is what follows the tag, if there is one."""
        head = text.lstrip()
        if len(head) < _LONGEST_TAG and any(tag.startswith(head) for tag in (*_TAGS, *_TAGS.values())):
            self._start = text
            return False
        self._start, self._tail = None, text
        for tag, closer in _TAGS.items():
            if head.startswith(tag):
                self._tag, self._closer, self._tail = tag, closer, head[len(tag) :]
            elif head.startswith(closer):  # a parser on the server left it over
                self._tag, self._tail = tag, head[len(closer) :]
        return True

    def _reason(self, text: str) -> tuple[str, str]:
        """Split at the closer; keep back what may begin it."""
        text, self._tail = self._tail + text, ""
        before, closer, after = text.partition(self._closer)
        if closer:
            self._closer = ""
            return before, after
        keep = dialects.overlap(text, (self._closer,))
        self._tail = text[len(text) - keep :]
        return text[: len(text) - keep], ""

    def close(self, *, structured: bool, reasoned: bool, cut: bool) -> Content:
        """What it all was. `structured`: calls came as such, so text is text. `reasoned`: so did reasoning."""
        if self._start is not None:
            self._body.append(self._start)
        if self._closer and self._tail:
            self._thinking.append(self._tail)
        body, thinking = "".join(self._body), "".join(self._thinking)
        body, thinking, tag = self._lone_closer(body, thinking, reasoned)
        if tag:
            body = body.lstrip()
        if self._offered and not structured and (found := dialects.extract(body, self._offered, cut=cut)):
            thinking = "\n".join(part for part in (thinking, found.thinking) if part)
            return Content(found.text.strip(), thinking.strip(), tag, found.calls, found.dialect)
        return Content(body, thinking.strip() if tag else thinking, tag)

    def _lone_closer(self, body: str, thinking: str, reasoned: bool) -> tuple[str, str, str]:
        match = _LONE.search(body)
        if self._tag or match is None:
            return body, thinking, self._tag
        before = body[: match.start()]
        if (reasoned and before.strip()) or CodeState(before).inside:
            return body, thinking, ""
        tag = next(tag for tag, closer in _TAGS.items() if closer == match[0])
        return body[match.end() :], before, tag
