"""What must outlive every compaction is kept here, by us and not by the model: what the person said, and what was done.

It grows by the messages of the whole session, so that a resumed session has the same one.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from harness.messages import Assistant, HistoryMessage, ToolCall, ToolResult, User

PROMPTS_KEPT = 200
_COMMAND = 240  # characters
_RULE = re.compile(
    r"\b(do not|don't|dont|never|always|must|mustn't|only|without|avoid|make sure|be sure|required?|forbidden|"
    r"not allowed|keep|leave|instead of|no more than|at most|at least|prefer|constraint|rule)\b",
    re.IGNORECASE,
)
_SENTENCE = re.compile(r"(?<=[.!?;])\s+|\n+")
_LONG = 400  # characters of one constraint, one prompt's beginning
_WRITES = frozenset({"Edit", "Write", "MultiEdit", "NotebookEdit"})


@dataclass(slots=True)
class Ledger:
    """`files`: path as the model wrote it, to `changed` or `read`, the latest last. `commands`: with how they ended."""

    prompts: list[str] = field(default_factory=list)
    constraints: dict[str, None] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    commands: dict[str, str] = field(default_factory=dict)
    _calls: dict[str, ToolCall] = field(default_factory=dict)

    @staticmethod
    def of(messages: Iterable[HistoryMessage]) -> "Ledger":
        ledger = Ledger()
        for message in messages:
            ledger.note(message)
        return ledger

    def note(self, message: HistoryMessage) -> None:
        """A message of the conversation. Of a person's message only the first part is the person's own."""
        match message:
            case User(parts) if parts:
                self._prompt(User(parts[:1]).text)
            case Assistant():
                self._calls |= {call.id: call for call in message.calls}
            case ToolResult(call_id=call_id) if call := self._calls.pop(call_id, None):
                self._done(call, message)

    def _prompt(self, text: str) -> None:
        text = text.strip()
        if not text:
            return
        self.prompts.append(text[: _LONG * 4])
        del self.prompts[1:-PROMPTS_KEPT]  # the first says what all is about
        for sentence in _SENTENCE.split(text[:20_000]):
            if _RULE.search(sentence) and len(sentence) > 8:
                self.constraints.setdefault(sentence.strip()[:_LONG])

    def _done(self, call: ToolCall, result: ToolResult) -> None:
        given: Mapping[str, Any] = call.input or {}
        path = given.get("file_path") or given.get("notebook_path")
        if isinstance(path, str) and not result.is_error:
            before = self.files.pop(path, "")
            self.files[path] = "changed" if call.name in _WRITES or before == "changed" else "read"
        command = given.get("command")
        if call.name == "Bash" and isinstance(command, str):
            self.commands.pop(command, None)
            self.commands[command] = "failed" if result.is_error else "ok"
            if len(self.commands) > 100:
                del self.commands[next(iter(self.commands))]


def survivors(ledger: Ledger, todos: Sequence[Mapping[str, Any]], room: int) -> str:
    """The harness's own part of a compacted conversation, in at most about `room` characters.

    The first prompt, the last ones, constraints and open todos come first: what does not fit is left out from the end.
    """
    rules = _bounded(list(ledger.constraints), room // 4)
    blocks = [
        _block("What the user asked, in order", _prompts(ledger.prompts, room // 3)),
        _block("What the user said to keep to", [f"- {text}" for text in rules]),
        _block("Todo list", [f"- [{_mark(todo)}] {todo.get('content', '')}" for todo in todos]),
        _block("Files so far, the latest last", _files(ledger, room // 6)),
        _block("Commands so far, the latest last", _commands(ledger, room // 6)),
    ]
    return "\n\n".join(block for block in blocks if block)


def _block(title: str, lines: Sequence[str]) -> str:
    return "\n".join([f"{title}:", *lines]) if lines else ""


def _prompts(prompts: Sequence[str], room: int) -> list[str]:
    """The first and the newest, as far as they fit; long ones shortened in the middle."""
    if not prompts:
        return []
    short = [f'{number}. "{_shortened(text, max(200, room // 4))}"' for number, text in enumerate(prompts, 1)]
    kept, left = [short[0]], room - len(short[0])
    newest: list[str] = []
    for line in reversed(short[1:]):
        if len(line) > left and newest:
            break
        newest.insert(0, line)
        left -= len(line)
    missing = len(short) - 1 - len(newest)
    return [*kept, *([f"({missing} more)"] if missing else []), *newest]


def _shortened(text: str, most: int) -> str:
    text = " ".join(text.split())
    return text if len(text) <= most else f"{text[: most * 2 // 3]} ... {text[-most // 3 :]}"


def _bounded(texts: Sequence[str], room: int) -> list[str]:
    """The earliest and the latest, where not all fit: rules are said at the start, and when something went wrong."""
    if sum(map(len, texts)) <= room:
        return list(texts)
    kept: dict[int, str] = {}
    order = [index for pair in zip(range(len(texts)), reversed(range(len(texts))), strict=True) for index in pair]
    for index in order:
        if index not in kept and len(texts[index]) <= room:
            kept[index] = texts[index]
            room -= len(texts[index])
    return [kept[index] for index in sorted(kept)]


def _files(ledger: Ledger, room: int) -> list[str]:
    return _latest([f"- {path} ({how})" for path, how in ledger.files.items()], room)


def _commands(ledger: Ledger, room: int) -> list[str]:
    lines = [f"- {_shortened(command, _COMMAND)} ({how})" for command, how in ledger.commands.items()]
    return _latest(lines, room)


def _latest(lines: Sequence[str], room: int) -> list[str]:
    kept: list[str] = []
    for line in reversed(lines):
        room -= len(line)
        if room < 0:
            break
        kept.insert(0, line)
    return kept


def _mark(todo: Mapping[str, Any]) -> str:
    return {"completed": "x", "in_progress": ">"}.get(str(todo.get("status")), " ")
