"""The limits that the linter cannot check: sizes of files and functions, the numbering of decisions, the map."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = sorted((ROOT / "src").rglob("*.py"))
OURS = [
    path for path in SOURCES if "repo" not in path.relative_to(ROOT / "src").parts
]  # the demo's project is a user's
FILE_LINES = 350
FUNCTION_LINES = 60


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", OURS, ids=name)
def test_sizes(path):
    text = path.read_text("utf-8")
    assert len(text.splitlines()) <= FILE_LINES, "split the file by what it is about, or write an ADR"
    functions = [n for n in ast.walk(ast.parse(text)) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]
    long = [f.name for f in functions if (f.end_lineno or 0) - f.lineno >= FUNCTION_LINES]
    assert not long, "these functions do more than one thing"


def test_every_module_says_what_it_is():
    silent = [
        name(p) for p in OURS if p.read_text("utf-8").strip() and not ast.get_docstring(ast.parse(p.read_text("utf-8")))
    ]
    assert not silent


def test_decisions_are_numbered_in_a_row():
    numbers = [int(p.name[:4]) for p in sorted((ROOT / "adr").glob("*.md"))]
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(numbers) >= 5


def test_the_map_names_only_what_is_there():
    named = re.findall(r"`([a-z_/]+(?:\.py|/))`", (ROOT / "AGENTS.md").read_text("utf-8"))
    package = ROOT / "src" / "harness"
    missing = [n for n in named if not any((base / n).exists() for base in (package, ROOT, package / "tools"))]
    assert not missing


def test_the_map_names_every_module():
    text = (ROOT / "AGENTS.md").read_text("utf-8")
    rooms = {
        p.name for p in (ROOT / "src" / "harness").iterdir() if not p.name.startswith("_") and p.suffix in {"", ".py"}
    }
    missing = [room for room in rooms if room not in text and room.removesuffix(".py") not in text]
    assert not missing


def test_no_address_of_a_registry_or_of_this_machine():
    ours = [top for top in ROOT.iterdir() if not top.name.startswith(".")]  # not .venv, not .servers
    texts = [p for top in ours for p in (top, *top.rglob("*")) if p.suffix in {".py", ".toml", ".txt", ".md"}]
    hosts = re.compile(r"files\.pythonhosted|pypi\.org/simple|--index-url|--extra-index-url")
    assert not [name(p) for p in texts if p.name != "test_gates.py" and hosts.search(p.read_text("utf-8", "replace"))]
