"""The command line of a session: flags, their values, and what they come to. Light: `--help` needs nothing else."""

import argparse
import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from harness import PROTOCOL_LEVEL, __version__
from harness.errors import UsageError
from harness.messages import EFFORTS, MODES, Mode
from harness.network.domains import Network, network
from harness.sandbox.policy import LEVELS, Level
from harness.settings.places import SOURCES
from harness.start import Start

if TYPE_CHECKING:
    from harness.definitions import Agent

VERSION = f"{PROTOCOL_LEVEL} (harness {__version__})"
OUTPUT_FORMATS = ("text", "json", "stream-json")
NETWORKS: tuple[Network, ...] = ("none", "proxy", "host")

# Flags of other people's scripts that mean a vendor's cloud: accepted, told, without effect here. Some take a value.
VENDOR_FLAGS = frozenset(
    f"--{name}"
    for name in ("advisor", "channels", "chrome", "no-chrome", "cloud", "remote", "teleport", "remote-control", "rc")
)
VENDOR_FLAGS_WITH_VALUE = frozenset({"--environment", "--ref"})

EPILOG = """\
commands:
  harness demo             fix a failing test with a scripted model: no key, no network, real tools, real sandbox
  harness doctor           say what works here and what mends the rest; --probe asks the model, too
  harness serve-script F   serve a scripted OpenAI-compatible endpoint (docs/script-format.md)
  harness config show      show the settings that count, with --origin from which file
  harness trust [DIR]      let a project's own settings count, until they change
  harness permissions      explain 'COMMAND': what is decided about it and why; list: the rules with their files
  harness sessions list    the conversations kept here; show, export, rename, rm
  harness wire decode F    say what Harness makes of a captured answer of a model server
  harness sandbox exec     run any command in the sandbox
  harness events           list the events of a session with their fields

environment: OPENAI_BASE_URL, OPENAI_API_KEY, OPENAI_MODEL, HARNESS_CONFIG_DIR, HTTPS_PROXY, NO_PROXY, SSL_CERT_FILE
exit codes: 0 ok, 1 the result is an error, 2 usage, 75 try again later, 130 interrupted, 143 terminated
"""


@dataclass(frozen=True, slots=True)
class Flags:
    """A parsed command line."""

    prompt: str | None
    headless: bool
    output_format: str
    partial_messages: bool
    hook_events: bool
    replay: bool
    tools: tuple[str, ...] | None
    agents: "tuple[Agent, ...]"
    prompt_tool: str | None
    permission_mode: Mode | None
    allowed: tuple[str, ...]
    disallowed: tuple[str, ...]
    max_turns: int | None
    max_budget: float | None
    max_tokens: int | None
    max_seconds: float | None
    model: str | None
    endpoint: str | None
    effort: str | None
    fallback_models: tuple[str, ...]
    add_dirs: tuple[Path, ...]
    system_prompt: str | None
    append_system_prompt: str | None
    sandbox: Level | None
    network: Network | None
    allow_domains: tuple[str, ...]
    persist: bool
    start: Start
    settings: str | None
    setting_sources: tuple[str, ...]
    trust_project: bool
    record: str | None
    vendor: tuple[str, ...]


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
    add("--max-turns", type=_positive, metavar="N", help="end after N requests to the model (-p only)")
    add("--max-budget-usd", type=_amount, metavar="X", help="end before a request once X US dollars are spent")
    add("--max-tokens-total", type=_positive, metavar="N", help="end once a turn's requests have used N tokens")
    add("--max-time", type=_amount, metavar="SECONDS", help="end before a request once a turn has taken so long")
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
        help="who answers permission questions: stdio, with stream-json input",
    )
    add("--tools", metavar="LIST", help='the built-in tools to offer: "default", "" for none, or names')
    add("--agents", metavar="JSON", help='agents for this session: {"NAME": {"description": "...", "prompt": "..."}}')
    add("--verbose", action="store_true", help="accepted; stream-json is always complete")


def parse(argv: Sequence[str]) -> Flags:
    """Read a command line.

    Raises:
        UsageError: an unknown flag (with the nearest name), or a value that cannot be used.
    """
    words, vendor = _without_vendor(argv)
    p = parser()
    _refuse_unknown(words, p)
    given = p.parse_args(words)
    mode = given.permission_mode
    if mode is not None and mode != "manual" and mode not in MODES:
        raise UsageError(f"--permission-mode {mode}: no such mode.", f"Use one of: {', '.join(MODES)}.")
    if given.dangerously_skip_permissions:
        if mode not in (None, "bypassPermissions"):
            raise UsageError(f"--dangerously-skip-permissions and --permission-mode {mode} disagree.", "Drop one.")
        mode = "bypassPermissions"
    if given.no_sandbox and given.sandbox not in (None, "none"):
        raise UsageError(f"--no-sandbox and --sandbox {given.sandbox} disagree.", "Drop one.")
    network(given.network, given.allow_domain)  # flags that disagree are said before anything is started
    return Flags(
        prompt=given.prompt,
        headless=given.headless,
        output_format=given.output_format,
        partial_messages=given.include_partial_messages,
        hook_events=given.include_hook_events,
        replay=given.replay_user_messages,
        tools=_tools(given.tools),
        agents=_agents(given.agents),
        prompt_tool=given.permission_prompt_tool,
        permission_mode="default" if mode == "manual" else mode,
        allowed=tuple(given.allowedTools),
        disallowed=tuple(given.disallowedTools),
        max_turns=given.max_turns,
        max_budget=given.max_budget_usd,
        max_tokens=given.max_tokens_total,
        max_seconds=given.max_time,
        model=given.model,
        endpoint=given.endpoint,
        effort=given.effort,
        fallback_models=tuple(name.strip() for name in (given.fallback_model or "").split(",") if name.strip()),
        add_dirs=tuple(_directory(d) for d in given.add_dir),
        system_prompt=_text(given, "system_prompt"),
        append_system_prompt=_text(given, "append_system_prompt"),
        sandbox="none" if given.no_sandbox else given.sandbox,
        network=given.network,
        allow_domains=tuple(given.allow_domain),
        persist=not given.no_session_persistence,
        start=_start(given),
        settings=given.settings,
        setting_sources=setting_sources(given.setting_sources),
        trust_project=given.trust_project,
        record=given.record,
        vendor=vendor,
    )


def _tools(value: str | None) -> tuple[str, ...] | None:
    return None if value is None or value == "default" else tuple(value.replace(",", " ").split())


def _agents(value: str | None) -> "tuple[Agent, ...]":
    if value is None:
        return ()
    import json  # noqa: PLC0415  seldom given

    from harness.definitions.values import agent_from  # noqa: PLC0415

    try:
        given = json.loads(value)
        if not isinstance(given, dict) or not all(isinstance(each, dict) for each in given.values()):
            raise ValueError("it must be an object of agents")
        return tuple(agent_from(name, fields, "flag") for name, fields in given.items())
    except (ValueError, RecursionError) as error:
        raise UsageError(f"--agents cannot be used: {error}.", "See harness --help.") from None


def _text(given: argparse.Namespace, name: str) -> str | None:
    """A prompt given as text or by the name of its file."""
    text, file, flag = getattr(given, name), getattr(given, f"{name}_file"), f"--{name.replace('_', '-')}"
    if file is None:
        return str(text) if text is not None else None
    if text is not None and name == "system_prompt":
        raise UsageError(f"{flag} and {flag}-file disagree.", "Drop one.")
    try:
        return "\n\n".join(filter(None, (text, Path(file).read_text("utf-8"))))
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is no UTF-8"
        raise UsageError(f"{flag}-file {file} cannot be read: {why}.", "Name a text file.") from None


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


def _start(given: argparse.Namespace) -> Start:
    return Start(
        newest=given.newest,
        resume=given.resume,
        fork=given.fork_session,
        session_id=given.session_id,
        name=given.name,
        at=given.resume_session_at,
        drops_turn=given.resume_drops_turn,
    ).checked()


def _without_vendor(argv: Sequence[str]) -> tuple[list[str], tuple[str, ...]]:
    """The words without the flags that belong to a vendor's cloud, and those flags. After `--` all is prompt."""
    words: list[str] = []
    vendor: list[str] = []
    rest = iter(argv)
    for word in rest:
        name, given, _ = word.partition("=")
        if word == "--":
            return [*words, word, *rest], tuple(vendor)
        if name in VENDOR_FLAGS or name in VENDOR_FLAGS_WITH_VALUE:
            vendor.append(name)
            if name in VENDOR_FLAGS_WITH_VALUE and not given:
                next(rest, None)
        else:
            words.append(word)
    return words, tuple(vendor)


def _refuse_unknown(words: Sequence[str], p: argparse.ArgumentParser) -> None:
    known = [name for action in p._actions for name in action.option_strings]
    for word in words:
        if word == "--":
            return
        name = word.split("=", 1)[0]
        if name.startswith("--") and " " not in name and name not in known:
            near = nearest(name, known)
            raise UsageError(
                f"harness: unknown flag {name}.", f"Did you mean {near}?" if near else "See harness --help."
            )


def nearest(word: str, known: Iterable[str]) -> str | None:
    return next(iter(difflib.get_close_matches(word, list(known), 1, 0.7)), None)


def _amount(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 < value < 1e9:
        raise argparse.ArgumentTypeError(f"{text!r} is no amount above 0")
    return value


def _positive(text: str) -> int:
    value = int(text) if text.isascii() and text.isdigit() else 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 1")
    return value


def setting_sources(text: str | None) -> tuple[str, ...]:
    """The value of `--setting-sources`; '' is none of them. Raises UsageError."""
    names = SOURCES if text is None else tuple(name.strip() for name in text.split(",") if name.strip())
    for name in names:
        if name not in SOURCES:
            raise UsageError(f"--setting-sources: there is no source {name!r}.", f"Use some of: {','.join(SOURCES)}.")
    return names


def _directory(text: str) -> Path:
    try:
        path = Path(text).expanduser().resolve()
    except (RuntimeError, ValueError):  # no such user, links in a circle
        path = None
    if path is None or not path.is_dir():
        raise UsageError(f"--add-dir {text}: no such directory.", "Name a directory that exists.")
    return path
