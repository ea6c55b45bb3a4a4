"""Events as text for a person at a terminal, in the order they come. No cursor movement: pipes and logs read it too."""

import re
import unicodedata
from collections.abc import Callable
from typing import Any

from harness.events import (
    AssistantMessage,
    Event,
    HookPermissionResult,
    Notice,
    PreventContinuation,
    Progress,
    Result,
    StreamEvent,
    SubagentEvent,
    System,
    ToolProgress,
    UserMessage,
)
from harness.messages import TextDelta, ThinkingDelta, ToolCall, ToolResult

_STYLES = {"dim": "2", "bold": "1", "red": "31", "green": "32", "yellow": "33", "cyan": "36"}
_SHOWN_LINES = 8  # of a tool's result; the model has it all
_HELD = 4000  # characters of a line that does not end
_SHOWN_WIDTH = 160
# Control, format (direction, zero width, tags), half a character, line and paragraph separators.
_UNSAFE = {"Cc", "Cf", "Cs", "Zl", "Zp"}
# What shows nothing although its category does not say so: joiners, fillers, selectors but the one of emoji.
_INVISIBLE = {0x34F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x2800, 0x3164, 0xFFA0, *range(0x180B, 0x1810)}
_INVISIBLE |= {*range(0xFE00, 0xFE0F), *range(0xE0000, 0xE1000)}
# The one zero-width character that has a place: between two pictures that it makes one.
_JOINER = re.compile("(?<=[\u2600-\u27bf\ufe0f\U0001f000-\U0001faff])\u200d(?=[\u2190-\u2bff\U0001f000-\U0001faff])")


def safe(text: str) -> str:
    """Text that cannot move the cursor, recolour the screen or hide its direction: such characters are escaped."""
    if text.isascii() and text.isprintable():
        return text
    return "\u200d".join("".join(map(_shown, part)) for part in _JOINER.split(text))


def _shown(char: str) -> str:
    code = ord(char)
    if char in "\n\t" or (code not in _INVISIBLE and unicodedata.category(char) not in _UNSAFE):
        return char
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def call_title(call: ToolCall) -> str:
    """`Bash(python -m pytest)`: the tool and the one argument that says most."""
    given = call.input or {}
    for key in ("command", "file_path", "notebook_path", "pattern", "url", "query", "description"):
        if isinstance(value := given.get(key), str):
            more = f" in {_one_line(str(given['path']))}" if key == "pattern" and given.get("path") else ""
            return f"{_one_line(call.name)}({_one_line(value)}{more})"
    return f"{_one_line(call.name)}({_one_line(', '.join(given))})"


def _one_line(text: str) -> str:
    text = " ⏎ ".join(line.strip() for line in text.strip().splitlines())
    return text if len(text) <= _SHOWN_WIDTH else text[: _SHOWN_WIDTH - 1] + "…"


def _clipped(line: str) -> str:
    return safe(line[:_SHOWN_WIDTH])[:_SHOWN_WIDTH]  # cut first: a line may have megabytes


class Renderer:
    """Shows a session's events through `write`. `color`: whether to use ANSI colours."""

    def __init__(self, write: Callable[[str], Any], *, color: bool = False) -> None:
        self._write, self._color = write, color
        self._midline = False  # text has been written and the line is not ended
        self._thinking = False
        self._titles: dict[str, str] = {}  # of the last message's calls
        self._current = ""  # the call that what is written now belongs to
        self._live: dict[str, str] = {}  # calls whose output is shown as it comes: their last, unfinished line

    def show(self, event: Event) -> None:
        match event:
            case StreamEvent(delta=TextDelta(text)):
                self._say(text)
            case StreamEvent(delta=ThinkingDelta(text)):
                self._think(text)
            case AssistantMessage(message=message):
                self._end_line()
                self._titles = {call.id: safe(call_title(call)) for call in message.calls}
                self._current = ""
            case ToolProgress(text=text, call_id=call_id):
                self._head(call_id)
                self._output(call_id, text)
            case UserMessage(message=ToolResult() as result):
                self._head(result.call_id)
                self._result(result)
            case HookPermissionResult(decision="allow", call_id=call_id):
                self._head(call_id)
            case HookPermissionResult(decision="deny", call_id=call_id, tool=tool, reason=reason, rule=rule):
                self._head(call_id)
                self._line(safe(f"  ✗ {_one_line(tool)} denied: {reason}" + (f" [{rule}]" if rule else "")), "red")
            case _:
                self._about_the_turn(event)

    def _about_the_turn(self, event: Event) -> None:
        match event:
            case Notice(level=level, text=text, mend=mend):
                style = {"info": "dim", "warning": "yellow", "error": "red"}[level]
                self._line(safe(text if not mend else f"{text}\n{mend}"), style)
            case System(subtype="api_retry", data=data):
                delay, of = data["retry_delay_ms"] / 1000, f"{data['attempt']} of {data['max_retries']}"
                self._line(f"! {safe(str(data['message']))} Asking again in {delay:.1f} s (retry {of}).", "yellow")
            case System(subtype="task_notification", data=data):
                style = "dim" if data["status"] == "completed" else "yellow"
                self._line(safe(f"○ background job {data['task_id']}: {_one_line(data['summary'])}"), style)
            case Progress(what=what, elapsed=elapsed):
                self._line(f"… waiting for the {what}: {elapsed:.0f} s", "dim")
            case SubagentEvent(event=AssistantMessage(message=message)):
                for call in message.calls:
                    self._line(safe(f"  ↳ {call_title(call)}"), "dim")
            case PreventContinuation(reason=reason):
                self._line(f"■ {safe(reason)}", "yellow")
            case Result():
                self._end_line()

    def summary(self, result: Result) -> None:
        """One closing line: how the turn ended and what it took."""
        usage = result.usage
        took = f"{result.num_turns} requests, {usage.input_tokens:,} tokens in, {usage.output_tokens:,} out"
        cached = f", {usage.cached_tokens:,} cached" if usage.cached_tokens else ""
        cost = f", ${result.total_cost_usd:.4f}" if result.cost_known else ", cost unknown"
        ended = "" if result.terminal_reason == "completed" else f"{result.terminal_reason} · "
        self._line(f"[{ended}{took}{cached}{cost}, {result.duration_ms / 1000:.1f} s]", "dim")

    def _say(self, text: str) -> None:
        if self._thinking:
            self._end_line()
        self._thinking = False
        self._put(safe(text))

    def _think(self, text: str) -> None:
        if not self._thinking:
            self._end_line()
        self._thinking = True
        self._put(safe(text), "dim")

    def _head(self, call_id: str) -> None:
        """The call's title, before the first thing that is its own. One that ran ahead of its message has none yet."""
        if call_id in self._titles and call_id != self._current:
            self._current = call_id
            self._line(f"● {self._titles[call_id]}", "bold")

    def _output(self, call_id: str, text: str) -> None:
        """Whole lines, as they come; what follows the last line break waits for its end."""
        *lines, self._live[call_id] = (self._live.get(call_id, "")[-_HELD:] + text).split("\n")
        for line in lines[-_SHOWN_LINES:]:
            drawn = line.rstrip("\r").rpartition("\r")[2]  # a progress bar: its last state
            self._line(f"  │ {_clipped(drawn)}", "dim")

    def _result(self, result: ToolResult) -> None:
        lines = result.text.splitlines() or ["(nothing)"]
        if result.call_id in self._live:
            lines = lines[-1:]  # the rest was shown as it came
            del self._live[result.call_id]  # servers use ids again
        more = len(lines) - _SHOWN_LINES
        style = "red" if result.is_error else "dim"
        head = _SHOWN_LINES // 2 if more > 0 and result.is_error else _SHOWN_LINES  # why it failed stands at its end
        for number, line in enumerate(lines[:head]):
            self._line(f"  {'└' if number == 0 else ' '} {_clipped(line)}", style)
        if more > 0:
            self._line(f"    … {more} more lines", "dim")
            for line in lines[head + more :]:
                self._line(f"    {_clipped(line)}", style)

    def _line(self, text: str, style: str = "") -> None:
        self._end_line()
        self._put(text + "\n", style)

    def _put(self, text: str, style: str = "") -> None:
        if not text:
            return
        self._midline = not text.endswith("\n")
        self._write(f"\x1b[{_STYLES[style]}m{text}\x1b[0m" if style and self._color else text)

    def _end_line(self) -> None:
        if self._midline:
            self._write("\n")
        self._midline = False
