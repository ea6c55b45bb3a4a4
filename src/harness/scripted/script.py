"""The script of a scripted model: steps that match a request and answer it (docs/script-format.md).

A script is TOML, or JSON of the same shape where a program writes it. Reading it raises `ScriptError`, which
names the file, the step, the field and the mend; what has been read once cannot fail later for its form.
"""

import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from harness.errors import UsageError
from harness.scripted.fields import Table
from harness.scripted.template import placeholders

T = TypeVar("T")

FINISHES = ("stop", "tool_calls", "length", "content_filter")


class ScriptError(UsageError):
    """A script that cannot be used: `what` names file, step and field."""


@dataclass(frozen=True, slots=True, kw_only=True)
class When:
    """Which requests a step answers: every condition given must hold. Named groups become captures.

    `result` is searched in the results that came since the model last spoke (those of `tool` alone where it is
    given), `any_result` in all of the conversation, `any_user` in all that came in the user's name (what compaction
    leaves does), the newest first.
    """

    request: int | None = None  # the nth chat request, from 1
    messages: int | None = None
    last: str | None = None  # role of the last message
    tool: str | None = None
    system: tuple[re.Pattern[str], ...] = ()
    user: tuple[re.Pattern[str], ...] = ()
    result: tuple[re.Pattern[str], ...] = ()
    any_result: tuple[re.Pattern[str], ...] = ()
    any_user: tuple[re.Pattern[str], ...] = ()


@dataclass(frozen=True, slots=True)
class Call:
    """A tool call. A string as `arguments` is sent as it is, so that a script can send damaged JSON."""

    name: str
    arguments: Mapping[str, Any] | str = field(default_factory=dict)
    id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Expect:
    """What the request must hold; otherwise it is answered with status 400 and counted as a failure."""

    contains: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()
    tools: tuple[str, ...] = ()
    fields: Mapping[str, Any] = field(default_factory=dict)  # dotted path in the body -> value
    headers: Mapping[str, re.Pattern[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Http:
    """How the answer travels, where not plainly. Byte counts are of the body."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str | None = None
    error: str | None = None  # message of an error body in OpenAI's shape
    body: str | None = None  # sent as it is, in place of any answer
    close_after: int | None = None
    stall_after: int | None = None
    drop: bool = False  # close without a byte
    silence: bool = False  # not a byte until the client goes away

    @property
    def replaces_answer(self) -> bool:
        return self.body is not None or self.error is not None or self.status != 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How fast a stream comes: seconds, characters of a delta, bytes of a write (None: an event each)."""

    first_byte: float = 0.0
    between: float = 0.0
    characters: int = 40
    bytes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens to report; None: estimated from the bytes of request and answer."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cached_tokens: int = 0
    reasoning_tokens: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One rule. It answers at most `times` requests (None: any number)."""

    name: str
    when: When = When()
    expect: Expect = Expect()
    text: str = ""
    reasoning: str = ""
    calls: tuple[Call, ...] = ()
    finish: str | None = None
    usage: Usage | None = Usage()  # None: the server tells none
    http: Http = Http()
    pace: Pace = Pace()
    times: int | None = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """`models` None: any model name is served and `scripted` is listed. `context_window` is in tokens."""

    steps: tuple[Step, ...]
    models: tuple[str, ...] | None = None
    context_window: int = 131072
    api_key: str | None = None


def load(path: Path) -> Script:
    """Read a script file: JSON where its name ends in `.json`, else TOML.

    Raises:
        ScriptError: it cannot be read or used.
    """
    try:
        text = path.read_text(encoding="utf-8")
        data = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except OSError as error:
        raise ScriptError(f"{path}: cannot be read: {error.strerror}", "Give the path of a script file.") from None
    except UnicodeDecodeError as error:
        raise ScriptError(f"{path}: not UTF-8: {error.reason} at byte {error.start}", "Save it as UTF-8.") from None
    except ValueError as error:
        kind = "JSON" if path.suffix == ".json" else "TOML"
        raise ScriptError(f"{path}: not {kind}: {error}", "Mend the line that the message names.") from None
    return parse(data, str(path))


def steps(*tables: Mapping[str, Any], **top: Any) -> Script:
    """A script made in a program: each table is one step; `top` holds the fields beside `step`."""
    return parse({**top, "step": list(tables)})


def parse(data: Any, source: str = "script") -> Script:
    """A script from what TOML or JSON gave; `source` begins every error.

    Raises:
        ScriptError: a field is unknown, missing, of a wrong type, or cannot be used.
    """
    table = Table(data, source, ScriptError)
    tables = table.tables("step")
    if not tables:
        table.fail("step", "is missing", 'Write at least one step: [[step]] and below it text = "Hello".')
    script = Script(
        steps=tuple(_step(step, number) for number, step in enumerate(tables, 1)),
        models=table.strings("models") or None,
        context_window=table.integer("context_window", 131072, least=1),
        api_key=table.text("api_key", None),
    )
    table.close()
    return script


def _step(table: Table, number: int) -> Step:
    name = table.text("name", f"step {number}")
    table.where += f' ("{name}")' if "name" in table.given else ""
    step = Step(
        name=name,
        when=_when(table.table("when")),
        expect=_expect(table.table("expect")),
        text=table.text("text", ""),
        reasoning=table.text("reasoning", ""),
        calls=tuple(_call(call) for call in table.tables("calls")),
        finish=table.choice("finish", FINISHES),
        usage=_usage(table),
        http=_http(table.table("http")),
        pace=_pace(table.table("pace")),
        times=_times(table),
    )
    table.close()
    _check_answer(step, table)
    _check_captures(step, table)
    return step


def _when(table: Table) -> When:
    when = When(
        request=table.integer("request", None, least=1),
        messages=table.integer("messages", None, least=1),
        last=table.choice("last", ("user", "tool")),
        tool=table.text("tool", None),
        system=table.patterns("system"),
        user=table.patterns("user"),
        result=table.patterns("result"),
        any_result=table.patterns("any_result"),
        any_user=table.patterns("any_user"),
    )
    table.close()
    return when


def _expect(table: Table) -> Expect:
    expect = Expect(
        contains=table.strings("contains"),
        lacks=table.strings("lacks"),
        tools=table.strings("tools"),
        fields=table.mapping("fields"),
        headers={name.lower(): table.pattern(f"headers.{name}", text) for name, text in table.texts("headers").items()},
    )
    table.close()
    return expect


def _call(table: Table) -> Call:
    arguments = table.raw("arguments", {})
    if not isinstance(arguments, str | dict):
        table.fail("arguments", "must be a table, or a string that is sent as it is", 'Write arguments.command = "ls".')
    call = Call(table.text("name"), arguments, table.text("id", None))
    table.close()
    return call


def _usage(step: Table) -> Usage | None:
    if step.raw("usage", None, keep=True) is False:
        step.raw("usage", None)
        return None
    table = step.table("usage")
    usage = Usage(
        prompt_tokens=table.integer("prompt_tokens", None),
        completion_tokens=table.integer("completion_tokens", None),
        cached_tokens=table.integer("cached_tokens", 0),
        reasoning_tokens=table.integer("reasoning_tokens", 0),
    )
    table.close()
    return usage


def _http(table: Table) -> Http:
    http = Http(
        status=table.integer("status", 200, least=200, most=599),
        headers={name: _printable(table, f"headers.{name}", text) for name, text in table.texts("headers").items()},
        content_type=_printable(table, "content_type", table.text("content_type", None)),
        error=table.text("error", None),
        body=table.text("body", None),
        close_after=table.integer("close_after", None),
        stall_after=table.integer("stall_after", None),
        drop=table.boolean("drop"),
        silence=table.boolean("silence"),
    )
    table.close()
    return http


def _printable(table: Table, key: str, value: T) -> T:
    """A header's value: what cannot end the header's line."""
    if isinstance(value, str) and not (key.isascii() and key.isprintable() and value.isascii() and value.isprintable()):
        table.fail(key, f"must be printable ASCII, not {value!r:.60}", "Write it in one line of plain characters.")
    return value


def _pace(table: Table) -> Pace:
    pace = Pace(
        first_byte=table.number("first_byte", 0.0),
        between=table.number("between", 0.0),
        characters=table.integer("characters", 40, least=1),
        bytes=table.integer("bytes", None, least=1),
    )
    table.close()
    return pace


def _times(table: Table) -> int | None:
    if table.raw("times", 1, keep=True) == "always":
        table.raw("times", 1)
        return None
    return table.integer("times", 1, least=1)


def _check_answer(step: Step, table: Table) -> None:
    if step.http.body is not None and step.http.error is not None:
        table.fail("http.body", "stands beside http.error", "Keep one of the two.")
    if step.http.replaces_answer and (step.text or step.calls or step.reasoning):
        table.fail(
            "http",
            "sends a body of its own, so text, reasoning and calls would be lost",
            "Make it two steps, or drop one.",
        )


def _check_captures(step: Step, table: Table) -> None:
    when = step.when
    patterns = (*when.system, *when.user, *when.result, *when.any_result, *when.any_user)
    known = {"request", "user", "result", *(name for pattern in patterns for name in pattern.groupindex)}
    used = {
        "text": placeholders(step.text),
        "reasoning": placeholders(step.reasoning),
        "calls": placeholders([call.arguments for call in step.calls]),
        "http.body": placeholders(step.http.body),
        "http.error": placeholders(step.http.error),
    }
    for key, names in used.items():
        for name in sorted(names - known):
            mend = f"Capture it with (?P<{name}>...) in a pattern of `when`; there are: {', '.join(sorted(known))}."
            table.fail(key, f"uses {{{{{name}}}}}, which nothing captures", mend)
