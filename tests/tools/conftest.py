from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest

from harness.errors import ToolError
from harness.files import Files
from harness.sandbox.outcome import Finished, Progress
from harness.tools import load
from harness.tools.tool import Context, Output
from harness.tools.validate import parse


class NoShell:
    """A shell for tools that run nothing."""

    def run(
        self, command: str, cwd: Path, *, timeout: float, outlast: bool = False, outside: bool = False
    ) -> AsyncGenerator[Progress | Finished, None]:
        raise AssertionError("no command was to be run")

    def prepare(self, cwd: Path) -> None: ...

    def discard(self) -> None: ...


class Desk:
    """A project and a context over it, and calls made as a model makes them: by name and arguments."""

    def __init__(self, root: Path, files: Files) -> None:
        self.root = root
        self.context = Context(root, files, NoShell(), root / ".results")

    def put(self, name: str, content: str | bytes = "") -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    async def run(self, tool_name: str, /, **given: Any) -> Output:
        tool = load([tool_name])[tool_name]
        items = [item async for item in tool.call(parse(tool, given), self.context)]
        assert isinstance(items[-1], Output)
        return items[-1]

    async def text(self, tool_name: str, /, **given: Any) -> str:
        (part,) = (await self.run(tool_name, **given)).parts
        assert hasattr(part, "text")
        return part.text

    async def data(self, tool_name: str, /, **given: Any) -> Any:
        return (await self.run(tool_name, **given)).data

    async def error(self, tool_name: str, /, **given: Any) -> str:
        with pytest.raises(ToolError) as caught:
            await self.run(tool_name, **given)
        return str(caught.value)


@pytest.fixture
def desk(tmp_path):
    root = tmp_path / "project"
    root.mkdir()
    files = Files((root,))
    yield Desk(root, files)
    files.close()
