"""A server's tool as one of ours: its schema to the model, its result's content in ours."""

import json
import os
import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import anyio

from harness.effects import Effect, Opaque
from harness.errors import ToolError
from harness.mcp.remote import Json, ServerFailed
from harness.messages import Image, Text, UserPart
from harness.tools.input import AnyInput
from harness.tools.tool import Context, Output, Tool

DESCRIBED = 2_048  # characters of a description
TOKENS = 25_000  # of a result; what is longer goes to a file
PER_TOKEN = 4  # characters, roughly
CALL_LIMIT = 100_000.0  # seconds

Call = Callable[[str, Mapping[str, Any]], Awaitable[Json]]


def full_name(server: str, tool: str) -> str:
    """`mcp__server__tool`, in the characters that model servers take."""
    return f"mcp__{plain(server)}__{plain(tool)}"[:128]


def plain(name: str) -> str:
    """A server's or a tool's name in those characters."""
    return re.sub(r"[^A-Za-z0-9_-]", "_", name)


def spec(server: str, listed: Mapping[str, Any]) -> Json:
    """As the model is told of it."""
    schema = listed.get("inputSchema")
    parameters = dict(schema) if isinstance(schema, Mapping) else {}
    parameters.setdefault("type", "object")
    parameters.setdefault("properties", {})
    description = str(listed.get("description") or listed.get("title") or "")
    return {
        "type": "function",
        "function": {
            "name": full_name(server, str(listed.get("name"))),
            "description": description[:DESCRIBED],
            "parameters": parameters,
        },
    }


def tool(server: str, listed: Mapping[str, Any], call: Call) -> Tool:
    name, remote = full_name(server, str(listed.get("name"))), str(listed.get("name"))
    hints = listed.get("annotations")
    reads = isinstance(hints, Mapping) and hints.get("readOnlyHint") is True

    def effects(_args: AnyInput, _cwd: Path) -> Sequence[Effect]:
        return (Opaque(name),)

    async def run(args: AnyInput, context: Context) -> AsyncGenerator[Output, None]:
        result: Json = {}
        try:
            with anyio.move_on_after(limit()) as scope:
                result = await call(remote, args.model_dump(mode="json", exclude_unset=True))
            if scope.cancelled_caught:
                raise ServerFailed(f"no answer within {limit():g} s")
        except ServerFailed as error:
            raise ToolError(f"The MCP server {server} failed: {error}") from error
        yield _output(name, result, context.results)

    return Tool(
        name=name,
        description=str(listed.get("description") or ""),
        input=AnyInput,
        effects=effects,
        call=run,
        parallel=True if reads else None,
    )


def limit() -> float:
    """Seconds that a call may take."""
    return _number("MCP_TOOL_TIMEOUT", int(CALL_LIMIT * 1000)) / 1000


def _number(name: str, default: int) -> int:
    value = os.environ.get(name, "")
    return int(value) if value.isascii() and value.isdigit() and int(value) else default


def _output(name: str, result: Json, results: Path) -> Output:
    content = result.get("content")
    blocks = [block for block in content if isinstance(block, Mapping)] if isinstance(content, list) else []
    parts = list(_parts(blocks))
    structured = result.get("structuredContent")
    if not parts and structured is not None:
        parts = [Text(json.dumps(structured, ensure_ascii=False))]
    parts = list(_bounded(name, parts, results)) or [Text("(no content)")]
    data = {"content": blocks, **({} if structured is None else {"structuredContent": structured})}
    return Output(tuple(parts), result.get("isError") is True, data=data)


def _parts(blocks: Sequence[Mapping[str, Any]]) -> Iterator[UserPart]:
    for block in blocks:
        match block:
            case {"type": "text", "text": str(text)}:
                yield Text(text)
            case {"type": "image", "data": str(data), "mimeType": str(kind)}:
                yield Image(kind, data)
            case {"type": "resource", "resource": {"uri": uri, "text": str(text)}}:
                yield Text(f"[resource {uri}]\n{text}")
            case {"type": "resource", "resource": {"uri": uri, "mimeType": str(kind), "blob": str(data)}}:
                yield Image(kind, data) if kind.startswith("image/") else Text(f"[resource {uri}: {kind}, binary]")
            case {"type": "resource_link", "uri": uri}:
                yield Text(f"[resource {uri}: {block.get('description') or block.get('name') or ''}]")
            case {"type": str(kind)}:
                yield Text(f"[{kind} content that cannot be shown here]")


def _bounded(name: str, parts: Sequence[UserPart], results: Path) -> Iterator[UserPart]:
    """Text within the limit; what is longer is saved whole, with its beginning for the model."""
    limit = _number("MAX_MCP_OUTPUT_TOKENS", TOKENS) * PER_TOKEN
    for part in parts:
        if isinstance(part, Text) and len(part.text) > limit:
            results.mkdir(parents=True, exist_ok=True, mode=0o700)
            file = next(path for n in range(1, 10_000) if not (path := results / f"{name}-{n}.txt").exists())
            file.write_text(part.text, "utf-8", errors="backslashreplace")
            head = part.text[: limit // 10]
            yield Text(
                f"{head}\n... {len(part.text) - len(head)} more characters. Whole output: {file} (Read or Grep it)"
            )
            limit = 0
        else:
            if isinstance(part, Text):
                limit -= len(part.text)
            yield part
