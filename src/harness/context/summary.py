"""The model's part of a compaction: what it is asked, whether its answer will do, and what stands in for one. Pure."""

import re
from collections.abc import Sequence
from importlib import resources

from harness.context.ledger import Ledger
from harness.messages import Assistant, HistoryMessage, Text, ToolResult, User
from harness.providers.tokens import tokens

HEADINGS = ("Goal", "Constraints", "Decisions", "Files", "Commands", "Failures", "Next step")
_NEEDED = ("Goal", "Next step")
_WORDS_PER_TOKEN = 0.6
THEIRS, OURS = "Your own summary of it:", "What is known of it without a summary of yours:"
_BEFORE = re.compile(rf"\n(?:{re.escape(THEIRS)}|{re.escape(OURS)})\n(.*)\n</compacted>", re.DOTALL)


def instruction(room: int, focus: str = "", complaint: str = "", record: str = "") -> User:
    """What asks for the summary. `room` in tokens; `record`: ours of the session, where not all of it is shown."""
    text = resources.files("harness").joinpath("prompts", "compact.md").read_text("utf-8").strip()
    cut = f"Only the end of the conversation is above. Our record of all of it:\n\n{record}"
    words = room * _WORDS_PER_TOKEN / (2 if complaint else 1)
    parts = [*([cut] if record else []), text.replace("{words}", str(max(80, int(words))))]
    if focus:
        parts.append(f"Keep above all: {focus}")
    if complaint:
        parts.append(f"Your last summary cannot be used: {complaint}. Write it again, whole, without thinking long.")
    return User((Text("\n\n".join(parts)),))


def problem(answer: Assistant, todos: Sequence[str], most: float = float("inf")) -> str:
    """Why an answer cannot stand for the conversation; '' where it can. `most` tokens are taken.

    Goal and next step must be there, and no open todo may be called done: what is not finished would be lost.
    """
    if answer.calls:
        return "it calls tools instead of answering"
    if tokens(answer.text) > most:  # a server that keeps to no limit
        return "it is far too long: write less"
    sections = parsed(answer.text)
    missing = [name for name in _NEEDED if len(sections.get(name, "").split()) < 3]
    if answer.stop == "max_tokens" and missing:  # what is cut in its last words will do
        return "it was cut off: write less" if answer.text.strip() else "you thought until the limit: answer at once"
    if missing:
        return f"nothing useful stands under {' and '.join(f'## {name}' for name in missing)}"
    done = _done(answer.text)
    wrong = next((todo for todo in todos if todo.strip().lower() in done), "")
    return f"it says that {wrong!r} is done, which is still open" if wrong else ""


def parsed(text: str) -> dict[str, str]:
    """The text under each heading, however the model wrote its level, case and colon."""
    found: dict[str, str] = {}
    current = ""
    for line in text.splitlines():
        if heading := _heading(line):
            current = heading
        elif current:
            found[current] = f"{found.get(current, '')}\n{line}".strip()
    return found


def _heading(line: str) -> str:
    bare = re.sub(r"^[\s#*\d.)]+|[\s:*]+$", "", line).lower()
    marked = line.lstrip().startswith(("#", "*")) or line.rstrip().endswith(":")
    same = (name for name in HEADINGS if bare in {name.lower(), f"{name.lower()}s"})
    return next(same, "") if marked else ""


def _done(text: str) -> set[str]:
    return {
        match[1].strip().lower()
        for match in re.finditer(r"^\s*[-*]\s*\[x\]\s*(.+)$", text, re.MULTILINE | re.IGNORECASE)
    }


def stand_in(messages: Sequence[HistoryMessage], ledger: Ledger, room: int) -> str:
    """A summary without the model: where it could not be had. `room` in characters."""
    said = [message.text.strip() for message in messages if isinstance(message, Assistant) and message.text.strip()]
    failed = [message.text.strip() for message in messages if isinstance(message, ToolResult) and message.is_error]
    goal = ledger.prompts[-1] if ledger.prompts else "see what the user asked"
    begun = messages[0].text if messages and isinstance(messages[0], User) else ""
    before = _BEFORE.search(begun)
    parts = [
        f"## What you summed up earlier\n{before[1].strip()[: room // 3]}" if before else "",
        f"## Goal\n{_cut(goal, room // 6)}",
        _list("## Progress, as it was told", said, room // 4),
        _list("## Failures", failed, room // 4),
        "## Next step\nLook at the todo list and the files named above, and go on.",
    ]
    return "\n".join(part for part in parts if part)


def _list(title: str, texts: Sequence[str], room: int) -> str:
    lines: list[str] = []
    for text in reversed(texts):
        line = f"- {_cut(text, 300)}"
        room -= len(line)
        if room < 0:
            break
        lines.insert(0, line)
    return "\n".join([title, *lines]) if lines else ""


def _cut(text: str, most: int) -> str:
    text = " ".join(text.split())
    return text if len(text) <= most else f"{text[:most]}..."
