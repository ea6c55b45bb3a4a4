"""An answer that must be one tool's call: how a request asks a server to decode nothing else.

Most servers take `tool_choice` with the tool's name, and decode the arguments by its schema (vLLM, SGLang, hosted
ones). llama.cpp reads an object there as `auto` without a word and LM Studio refuses it: both take `required`, and
hold whichever call comes to its schema. Ollama has no `tool_choice`; it holds the text of the answer to
`response_format`. A server that ignores all of it answers as it would have anyway.
"""

import json
from collections.abc import Mapping
from typing import Any

from harness.errors import ProviderError
from harness.providers.encode import dump
from harness.providers.errors import ServerError
from harness.providers.patterns import words
from harness.providers.port import Request
from harness.providers.quirks import Quirks

_REQUIRED = frozenset({"llama.cpp", "LM Studio"})
_BY_FORMAT = frozenset({"Ollama"})
_NAMED = words(r"tool[ _]choice|response_format")


def forced(request: Request, quirks: Quirks, server: str) -> tuple[str, bytes] | None:
    """The request's field that forces the call, and its value; None where this server is not to be asked for it."""
    field = "response_format" if server in _BY_FORMAT else "tool_choice"
    if not request.force or field in quirks.dropped or quirks.text_tools:
        return None
    function = next((each for each in _functions(request.tools) if each.get("name") == request.force), None)
    if function is None:  # it is not offered: behind ToolSearch, say
        return None
    if server in _BY_FORMAT:
        schema = {"name": request.force, "schema": function.get("parameters") or {}}
        return field, dump({"type": "json_schema", "json_schema": schema})
    named = {"type": "function", "function": {"name": request.force}}
    return field, dump("required" if server in _REQUIRED else named)


def refused(failure: ProviderError, field: str) -> bool:
    """Whether this refusal of a request that forced a call is about that.

    It is if it says so, and if it is one that we know no other reason for: the requests before were taken, and
    differed in little else.
    """
    if not isinstance(failure, ServerError) or failure.retry is not None:
        return False
    if _NAMED.search(failure.what) or field in failure.what:
        return failure.kind in {"bad_request", "not_found"}  # OpenRouter: no provider of the model takes it, a 404
    return failure.kind == "bad_request" and not failure.fix


def _functions(tools: bytes) -> list[Mapping[str, Any]]:
    return [spec["function"] for spec in json.loads(tools)]
