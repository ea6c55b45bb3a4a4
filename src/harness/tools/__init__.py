"""The built-in tools: a light door. Their specs are bytes that were generated; their modules load when called."""

from collections.abc import Iterable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # loads pydantic
    from harness.tools.tool import Tool

# Name to module below this package; each module has its tool as `TOOL`.
TOOLS = {
    "Agent": "agent",
    "Bash": "bash",
    "Edit": "edit",
    "Glob": "glob",
    "Grep": "grep",
    "Read": "read",
    "TaskOutput": "taskoutput",
    "TaskStop": "taskstop",
    "TodoWrite": "todo",
    "ToolSearch": "toolsearch",
    "WebFetch": "webfetch",
    "Write": "write",
}
# Seldom needed: found by ToolSearch, so that a first request is small.
DEFERRED = frozenset({"NotebookEdit", "WebFetch", "TaskOutput", "TaskStop"})
# What a small window has room for; ToolSearch, offered where something is deferred, finds the rest.
LEAN = frozenset({"Bash", "Edit", "Read", "StructuredOutput", "ToolSearch", "Write"})
SPECS_FILE = Path(__file__).with_name("specs.json")
SPECS = SPECS_FILE.read_bytes()  # a JSON array of chat-completions function specs, sorted by name


def load(names: Iterable[str]) -> dict[str, "Tool"]:
    """The tools of these names. Raises KeyError for one that there is not."""
    return {name: import_module(f"harness.tools.{TOOLS[name]}").TOOL for name in names}
