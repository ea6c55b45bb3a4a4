"""How `harness -p` prints: what each `--output-format` makes of a turn's events."""

import json
import os
import select
import sys
from typing import Protocol

from harness import codec
from harness.events import Event, Notice, Result
from harness.flags import Flags
from harness.headless.outlet import Outlet
from harness.lines import StreamLines
from harness.render import Renderer, safe


class Output(Protocol):
    """What `--output-format` chooses."""

    def show(self, event: Event) -> None: ...


class Text:
    """The final answer on stdout; warnings, denials and errors on stderr as they come, `verbose`: each step."""

    def __init__(self, outlet: Outlet, *, verbose: bool) -> None:
        self._outlet = outlet
        self._steps = Renderer(say) if verbose and sys.stderr else None

    def show(self, event: Event) -> None:
        if self._steps:
            self._steps.show(event)
        elif isinstance(event, Notice):
            _warn(event)
        if isinstance(event, Result):
            for denial in event.permission_denials:
                tell(f"Denied: {denial.tool_name} {json.dumps(denial.tool_input, ensure_ascii=False)}")
            if called := event.deferred_tool_use:
                tell(f"Deferred: {called['name']} {json.dumps(called['input'], ensure_ascii=False)}")
            text = event.result if event.subtype == "success" else f"Error: {' '.join(event.errors)}"
            self._outlet.write(f"{safe(text) if sys.stdout and sys.stdout.isatty() else text}\n")


class Json:
    """The result object, alone; warnings on stderr as they come."""

    def __init__(self, outlet: Outlet, session_id: str) -> None:
        self._outlet, self._lines = outlet, StreamLines(session_id)

    def show(self, event: Event) -> None:
        if isinstance(event, Notice):
            _warn(event)
        elif isinstance(event, Result):
            for line in self._lines.of(event):
                self._outlet.write(f"{codec.line(line)}\n")


class StreamJson:
    """Every event as a line."""

    def __init__(self, outlet: Outlet, session_id: str, flags: Flags) -> None:
        self._outlet = outlet
        self._lines = StreamLines(session_id, partial=flags.partial_messages, hooks=flags.hook_events)

    def show(self, event: Event) -> None:
        for line in self._lines.of(event):
            self._outlet.write(f"{codec.line(line)}\n")


def output(flags: Flags, session_id: str, outlet: Outlet) -> Output:
    match flags.output_format:
        case "json":
            return Json(outlet, session_id)
        case "stream-json":
            return StreamJson(outlet, session_id, flags)
    return Text(outlet, verbose=flags.verbose)


def _warn(notice: Notice) -> None:
    if notice.level != "info":
        tell(f"{notice.level.capitalize()}: {notice.text}" + (f"\n{notice.mend}" if notice.mend else ""))


def tell(text: str) -> None:
    """A line for people, on stderr."""
    if sys.stderr:
        say(f"{safe(text) if sys.stderr.isatty() else text}\n")


class _Stderr:
    """What nobody reads must not make the turn wait: after `PATIENCE` it is dropped."""

    PATIENCE = 5.0  # seconds
    deaf = False


def say(text: str) -> None:
    """Write to stderr, in pieces that a pipe takes at once."""
    if not sys.stderr:
        return
    data = text.encode("utf-8", "backslashreplace")
    descriptor = sys.stderr.fileno()
    try:
        while data and select.select((), (descriptor,), (), 0 if _Stderr.deaf else _Stderr.PATIENCE)[1]:
            data = data[os.write(descriptor, data[: select.PIPE_BUF]) :]
        _Stderr.deaf = bool(data)
    except OSError:
        pass  # whoever reads it has gone
