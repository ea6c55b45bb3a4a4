"""Sessions for people: a row of a list, a conversation as Markdown or JSON."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from harness.codec import message_json
from harness.journal.fold import replay
from harness.journal.store import Info
from harness.messages import Assistant, HistoryMessage, Text, Thinking, ToolCall, ToolResult, User

NAME = 70  # characters of a session's name in a row


def row(one: Info, *, where: bool = False) -> str:
    """One line: id, when it was gone on with (UTC), its name; and its directory."""
    when = datetime.fromtimestamp(one.modified, UTC).strftime("%Y-%m-%d %H:%M")
    name = one.name if len(one.name) <= NAME else one.name[: NAME - 1] + "…"
    return f"{one.id}  {when}  {name}" + (f"  ({one.cwd})" if where else "")


def exported(file: Path, *, as_json: bool) -> str:
    """A session's conversation as it stands.

    Raises:
        OSError: the file cannot be read.
    """
    with file.open(encoding="utf-8", errors="replace", newline="\n") as lines:
        past = replay(lines)
    if as_json:
        return json.dumps(
            {
                "session_id": file.stem,
                "title": past.title,
                "state": {key: value for key, value in past.state.items() if key != "seen"},
                "messages": [message_json(message) for message in past.messages],
            },
            indent=2,
            ensure_ascii=False,
        )
    return "\n\n".join([f"# {past.title or file.stem}", *(part for m in past.messages for part in markdown(m))])


def markdown(message: HistoryMessage) -> Iterator[str]:
    """A message's parts as Markdown; what we added to a prompt for the model is left out."""
    match message:
        case User(parts):
            texts = [part.text for part in parts if isinstance(part, Text)]
            yield "## You\n\n" + (texts[0] if texts else "(an image)")
        case Assistant(parts=parts):
            for part in parts:
                match part:
                    case Text(text) if text.strip():
                        yield f"## Model\n\n{text}"
                    case Thinking(text):
                        yield "\n".join(f"> {line}" for line in text.splitlines())
                    case ToolCall(_, name, arguments):
                        yield f"### {name}\n\n{fenced(arguments, 'json')}"
        case ToolResult():
            yield fenced(message.text)


def fenced(text: str, kind: str = "") -> str:
    """A code block that the text cannot end."""
    fence = "```"
    while fence in text:
        fence += "`"
    return f"{fence}{kind}\n{text}\n{fence}"
