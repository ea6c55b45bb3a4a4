"""Send first, load later: what is loaded when the first request leaves, and never before."""

import subprocess
import sys

from harness.scripted.script import steps
from harness.scripted.server import running
from tests.scenarios.house import House

# What makes the first request. Whoever adds to this list makes every start longer: load it when there is work for it.
LOADED = """
    asks beginnings calls checkpoints checkpoints.checkpoints cli codec confine connection contacts context
    context.budget context.fold context.keeper context.ledger context.tail context.work debug definitions
    definitions.load definitions.values errors events files files.beneath flags flags.foreign flags.parse flags.table
    flags.values guards guards.limits guards.stuck headless headless.outlet headless.printing headless.run
    headless.stdin hooking hooks hooks.verdict jobs journal journal.entries journal.fold journal.writer leaving lines
    loop memory memory.memory memory.places memory.text messages mux network network.contact network.domains
    network.hosts options paths permissions permissions.decision permissions.paths permissions.patterns
    permissions.rules permissions.tables permissions.wildcard permit prompt providers providers.attempt
    providers.body providers.chat providers.counting providers.encode providers.errors providers.frames
    providers.http providers.ids providers.kinds providers.learnt providers.options providers.overflow
    providers.patterns providers.port providers.prefix providers.prices providers.probe providers.profile
    providers.profiler providers.quirks providers.servers providers.tokens render request sandbox sandbox.policy
    schedule serving session session.agents session.background session.builtin_agents session.clerk session.life
    session.models session.opening session.origin session.session session.transcript settings settings.load
    settings.places settings.values slash start step toolbox tools tools.tool turn
""".split()  # noqa: SIM905  easier to read and to change
HEAVY = {
    "pydantic",
    "tree_sitter",
    "yaml",
    "mcp",
    "rich",
    "prompt_toolkit",
    "jsonschema",
    "sqlite3",
    "difflib",
    "zipfile",
}

CODE = """
import asyncio.selector_events as events, sys
import harness.cli
transport = events._SelectorSocketTransport
write = transport.write
def told(self, data):
    if b"/chat/completions" in bytes(data[:200]):
        print(*sys.modules, file=sys.stderr)
        transport.write = write
    return write(self, data)
transport.write = told
sys.exit(harness.cli.main(["-p", "--model", "m", "--", "go"]))
"""


def test_only_what_makes_the_first_request_is_loaded_before_it_leaves(house: House):
    swept = house.config / "projects" / ".swept"
    swept.parent.mkdir()
    swept.touch()  # else old sessions are looked for beside
    with running(steps({"text": "Hello."})) as server:
        done = subprocess.run(
            [sys.executable, "-c", CODE],
            cwd=house.project,
            env=house.env(server.url),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=True,
        )
    assert done.stdout == "Hello.\n"
    loaded = done.stderr.split()
    ours = {name.removeprefix("harness.") for name in loaded if name.startswith("harness.")}
    assert sorted(ours - set(LOADED)) == [], "load it later, when there is work for it"
    assert not HEAVY & {name.split(".")[0] for name in loaded}
