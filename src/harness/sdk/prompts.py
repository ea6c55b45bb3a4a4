"""A user message as a program sends it, made a prompt."""

from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from harness.messages import Image, UserPart
from harness.sdk.wire import Json


@dataclass(frozen=True, slots=True)
class Prompt:
    """`verbatim`: no slash command, whatever it looks like. `line` is the message as it came."""

    text: str
    more: tuple[UserPart, ...] = ()
    uuid: str = field(default_factory=lambda: str(uuid4()))
    verbatim: bool = False
    origin: Json | None = None
    line: Json = field(default_factory=dict)


def prompt(line: Json) -> Prompt:
    """Raises ValueError: the message holds nothing that could be a prompt."""
    message = line.get("message")
    content = message.get("content") if isinstance(message, dict) else None
    texts: list[str] = []
    images: list[UserPart] = []
    if isinstance(content, str):
        texts = [content]
    elif isinstance(content, list):
        for block in content:
            _take(block, texts, images)
    else:
        raise ValueError("a user message needs message.content, a string or a list of blocks")
    text = "\n\n".join(text for text in texts if text)
    if not text.strip() and not images:
        raise ValueError("a user message is empty")
    given, origin = line.get("uuid"), line.get("origin")
    return Prompt(
        text,
        tuple(images),
        given if isinstance(given, str) and given else str(uuid4()),
        line.get("client_composed") is True,
        {"kind": "human"} if isinstance(origin, dict) and origin.get("kind") == "human" else None,
        line,
    )


def _take(block: Any, texts: list[str], images: list[UserPart]) -> None:
    match block:
        case {"type": "text", "text": str(text)}:
            texts.append(text)
        case {"type": "image", "source": {"type": "base64", "media_type": str(kind), "data": str(data)}}:
            images.append(Image(kind, data))
        case {"type": "document", "source": {"type": "text", "data": str(text)}}:
            texts.append(f"<document>\n{text}\n</document>")
        case {"type": "tool_result", "content": str(text)}:
            texts.append(text)
        case {"type": str(kind)}:
            texts.append(f"[A block of type {kind} was attached that cannot be read here.]")
        case _:
            raise ValueError("message.content holds what is no content block")
