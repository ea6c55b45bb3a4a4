"""The flags of a session: names, what each takes, and the line of help that people read."""

import argparse
from typing import NoReturn

from harness import PROTOCOL_LEVEL, __version__
from harness.errors import UsageError
from harness.flags.values import amount, positive, window
from harness.messages import EFFORTS, MODES
from harness.network.domains import Network
from harness.sandbox.policy import LEVELS

VERSION = f"{PROTOCOL_LEVEL} (harness {__version__})"
OUTPUT_FORMATS = ("text", "json", "stream-json")
NETWORKS: tuple[Network, ...] = ("none", "proxy", "host")

EPILOG = """\
commands:
  harness demo             fix a failing test with a scripted model: no key, no network, real tools, real sandbox
  harness doctor           say what works here and what mends the rest; --probe asks the model, too
  harness serve-script F   serve a scripted OpenAI-compatible endpoint (docs/script-format.md)
  harness config show      show the settings that count, with --origin from which file
  harness trust [DIR]      let a project's own settings count, until they change
  harness permissions      explain 'COMMAND': what is decided about it and why; list: the rules with their files
  harness rewind           bring back files or conversation: --list, --to N, --undo
  harness sessions list    the conversations kept here; show, export, rename, rm
  harness wire decode F    say what Harness makes of a captured answer of a model server
  harness sandbox exec     run any command in the sandbox; explain: say in words what it may do there
  harness events           list the events of a session with their fields; --schema: the JSON Schema of stream-json

environment: OPENAI_BASE_URL, OPENAI_API_KEY, OPENAI_MODEL, HARNESS_CONFIG_DIR, HTTPS_PROXY, NO_PROXY, SSL_CERT_FILE
exit codes: 0 ok, 1 the result is an error, 2 usage, 75 try again later, 130 interrupted, 143 terminated
"""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"harness: {message}.", "See harness --help.")


def parser() -> argparse.ArgumentParser:
    """The parser; its `--help` lists what people use, with one line each."""
    p = _Parser(
        prog="harness",
        usage="harness [flags] [prompt]   |   harness -p [flags] prompt   |   harness COMMAND",
        description="An agentic coding harness for any model behind an OpenAI-compatible endpoint.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
        add_help=False,
    )
    add = p.add_argument
    add("prompt", nargs="?", help="what to do; piped standard input is added to it")
    add("-p", "--print", action="store_true", dest="headless", help="run without a person, print the result and exit")
    add("--output-format", choices=OUTPUT_FORMATS, default="text", help="how -p prints (default: text)")
    add("--include-partial-messages", action="store_true", help="with stream-json: the answer's deltas too")
    _add_for_programs(p)
    _add_leaving_out(p)
    add("--permission-mode", metavar="MODE", help=f"{', '.join(MODES)} (default: default)")
    add("--dangerously-skip-permissions", action="store_true", help="the same as --permission-mode bypassPermissions")
    for names, what in (
        (("--allowedTools", "--allowed-tools"), "allow"),
        (("--disallowedTools", "--disallowed-tools"), "deny"),
    ):
        add(
            *names,
            nargs="+",
            action="extend",
            default=[],
            metavar="RULE",
            help=f'rules to {what}, such as "Bash(git diff *)"',
        )
    add("--max-turns", type=positive, metavar="N", help="end after N requests to the model (-p only)")
    add("--max-budget-usd", type=amount, metavar="X", help="end before a request once X US dollars are spent")
    add("--max-tokens-total", type=positive, metavar="N", help="end once a turn's requests have used N tokens")
    add("--max-time", type=amount, metavar="SECONDS", help="end before a request once a turn has taken so long")
    add("--model", metavar="ID", help="the model, as the server names it")
    add("--endpoint", metavar="NAME", help="one of the endpoints in your settings")
    add("--effort", choices=EFFORTS, metavar="LEVEL", help="how much the model thinks: none, low, medium, high, max")
    add("--fallback-model", metavar="ID,ID", help="models to go on with when the first is overloaded or gone")
    add("--add-dir", nargs="+", action="extend", default=[], metavar="DIR", help="more directories to work in")
    add("--settings", metavar="FILE|JSON", help="more settings, above those of all files but the machine owner's")
    add("--setting-sources", metavar="LIST", help="settings files to read: some of user,project,local (default: all)")
    add("--trust-project", action="store_true", help="let this project's settings count, for this run")
    add("--system-prompt", metavar="TEXT", help="replace the system prompt")
    add("--system-prompt-file", metavar="FILE", help="replace it with what a file says")
    add("--append-system-prompt-file", metavar="FILE", help="add what a file says")
    add("--append-system-prompt", metavar="TEXT", help="add to the system prompt")
    add("--network", choices=NETWORKS, help="network of sandboxed commands (default: none); proxy: listed hosts")
    add("--allow-domain", action="append", default=[], metavar="HOST", help="let commands reach it; implies proxy")
    add("--sandbox", choices=LEVELS, metavar="LEVEL", help="what holds commands, or an error: full, degraded, external")
    add("--no-sandbox", action="store_true", help="run commands without a sandbox: your word that you accept it")
    add("--record", metavar="DIR", help="save each request and raw answer in DIR, without keys (harness wire decode)")
    _add_sessions(p)
    add("-v", "--version", action="version", version=VERSION, help="print the protocol level and the version")
    add("-h", "--help", action="help", help="print this")
    return p


def _add_for_programs(p: argparse.ArgumentParser) -> None:
    """What a program that reads our lines may ask for."""
    add = p.add_argument
    add("--include-hook-events", action="store_true", help="with stream-json: that hooks run and what they answer, too")
    add(
        "--replay-user-messages",
        action="store_true",
        help="with stream-json in and out: repeat each prompt, with its uuid",
    )
    add("--input-format", choices=("text", "stream-json"), default="text", help="stream-json: the Agent SDK's protocol")
    add(
        "--permission-prompt-tool",
        metavar="NAME",
        help="who answers permission questions: a tool mcp__SERVER__TOOL, or stdio, with stream-json input",
    )
    add("--tools", metavar="LIST", help='the built-in tools to offer: "default", "" for none, or names')
    add("--json-schema", metavar="JSON", help="hold the answer to a JSON Schema: structured_output in the result")
    add("--mcp-config", nargs="+", action="extend", default=[], metavar="FILE|JSON", help="MCP servers to start")
    add("--strict-mcp-config", action="store_true", help="no other MCP servers than those of --mcp-config")
    add(
        "--agent",
        metavar="NAME",
        help="be that agent: its prompt, tools, model and mode, where no flag says else; --agent= when resumed: none",
    )
    add("--agents", metavar="JSON", help='agents for this session: {"NAME": {"description": "...", "prompt": "..."}}')
    add("--verbose", action="store_true", help="with text: each step on stderr, too; stream-json is always complete")
    add("--debug", metavar="=WHAT", help="say on stderr what happens; =request,tool or =!hook: only that, or not that")
    add("--debug-file", metavar="FILE", help="the same, to a file")


def _add_leaving_out(p: argparse.ArgumentParser) -> None:
    """What a session may go without."""
    add = p.add_argument
    add("--bare", action="store_true", help="no hooks, skills, commands, agents, servers, memory; Bash, Read, Edit")
    add("--safe-mode", action="store_true", help="the same, with all tools: to see whether one of them is the trouble")
    add("--disable-slash-commands", action="store_true", help="no skills and commands: a prompt is what it says")
    add(
        "--exclude-dynamic-system-prompt-sections",
        action="store_true",
        help="accepted: what differs between runs is never in the system prompt here",
    )
    add("--autocompact", type=window, metavar="auto|N", help="compact as if the window had N tokens (100k to 1M)")


def _add_sessions(p: argparse.ArgumentParser) -> None:
    add = p.add_argument
    add("-c", "--continue", action="store_true", dest="newest", help="go on with this directory's newest session")
    add("-r", "--resume", nargs="?", const="", metavar="ID|NAME", help="go on with that session; alone: choose one")
    add("--fork-session", action="store_true", help="with -c or -r: go on in a copy, with an id of its own")
    add("--session-id", metavar="UUID", help="the new session's id")
    add("-n", "--name", metavar="NAME", help="name the session, for -r NAME")
    add("--resume-session-at", metavar="UUID", help="with -r: only through that message")
    add("--resume-drops-turn", metavar="UUID", help="with it: refuse where more than that turn would go")
    add("--no-session-persistence", action="store_true", help="keep nothing of the session on disk")
