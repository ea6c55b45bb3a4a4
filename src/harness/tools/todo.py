"""TodoWrite: the model's list of steps, kept by the session."""

from collections.abc import AsyncGenerator, Sequence
from pathlib import Path
from typing import Literal

from pydantic import Field

from harness.effects import Effect
from harness.tools.input import ToolInput
from harness.tools.tool import Context, Output, Tool


class Todo(ToolInput):
    content: str = Field(description="What to do")
    status: Literal["pending", "in_progress", "completed"]
    activeForm: str | None = Field(None, description="The same as -ing form")  # noqa: N815  public name


class TodoInput(ToolInput):
    todos: list[Todo] = Field(description="The whole list, in order")


def effects(args: TodoInput, cwd: Path) -> Sequence[Effect]:
    return ()


async def call(args: TodoInput, context: Context) -> AsyncGenerator[Output, None]:
    before = [dict(todo) for todo in context.todos]
    context.todos[:] = [todo.model_dump(exclude_none=True) for todo in args.todos]
    now = [todo.content for todo in args.todos if todo.status == "in_progress"]
    done = sum(todo.status == "completed" for todo in args.todos)
    said = f"{done} of {len(args.todos)} done." + (f" Now: {'; '.join(now)}" if now else "")
    yield Output.text(said, data={"oldTodos": before, "newTodos": list(context.todos)})


TOOL = Tool(
    name="TodoWrite",
    description=(
        "Keep a list of steps, for work of three or more. Each call gives the whole list. "
        "One step is in_progress at a time; mark it completed as soon as it is done."
    ),
    input=TodoInput,
    effects=effects,
    call=call,
)
