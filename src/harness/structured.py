"""An answer held to a JSON Schema: given by a tool made of the schema, or as JSON text; checked, and asked for again.

The tool works with every model that can call one, and its errors come back as any tool's do. The request that asks
again forces the call (`due`), which makes servers that can decode it by the schema; the first ones leave the model
free to work.
"""

import json
from collections.abc import AsyncGenerator, Mapping, Sequence
from itertools import takewhile
from pathlib import Path
from typing import Any

from harness.effects import Effect
from harness.errors import ToolError
from harness.messages import Assistant, HistoryMessage, Text, ToolResult, User

NAME = "StructuredOutput"
TRIES = 5  # answers that do not fit
_TOLD = 5  # problems that are told of one answer


class Contract:
    """What a turn's answer must be. `value` is the answer once there is one; `tries` counts those that did not fit."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self._schema = schema
        self._wrapped = schema.get("type") != "object"  # a call's arguments are an object
        self._found: list[Any] = []
        self._again: User | None = None  # what asked for it again, the last time
        self.tries = 0

    def begin(self) -> None:
        """A turn begins."""
        self._found, self.tries = [], 0

    @property
    def met(self) -> bool:
        return bool(self._found)

    @property
    def value(self) -> Any:
        return self._found[-1] if self._found else None

    @property
    def exhausted(self) -> bool:
        return self.tries >= TRIES

    def problems(self, value: Any) -> list[str]:
        from jsonschema.validators import validator_for  # noqa: PLC0415  only where a schema was given

        errors = sorted(
            validator_for(self._schema)(self._schema).iter_errors(value), key=lambda e: list(map(str, e.path))
        )
        return [
            f"`{'.'.join(map(str, error.path)) or '(the whole)'}`: {error.message[:200]}" for error in errors[:_TOLD]
        ]

    def offer(self, value: Any) -> list[str]:
        """Take an answer if it fits; else what is wrong with it."""
        problems = self.problems(value)
        if problems:
            self.tries += 1
        else:
            self._found.append(value)
        return problems

    def read(self, text: str) -> User | None:
        """The model ended with text: take it if it is the answer; else what to tell the model."""
        try:
            problems = self.offer(self._unwrapped(json.loads(_unfenced(text))))
        except (ValueError, RecursionError):
            self.tries += 1
            problems = ["it is not JSON"]
        if not problems:
            return None
        told = f"Give the answer by calling {NAME}. What you wrote does not do: {'; '.join(problems)}."
        self._again = User((Text(told),))
        return self._again

    def due(self, messages: Sequence[HistoryMessage]) -> str:
        """The tool's name where the model's last message was to give the answer and did not: it is asked for again."""
        since = list(takewhile(lambda message: not isinstance(message, Assistant), reversed(messages)))
        if any(message is self._again for message in since):
            return NAME
        last = messages[len(messages) - len(since) - 1] if len(since) < len(messages) else None
        given = {call.id for call in last.calls if call.name == NAME} if isinstance(last, Assistant) else set()
        failed = any(isinstance(m, ToolResult) and m.is_error and m.call_id in given for m in since)
        return NAME if failed else ""

    def _unwrapped(self, value: Any) -> Any:
        """A server that holds text to the tool's parameters gives the answer in their wrapping."""
        inside = isinstance(value, dict) and value.keys() == {"value"} and self._wrapped
        return value["value"] if inside and self.problems(value) else value

    # The tool

    @property
    def spec(self) -> dict[str, Any]:
        wrapped = {"type": "object", "properties": {"value": dict(self._schema)}, "required": ["value"]}
        return {
            "type": "function",
            "function": {
                "name": NAME,
                "description": "Give the final answer. Call it once, when the task is done; it ends the turn.",
                "parameters": wrapped if self._wrapped else dict(self._schema),
            },
        }

    def tool(self) -> Any:
        from harness.tools.input import AnyInput  # noqa: PLC0415  loads pydantic
        from harness.tools.tool import Context, Output, Tool  # noqa: PLC0415

        def effects(_args: AnyInput, _cwd: Path) -> Sequence[Effect]:
            return ()

        async def call(args: AnyInput, _context: Context) -> AsyncGenerator[Output, None]:
            given = args.model_dump(mode="json", exclude_unset=True)
            problems = self.offer(given.get("value") if self._wrapped else given)
            if problems:
                raise ToolError(f"The answer does not fit its schema: {'; '.join(problems)}.", "Call it again.")
            yield Output.text("Taken.")

        return Tool(name=NAME, description="", input=AnyInput, effects=effects, call=call, parallel=False)


def _unfenced(text: str) -> str:
    """JSON that models like to put into a fence."""
    text = text.strip()
    if text.startswith("```") and text.endswith("```") and "\n" in text:
        return text.partition("\n")[2].removesuffix("```")
    return text
