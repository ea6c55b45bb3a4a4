"""`harness replay SESSION`: a session shown again from its journal, or run again from a recording and compared."""

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NoReturn
from uuid import uuid4

from harness import codec, paths
from harness.errors import EXIT_ERROR, EXIT_OK, HarnessError, UsageError
from harness.events import AssistantMessage, Event, Result, StreamEvent, System, UserMessage
from harness.journal.events import BACK, Kept, kept
from harness.lines import StreamLines
from harness.messages import Text, TextDelta, Thinking, ThinkingDelta, User
from harness.render import Renderer, safe

_DESCRIPTION = """\
Show a session again from its file. With --against, run it again: the prompts from the session, the answers from the
recording that --record DIR made of it, the tools' results from the session; each request must be the recorded one,
byte for byte, or the first difference is shown and the exit code is 1."""
_EPILOG = """\
Flags of `harness -p` that the session was run with and that change what the model is told (--append-system-prompt,
--tools, --settings, --effort, ...) are given again after the others."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"harness replay: {message}.", "Try: harness replay ID, or harness replay ID --against DIR")


def main(argv: Sequence[str]) -> int:
    """Show a session, or run it again; returns the exit code: 1 where it does not come to the same.

    Raises:
        HarnessError: there is no such session or recording, or it cannot be run again.
    """
    p = _Parser(
        prog="harness replay",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    p.add_argument("session", metavar="ID|NAME|FILE")
    p.add_argument("--against", metavar="DIR|URL", help="a recording, or a server whose answers must be the same")
    p.add_argument("--run-tools", action="store_true", help="with --against: run the tools here, in their sandbox")
    p.add_argument("--json", action="store_true", help="show it as stream-json lines")
    given, more = p.parse_known_args(argv)
    if given.against is None and (more or given.run_tools):
        raise UsageError(f"harness replay: {(more or ['--run-tools'])[0]} needs --against.", "Add --against DIR.")
    file = _file(given.session)
    try:
        with file.open(encoding="utf-8", errors="replace", newline="\n") as lines:
            events = list(kept(lines))
    except OSError as error:
        raise HarnessError(f"{file} cannot be read: {error.strerror}.", "Mend its permissions.") from None
    if not events:
        raise UsageError(f"{file} holds no session.", "harness sessions list shows those there are.")
    if given.against is not None:
        return _again(events, given.against, more, run_tools=given.run_tools)
    return _as_json(events, file.stem) if given.json else _shown(events)


def _file(wanted: str) -> Path:
    if wanted.endswith(".jsonl") or os.sep in wanted:
        if not Path(wanted).is_file():
            raise UsageError(f"{wanted} is no file.", "Name a session by its id, its name or its file.")
        return Path(wanted)
    from harness.journal.store import find  # noqa: PLC0415  a file needs no search

    return find(paths.config_home(), Path.cwd().resolve(), wanted)


def _shown(events: Sequence[Kept]) -> int:
    color = sys.stdout.isatty() and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"
    screen = Renderer(_write, color=color)
    for event in (each.event for each in events):
        match event:
            case UserMessage(message=User() as said, source="prompt" | "steering"):
                _write(safe(f"\n> {_own_words(said)}\n"))
            case System(
                subtype="compact_boundary",
                data={"compact_metadata": {"pre_tokens": int(before), "post_tokens": int(now)}},
            ):
                _write(f"(compacted: {before:,} tokens before, {now:,} after)\n")
            case System(subtype="rewind", data=data) if BACK in data:
                _write("(the conversation was rewound: what stands above does not count any more)\n")
            case _:
                for one in _streamed(event):
                    screen.show(one)
        if isinstance(event, Result) and event.num_turns:
            screen.summary(event)
    return EXIT_OK


def _streamed(event: Event) -> Iterator[Event]:
    """A message with the deltas that it came in: that is what is shown."""
    if isinstance(event, AssistantMessage):
        for part in event.message.parts:
            if isinstance(part, Text):
                yield StreamEvent(delta=TextDelta(part.text))
            elif isinstance(part, Thinking):
                yield StreamEvent(delta=ThinkingDelta(part.text))
    yield event


def _own_words(said: User) -> str:
    return said.parts[0].text if said.parts and isinstance(said.parts[0], Text) else "(an image)"


def _as_json(events: Sequence[Kept], session_id: str) -> int:
    lines = StreamLines(session_id, hooks=True)
    for event in (each.event for each in events):
        if isinstance(event, UserMessage) and isinstance(event.message, User):
            told = {"type": "user", "message": codec.message_json(event.message), "parent_tool_use_id": None}
            ours = {"isMeta": True} if event.source == "harness" else {}
            own = {"isReplay": True, **ours, "session_id": session_id, "uuid": str(uuid4())}
            _write(codec.line({**told, **own}) + "\n")
        for line in lines.of(event):
            _write(codec.line(line) + "\n")
    return EXIT_OK


def _again(events: Sequence[Kept], against: str, words: Sequence[str], *, run_tools: bool) -> int:
    import anyio  # noqa: PLC0415  showing a session needs none of it

    from harness.flags import parse  # noqa: PLC0415
    from harness.options import SessionOptions  # noqa: PLC0415
    from harness.rerun import Cassette, Difference, Plan, rerun  # noqa: PLC0415

    options = SessionOptions.from_flags(parse(["-p", *words]), interactive=False)
    url = against.startswith(("http://", "https://"))
    target = against if url else Cassette.load(Path(against))

    async def run() -> int:
        return await rerun(Plan.of(events), target, options, run_tools=run_tools)

    try:
        count = anyio.run(run)
    except Difference as found:
        _write(f"{safe(str(found))}\n")
        return EXIT_ERROR
    _write(f"{count} requests, all {'answered as in the session' if url else 'identical'}\n")
    return EXIT_OK


def _write(text: str) -> None:
    sys.stdout.write(text.encode("utf-8", "backslashreplace").decode())
