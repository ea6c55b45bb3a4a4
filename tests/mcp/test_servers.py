"""Servers that are started, and those of a program: their tools in whole sessions."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from harness.errors import UsageError
from harness.mcp.config import configs
from harness.mcp.names import named
from harness.mcp.tool import full_name
from harness.settings import Settings
from tests.processes import gone
from tests.scenarios.house import STREAM, House, call
from tests.sdk.program import started

SERVER = Path(__file__).with_name("server.py")
ALLOW = ("--allowedTools", "mcp__ext")


@pytest.fixture
def house(tmp_path) -> House:
    return House.make(tmp_path)


def config(**env: str) -> str:
    """A server that works and one that does not start."""
    server = {"command": sys.executable, "args": [str(SERVER)]}
    return json.dumps({"mcpServers": {"ext": {**server, "env": env}, "broken": {**server, "env": {"BROKEN": "1"}}}})


def test_tools_of_a_server_that_is_started(house):
    """One session for most of it: the protocol's package takes long to load."""
    outside = house.base / "outside"
    names = ("shout", "fail", "refuse", "long", "touch")
    calls = [call(f"mcp__ext__{name}", **({"s": "abc"} if name == "shout" else {})) for name in names]
    looks = [call("mcp__ext__look"), call("mcp__ext__look")]
    last = [call("mcp__ext__die"), call("mcp__ext__shout", s="x"), call("mcp__ext__shout", t=1)]
    done = house.ask(
        {"calls": calls},
        {"calls": looks},
        {"calls": last},
        {"text": "Done."},
        flags=("--output-format", "stream-json", "--mcp-config", config(OUTSIDE=str(outside)), *ALLOW),
        env={"OPENAI_API_KEY": "secret"},
    )
    shout, fail, refuse, long, touch, *rest = done.results
    assert shout.startswith("ABC")
    assert "inside" in shout
    assert fail == "it broke"
    assert "no such luck" in refuse
    saved = Path(long.split("Whole output: ")[1].split(" (")[0])
    assert len(saved.read_text()) == 200_000
    assert len(long) < 20_000
    assert touch == f"inside {outside} key=None"
    one, two = (json.loads(text) for text in rest[:2])
    assert one["began"] < two["ended"]
    assert two["began"] < one["ended"], "readOnlyHint lets them run beside each other"
    assert all("failed" in text for text in rest[2:4])
    init = done.of("system", "init")[0]
    assert init["mcp_servers"] == [{"name": "ext", "status": "connected"}, {"name": "broken", "status": "failed"}]
    assert "server says hello" in json.dumps(done.of("system", "informational"))
    offered = [tool["function"]["name"] for tool in done.asked[0].body["tools"]]
    assert offered[-7:] == sorted(f"mcp__ext__{name}" for name in (*names, "look", "die"))
    assert gone(str(SERVER))


def test_a_projects_server_needs_trust_and_runs_in_the_sandbox(house):
    outside = house.base / "outside"
    server = house.project / "server.py"
    server.write_text(SERVER.read_text())
    given = {"command": "python3", "args": ["${PLACE:-.}/server.py"], "env": {"OUTSIDE": str(outside)}}
    (house.project / ".mcp.json").write_text(json.dumps({"mcpServers": {"ext": given}}))
    tables = ({"calls": [call("mcp__ext__touch")]}, {"text": "x"})
    done = house.ask(*tables, flags=("--output-format", "stream-json", *ALLOW))
    assert done.of("system", "init")[0]["mcp_servers"] == []
    done = house.ask(*tables, flags=("--output-format", "stream-json", "--trust-project", *ALLOW))
    assert done.results[0].startswith("inside")
    assert (house.project / "inside").exists()
    assert not outside.exists()
    (house.project / "inside").unlink()
    house.settings(permissions={"deny": ["Read(server.py)"]})
    denied = house.ask({"text": "x"}, flags=("--output-format", "stream-json", "--trust-project", *ALLOW))
    assert denied.of("system", "init")[0]["mcp_servers"] == [{"name": "ext", "status": "failed"}]
    house.settings()
    strict = house.ask(
        {"text": "x"}, flags=("--output-format", "stream-json", "--trust-project", "--strict-mcp-config")
    )
    assert strict.of("system", "init")[0]["mcp_servers"] == []


def test_what_makes_a_projects_servers_sandbox_takes_nothing_from_the_project(house):
    """It runs outside: a module in its directory, or a variable that a program or its loader obeys, would too."""
    canary = house.base / "canary"
    evil = f"open({str(canary)!r}, 'a').write(__name__)\n"
    (house.project / "harness").mkdir()
    for name in ("harness/__init__.py", "anyio.py", "argparse.py", "sitecustomize.py", "usercustomize.py"):
        (house.project / name).write_text(evil)
    (house.project / "server.py").write_text(SERVER.read_text())
    here = str(house.project)
    env = {"OUTSIDE": str(canary), "PYTHONPATH": here, "HOME": here, "PATH": "/nowhere", "LD_PRELOAD": "/nowhere/x.so"}
    words = ["-u", "LD_PRELOAD", "-u", "PYTHONPATH", "/usr/bin/python3", "-P", str(house.project / "server.py")]
    given = {"command": "/usr/bin/env", "args": words, "env": env}
    (house.project / ".mcp.json").write_text(json.dumps({"mcpServers": {"ext": given}}))
    done = house.ask(
        {"calls": [call("mcp__ext__touch")]},
        {"text": "x"},
        flags=("--output-format", "stream-json", "--trust-project", *ALLOW),
        env={"PYTHONSAFEPATH": "1"},  # for this start of ours alone: an installed `harness` looks nowhere here
    )
    assert done.results[0].startswith("inside")
    assert not canary.exists()


def test_a_persons_server_is_no_program_that_the_model_can_have_written(house):
    canary, planted = house.base / "canary", house.project / ".venv/bin/python3"
    planted.parent.mkdir(parents=True)
    planted.write_text(f"#!/bin/sh\ntouch {canary}\n")
    planted.chmod(0o755)
    given = json.dumps({"mcpServers": {"ext": {"command": "python3", "args": [str(SERVER)]}}})
    path = f"{planted.parent}:/usr/bin:/bin"
    done = house.ask({"text": "x"}, flags=("--output-format", "stream-json", "--mcp-config", given), env={"PATH": path})
    assert done.of("system", "init")[0]["mcp_servers"] == [{"name": "ext", "status": "connected"}]
    assert not canary.exists()


def test_servers_of_the_program_that_drives_us(house):
    """Over control requests, without the protocol's package."""
    asked = []

    def answer(request):
        message = request["message"]
        asked.append(message["method"])
        params, result = message.get("params") or {}, {}
        if message["method"] == "initialize":
            result = {
                "protocolVersion": params["protocolVersion"],
                "capabilities": {"tools": {}},
                "serverInfo": {"name": "calc", "version": "1.2"},
            }
        elif message["method"] == "tools/list":
            result = {
                "tools": [{"name": "add", "inputSchema": {"type": "object", "properties": {"a": {"type": "number"}}}}]
            }
        elif message["method"] == "tools/call" and params["arguments"]["a"] == 2:
            result = {"content": [{"type": "text", "text": "sum=42"}]}
        elif message["method"] == "tools/call":
            return {
                "mcp_response": {"jsonrpc": "2.0", "id": message["id"], "error": {"code": -32601, "message": "unknown"}}
            }
        return {"mcp_response": {"jsonrpc": "2.0", "id": message.get("id"), "result": result}}

    given = json.dumps({"mcpServers": {"calc": {"type": "sdk", "name": "calc"}}})
    flags = ("--mcp-config", given, "--allowedTools", "mcp__calc__add")
    calls = {"calls": [call("mcp__calc__add", a=2), call("mcp__calc__add", a=3)]}
    with started(house, calls, {"text": "x"}, {"text": "y"}, answer=answer, flags=flags) as program:
        (status,) = program.control("mcp_status")["mcpServers"]
        assert (status["status"], [tool["name"] for tool in status["tools"]]) == ("connected", ["add"])
        program.ask("go")
        results = [m["content"] for m in program.server.requests[-1].messages if m["role"] == "tool"]
        assert results[0] == "sum=42"
        assert "unknown" in results[1]
        assert "mcp__calc__add" in program.of("system", "init")[0]["tools"]
        assert program.control("mcp_toggle", serverName="calc", enabled=False) == {}
        assert program.control("mcp_status")["mcpServers"][0]["status"] == "disabled"
        assert "no MCP server" in program.control("mcp_reconnect", serverName="x")["error"]
        assert program.control("mcp_reconnect", serverName="calc") == {}
        program.ask("again")
        assert "mcp__calc__add" in program.of("system", "init")[-1]["tools"]
    assert asked[:3] == ["initialize", "notifications/initialized", "tools/list"]


def test_an_mcp_tool_without_a_rule_is_not_run(house):
    given = json.dumps({"mcpServers": {"calc": {"type": "sdk", "name": "calc"}}})
    tools = {"tools": [{"name": "add", "annotations": {"readOnlyHint": True}, "inputSchema": {"type": "object"}}]}

    def answer(request):
        assert request["message"]["method"] != "tools/call"
        return {"mcp_response": {"jsonrpc": "2.0", "id": request["message"].get("id"), "result": tools}}

    with started(
        house, {"calls": [call("mcp__calc__add")]}, {"text": "x"}, answer=answer, flags=("--mcp-config", given)
    ) as program:
        assert program.ask("go")["permission_denials"][0]["tool_name"] == "mcp__calc__add"


def test_without_servers_nothing_of_it_is_loaded(house):
    code = (
        "import sys; from harness.cli import main; code = main(['-p', 'hi']); "
        "print(code, sorted({'mcp', 'click', 'uvicorn', 'starlette', 'httpx2', 'jsonschema'} & sys.modules.keys()))"
    )
    from harness.scripted.script import steps
    from harness.scripted.server import running

    with running(steps({"text": "x"})) as server:
        done = subprocess.run(
            [sys.executable, "-c", code],
            cwd=house.project,
            env=house.env(server.url),
            capture_output=True,
            text=True,
            check=True,
        )
    assert done.stdout.splitlines()[-1] == "0 []"


@pytest.mark.parametrize("value", ["{", "[]", '{"mcpServers": []}', "/no/such/file", '{"other": {}}'])
def test_a_flag_that_cannot_be_used(value, tmp_path):
    with pytest.raises(UsageError, match="--mcp-config"):
        configs([value], Settings(), tmp_path, {})


@pytest.mark.parametrize(
    ("server", "problem"),
    [
        ({"url": "http://x"}, "neither command nor type"),
        ({"type": "http", "url": "http://x"}, "not spoken to yet"),
        ({"command": 5}, "must be a string"),
        ({"command": "x", "args": "y"}, "must be a list"),
        ({"command": "${NOT_SET_AT_ALL}"}, "NOT_SET_AT_ALL is not set"),
        ("x", "must be an object"),
    ],
)
def test_a_server_that_cannot_be_used_is_listed_with_its_problem(server, problem, tmp_path):
    (found,) = configs([json.dumps({"mcpServers": {"a": server}})], Settings(), tmp_path, {})
    assert problem in found.problem


@pytest.mark.parametrize("late", ["a", "a__b"])
def test_of_two_tools_with_one_name_the_first_has_it_whenever_it_comes(house, late):
    def server(name: str, tools: str) -> dict[str, object]:
        env = {"WHO": name, "ONLY": tools, "LATE": "0.7" if name == late else "0"}
        return {"command": sys.executable, "args": [str(SERVER)], "env": env}

    given = {"mcpServers": {"a__b": server("a__b", "c own"), "a": server("a", "b__c")}}
    done = house.ask(
        {"calls": [call("mcp__a__b__c"), call("mcp__a__b__own")]},
        {"text": "x"},
        flags=("--output-format", "stream-json", "--mcp-config", json.dumps(given), "--allowedTools", "mcp__a"),
    )
    assert done.results == ["b__c of a", "own of a__b"]
    offered = {t["function"]["name"]: t["function"]["description"] for t in done.asked[0].body["tools"]}
    assert (offered["mcp__a__b__c"], offered["mcp__a__b__own"]) == ("a", "a__b")
    told = "\n".join(line["content"] for line in done.of("system", "informational"))
    assert "mcp__a__b__c is 'b__c' of the MCP server 'a'; 'c' of 'a__b' would have the same name" in told


@pytest.mark.parametrize("name", ["github__x", "github_", "github..x", "git.hub", "my"])
def test_a_repositorys_server_is_under_no_rule_for_another(house, name):
    """Nor does it have the tools of one: the person's `git_hub` and `my__desk` keep what is theirs."""
    (house.project / "server.py").write_text(SERVER.read_text())
    given = {"command": "python3", "args": ["server.py"], "env": {"WHO": "repository", "ONLY": "c desk__c"}}
    (house.project / ".mcp.json").write_text(json.dumps({"mcpServers": {name: given}}))
    mine = {"command": sys.executable, "args": [str(SERVER)], "env": {"WHO": "person", "ONLY": "c"}}
    house.settings(mcpServers={"git_hub": mine, "my__desk": mine})
    tools = [f"mcp__{name.replace('.', '_')}__c", "mcp__git_hub__c", "mcp__my__desk__c"]
    done = house.ask(
        {"calls": [call(tool) for tool in tools]},
        {"text": "x"},
        flags=(*STREAM, "--trust-project", "--allowedTools", "mcp__github,mcp__git_hub,mcp__my__desk__c"),
    )
    servers = {server["name"]: server["status"] for server in done.of("system", "init")[0]["mcp_servers"]}
    assert servers == {name: "failed", "git_hub": "connected", "my__desk": "connected"}
    assert done.results[1:] == ["c of person"] * 2
    assert "of repository" not in done.results[0]
    told = "\n".join(line["content"] for line in done.of("system", "informational"))
    assert f"The MCP server {name} failed: its " in told
    assert "rename it in .mcp.json" in told


def test_a_persons_server_may_have_any_name(house):
    mine = {"command": sys.executable, "args": [str(SERVER)], "env": {"WHO": "person", "ONLY": "c"}}
    house.settings(mcpServers={"github__x": mine})
    theirs = {**mine, "env": {"WHO": "repository", "ONLY": "c"}}
    (house.project / ".mcp.json").write_text(json.dumps({"mcpServers": {"github__x": theirs}}))
    flags = ("--trust-project", "--allowedTools", "mcp__github")
    assert house.acts(call("mcp__github__x__c"), flags=flags).results == ["c of person"]


def test_one_name_of_several_tools():
    found, problems = named(
        {"x.y": [{"name": "b"}, {"name": "c"}], "x y": [{"name": "b"}], "z": [{"name": "a/"}, {"name": "a."}]}
    )
    assert {full: tool[:2] for full, tool in found.items()} == {
        "mcp__x_y__b": ("x y", "b"),
        "mcp__x_y__c": ("x.y", "c"),
        "mcp__z__a_": ("z", "a."),
    }
    assert len(problems) == 2
    assert named({"a": [{"name": "b"}], "b": [{"name": "a"}]})[1] == []


def test_names_that_model_servers_take():
    assert full_name("my server", "do.it") == "mcp__my_server__do_it"
