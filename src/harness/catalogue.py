"""`harness events`: every event of a session with its fields, read off the types themselves."""

import re
from dataclasses import fields
from importlib import resources
from typing import get_args

from harness import events


def listing() -> str:
    """One block per event: its tag, what it means, and its fields with their types."""
    blocks = []
    for kind in get_args(events.Event):
        meaning = (kind.__doc__ or "").strip().splitlines()[0]
        named = [f"    {f.name}: {_type_name(f.type)}" for f in fields(kind)]
        blocks.append("\n".join([f"{kind.type}  {meaning}", *named]))
    return "\n\n".join(blocks)


def _type_name(annotation: object) -> str:
    if isinstance(annotation, type) and not get_args(annotation):
        return annotation.__name__
    return re.sub(r"\b(?:\w+\.)+(?=\w)", "", str(annotation))


def print_schema() -> None:
    """The JSON Schema of a line of stream-json."""
    print(resources.files("harness").joinpath("stream-json.schema.json").read_text("utf-8"), end="")  # noqa: T201


def print_events() -> None:
    print(listing())  # noqa: T201
