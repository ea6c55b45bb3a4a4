import json
import subprocess
import sys

from harness.effects import Writes
from harness.tools import DEFERRED, SPECS, TOOLS, load
from harness.tools.specs import encode

ALLOWED = {"type", "properties", "required", "enum", "items", "description", "additionalProperties"}


def schemas(schema):
    yield schema
    for inner in [*schema.get("properties", {}).values(), *([schema["items"]] if "items" in schema else [])]:
        yield from schemas(inner)


def test_the_file_is_what_the_models_give():
    assert encode() == SPECS, "run: python -m harness.tools.specs"


def test_sorted_compact_and_small():
    specs = {spec["function"]["name"]: spec for spec in json.loads(SPECS)}
    assert list(specs) == sorted(TOOLS)
    at_once = [spec for name, spec in specs.items() if name not in DEFERRED]
    assert len(json.dumps(at_once, ensure_ascii=False, separators=(",", ":"))) / 4 < 1700


def test_only_what_every_server_understands():
    for spec in json.loads(SPECS):
        for schema in schemas(spec["function"]["parameters"]):
            assert set(schema) <= ALLOWED
            assert isinstance(schema["type"], str)
            assert schema["type"] != "object" or schema["additionalProperties"] is False


def test_public_names_and_fields():
    fields = {spec["function"]["name"]: set(spec["function"]["parameters"]["properties"]) for spec in json.loads(SPECS)}
    grep = "pattern path glob type output_mode -i -n -o -A -B -C context head_limit offset multiline"
    assert fields["Read"] == {"file_path", "offset", "limit"}
    assert fields["Edit"] == {"file_path", "old_string", "new_string", "replace_all"}
    assert fields["Write"] == {"file_path", "content"}
    assert fields["Glob"] == {"pattern", "path"}
    assert fields["Grep"] == set(grep.split())
    assert fields["TodoWrite"] == {"todos"}


def test_effects_are_pure_and_absolute(tmp_path):
    given = {"file_path": "../x/./f", "old_string": "a", "new_string": "b"}
    tool = load(["Edit"])["Edit"]
    assert tool.effects(tool.input.model_validate(given), tmp_path / "project") == (Writes(tmp_path / "x/f"),)


def test_specs_load_without_pydantic():
    code = "import sys, harness.tools; assert harness.tools.SPECS; print('pydantic' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
