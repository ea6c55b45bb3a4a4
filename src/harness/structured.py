"""An answer held to a JSON Schema: given by a tool made of the schema, or as JSON text; checked, and asked for again.

The tool works with every model that can call one, and its errors come back as any tool's do.
"""

import json
from collections.abc import AsyncGenerator, Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.effects import Effect
from harness.errors import ToolError
from harness.messages import Text, User

NAME = "StructuredOutput"
TRIES = 5  # answers that do not fit
_TOLD = 5  # problems that are told of one answer


class Contract:
    """What a turn's answer must be. `value` is the answer once there is one; `tries` counts those that did not fit."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self._schema = schema
        self._wrapped = schema.get("type") != "object"  # a call's arguments are an object
        self._found: list[Any] = []
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
            problems = self.offer(json.loads(_unfenced(text)))
        except (ValueError, RecursionError):
            self.tries += 1
            problems = ["it is not JSON"]
        if not problems:
            return None
        return User((Text(f"Give the answer by calling {NAME}. What you wrote does not do: {'; '.join(problems)}."),))

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
