"""How a session begins: a new conversation, or one that is read from its file and gone on with."""

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import uuid4

import anyio

from harness import paths, prompt
from harness.errors import HarnessError, UsageError
from harness.events import Notice
from harness.journal import Journal, Past, replay, session_file
from harness.messages import MODES
from harness.options import SessionOptions
from harness.providers.options import Options as Connection
from harness.providers.options import normal_base_url, shown_url
from harness.settings import Settings
from harness.start import Start

DAY = 86_400.0  # seconds
SWEPT = ".swept"  # a file whose time says when the last sweep was


@dataclass(slots=True)
class Origin:
    """A session's id, its file (None: nothing is kept), what it remembers, and where its long results go.

    `options` are what was asked for, with what the conversation brings where that is silent.
    """

    options: SessionOptions
    id: str
    home: Path
    file: Path
    journal: Journal | None
    past: Past
    results: Path
    private: Path | None  # a directory that goes with the session
    notices: list[Notice]
    of_agent: bool  # the model asked for is but that of the agent that the session was held as

    def wished(self, made: Connection) -> Connection:
        """What to connect to: a conversation keeps its model where nobody names another, at the same endpoint."""
        if (made.model is not None and not self.of_agent) or not made.base_url:
            return made
        same = self.past.state.get("endpoint") == shown_url(normal_base_url(made.base_url))
        return replace(made, model=self.past.state.get("model") or made.model) if same else made

    def close(self) -> None:
        if self.journal:
            self.journal.close()
        if self.private:
            import shutil  # noqa: PLC0415  most sessions have no such directory

            shutil.rmtree(self.private, ignore_errors=True)


def origin(options: SessionOptions, chosen: Settings) -> Origin:
    """Find, lock and read what the session is to go on with.

    Raises:
        UsageError: there is no such conversation, it cannot be cut there, or its agent is gone.
        HarnessError: another process is in it, or its file cannot be used.
    """
    start, cwd, home = options.start.checked(), options.cwd.resolve(), paths.config_home(options.env)
    notices: list[Notice] = []
    old = _old(start, options, home, cwd, notices)
    fresh = start.session_id.lower() if start.session_id else str(uuid4())
    session_id = old.stem if old and not start.fork else fresh
    file = old if old and not start.fork else session_file(home, cwd, session_id)
    keeps = options.persist and chosen.retention > 0
    journal = None
    if keeps:
        branch = prompt.git_branch(cwd)
        kept = branch.removeprefix("on ") if branch.startswith("on ") else "HEAD" if "detached" in branch else ""
        journal = Journal(file, session_id, cwd, kept, _surface(options))
    if start.session_id and file.exists():
        raise UsageError(f"--session-id {session_id}: it is there already.", f"Go on with it: --resume {session_id}")
    try:
        past = _past(old, start, journal, notices) if old else Past()
        brought = _brought(options, past, chosen, notices)  # before anything is copied: it may be refused
        if journal and old:
            _follow(past, start, journal, old)
        if journal and start.name:
            journal.rename(start.name)
            past.title = start.name
    except BaseException as error:
        if journal:
            journal.close()
        if isinstance(error, OSError):
            text = f"The session file {error.filename or file} cannot be used: {error.strerror}."
            raise HarnessError(text) from error
        raise
    results = file.with_suffix("") / "tool-results"
    private = None if keeps else _private_directory()
    of_agent = options.agent is None and options.model is None and not chosen.of("managed", "model")
    return Origin(brought, session_id, home, file, journal, past, private or results, private, notices, of_agent)


def _brought(asked: SessionOptions, past: Past, chosen: Settings, notices: list[Notice]) -> SessionOptions:
    """What was asked for, with what the conversation brings where that is silent: mode and agent, but no rights.

    Raises:
        UsageError: there is no such agent, or no longer.
    """
    mode, agent, options = past.state.get("mode"), past.state.get("agent"), asked
    if asked.agent:
        from harness.session.persona import as_agent  # noqa: PLC0415  seldom asked for

        options = as_agent(options, chosen)
    if options.mode is None and mode in MODES and mode not in {"plan", "bypassPermissions"}:
        options = replace(options, mode=mode)
    if asked.agent is None and agent and isinstance(agent, str):
        from harness.session.persona import as_agent  # noqa: PLC0415

        options = as_agent(replace(options, agent=agent), chosen, again=True)
        text = f"Going on as the agent {agent}, as before (--agent= is none)."
        notices.append(Notice(level="info", cause="agent", text=text))
    return options


def _old(start: Start, options: SessionOptions, home: Path, cwd: Path, notices: list[Notice]) -> Path | None:
    if not start.old:
        return None
    from harness.journal import store  # noqa: PLC0415  a new conversation looks for none

    if start.resume == "":
        raise UsageError("--resume needs the id or the name of a session here.", "harness sessions list shows them.")
    if start.resume is not None:
        return store.find(home, cwd, start.resume)
    found = store.newest(home, cwd, by_person=options.interactive)
    if found is None:
        text = "There is no conversation in this directory to continue: this is a new one."
        notices.append(Notice(level="info", cause="continue", text=text))
    return found.path if found else None


def _past(old: Path, start: Start, journal: Journal | None, notices: list[Notice]) -> Past:
    """What the old file comes to."""
    if journal and not start.fork:
        journal.lock()  # before it is read: what another process is writing would be missed
    with old.open(encoding="utf-8", errors="replace", newline="\n") as lines:
        past = replay(lines, start.at or None)
    if start.at:
        _check_cut(old, start, past)
    if past.torn:
        text = f"The session file ended within a line: the last {past.torn} characters, never finished, are dropped."
        notices.append(Notice(level="warning", cause="journal", text=text))
    return past


def _follow(past: Past, start: Start, journal: Journal, old: Path) -> None:
    """The journal stands behind the old file, or behind a copy of it."""
    if start.fork:
        from harness.journal import store  # noqa: PLC0415

        journal.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        store.copy(old, journal.path, journal.entries.session_id, start.at or None)
        past.title = store.copied(past.title)
        journal.lock()
    journal.follow(past)
    if start.at and not start.fork:
        journal.back_to(past.leaf)


def _check_cut(old: Path, start: Start, past: Past) -> None:
    """Raises UsageError where the entry is not there, or more would go than `drops_turn` allows."""
    if past.leaf != start.at:
        raise UsageError(f"--resume-session-at {start.at}: the session has no such message.", "Take the uuid of one.")
    if start.drops_turn is None:
        return
    with old.open(encoding="utf-8", errors="replace", newline="\n") as lines:
        dropped = list(_prompts_after(lines, start.at or ""))
    if any(uuid != start.drops_turn for uuid in dropped) or (start.drops_turn and not dropped):
        raise UsageError(
            "Resume rejected by --resume-drops-turn: what would be dropped does not all belong to that prompt's turn.",
            "Read the session again: somebody has gone on with it.",
        )


def _prompts_after(lines: Iterator[str], uuid: str) -> Iterator[str]:
    """The uuids of the person's prompts after that entry; '' for an answer that belongs to an earlier one."""
    from harness.journal.fold import parsed  # noqa: PLC0415

    reached = seen = False
    for text in lines:
        match parsed(text):
            case {"uuid": str(found)} if found == uuid:
                reached = True
            case {"type": "user", "uuid": str(found), "message": {"content": content}} if reached:
                if isinstance(content, str) or not any(b.get("type") == "tool_result" for b in content):
                    seen = True
                    yield found
                elif not seen:
                    yield ""
            case {"type": "assistant"} if reached and not seen:
                yield ""


def _surface(options: SessionOptions) -> str:
    """Who holds the session, as its lines say it: `--continue` at a terminal passes over what no person held."""
    told = options.env.get("CLAUDE_CODE_ENTRYPOINT", "")
    return told if told.startswith("sdk-") else "cli" if options.interactive else "print"


def _private_directory() -> Path:
    """For this run alone: made here, so that nobody else has it, and removed with the session."""
    import tempfile  # noqa: PLC0415

    return Path(tempfile.mkdtemp(prefix="harness-"))


async def tidied(options: SessionOptions, chosen: Settings) -> None:
    """Remove what a process that was killed left in the project; delete, once a day and in a thread, the sessions that
    are older than the person keeps them."""
    with contextlib.suppress(OSError):
        if paths.placeholder_journal(options.cwd.resolve()).stat().st_size:
            from harness.sandbox import placeholders  # noqa: PLC0415  a killed process is rare

            placeholders.sweep(options.cwd.resolve())
    home = paths.config_home(options.env)
    with contextlib.suppress(OSError):
        if time.time() - (home / "projects" / SWEPT).stat().st_mtime < DAY:
            return
    from harness.journal import store  # noqa: PLC0415  most starts sweep nothing

    await anyio.to_thread.run_sync(store.sweep, home, chosen.retention, abandon_on_cancel=True)
