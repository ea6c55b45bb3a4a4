"""`harness -p` when something is wrong: each fault in each output format ends by itself, with one valid result, last.

By default a fault is tried in one format, which goes round from fault to fault; `make long` tries all three.
"""

import json
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from harness.scripted.script import steps
from harness.scripted.server import running
from tests import schema
from tests.processes import gone
from tests.scenarios.house import COMMAND, Done, House, Json, bash, call

FORMATS = ("text", "json", "stream-json")
QUICK = {
    "CLAUDE_CODE_MAX_RETRIES": "0",
    "API_TIMEOUT_MS": "400",
    "CLAUDE_STREAM_IDLE_TIMEOUT_MS": "400",
    "HARNESS_DRAIN_MS": "700",
}
LIMIT = 8.0  # seconds for any of them, on a busy machine; what is tested has limits below one second
ALWAYS: Json = {"times": "always"}
FINE: Json = {"text": "Fine.", **ALWAYS}
LONG = "long " * 60_000
HTML = {"content_type": "text/html", "body": "<html><title>Welcome</title></html>"}
TOO_LONG = "This model's maximum context length is 10 tokens. However, you requested 99 tokens."
Run = Callable[["Fault", House, Sequence[str]], Done]


def plain(fault: "Fault", house: House, flags: Sequence[str]) -> Done:
    """A whole run against an endpoint that answers by the fault's steps."""
    with running(steps(*fault.steps, **fault.script)) as server:
        done = house.run(
            "-p", *flags, "--", "go", url=fault.url or server.url, stdin=fault.stdin, env=QUICK | fault.env
        )
        done.server = server
    return done


@contextmanager
def begun(fault: "Fault", house: House, flags: Sequence[str], **more: Any) -> Iterator["subprocess.Popen[bytes]"]:
    with running(steps(*fault.steps)) as server:
        words = [*fault.wrap(house), *COMMAND, "-p", *flags, "--", "go"]
        given: dict[str, Any] = {
            "stdin": subprocess.DEVNULL,
            "stdout": subprocess.PIPE,
            "stderr": subprocess.PIPE,
        } | more
        env = house.env(fault.url or server.url, **(QUICK | fault.env))
        with subprocess.Popen(words, cwd=house.project, env=env, **given) as process:
            try:
                yield process
            finally:
                process.kill()


def finished(process: "subprocess.Popen[bytes]", began: float) -> Done:
    out, err = process.communicate(timeout=30)
    return Done(process.returncode, out.decode(), err.decode(), time.monotonic() - began)


def signalled(number: signal.Signals, when: str, fault: "Fault", house: House, flags: Sequence[str]) -> Done:
    """A signal once the run has got as far as `when`: a file that is there, or the request."""
    piped = {"stdin": subprocess.PIPE} if when == "stdin" else {}
    with begun(fault, house, flags, **piped) as process:
        if when == "stdin":
            assert process.stdin
            process.stdin.write(b"the beginning")
            process.stdin.flush()
            until(lambda: _reads(process.pid))
        else:
            until(lambda: any(house.base.rglob(when)))
            time.sleep(0.1)
        began = time.monotonic()
        process.send_signal(number)
        return finished(process, began)


def signalled_while_connecting(fault: "Fault", house: House, flags: Sequence[str]) -> Done:
    """A server that takes the connection and says nothing: the list of models never comes."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/v1"
        with begun(replace(fault, url=url), house, flags) as process, silent.accept()[0]:
            began = time.monotonic()
            process.send_signal(signal.SIGTERM)
            return finished(process, began)


def signalled_twice(fault: "Fault", house: House, flags: Sequence[str]) -> Done:
    """A hook that will not end keeps the first signal's turn from ending soon; the second does not wait."""
    with begun(fault, house, flags) as process:
        until((house.base / "hooked").exists)
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGTERM)
        return finished(process, began)


def until(seen: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not seen():
        assert time.monotonic() < end
        time.sleep(0.02)


def _reads(pid: int) -> bool:
    """Whether it has set its handler of SIGTERM, as it does before it reads standard input."""
    status = Path(f"/proc/{pid}/status").read_text()
    caught = next(line for line in status.splitlines() if line.startswith("SigCgt:"))
    return bool(int(caught.split()[1], 16) >> (signal.SIGTERM - 1) & 1)


def read_late(fault: "Fault", house: House, flags: Sequence[str]) -> Done:
    """The reader takes nothing until the model has said everything, and then little by little."""
    with begun(fault, house, flags) as process:
        began, pieces = time.monotonic(), []
        assert process.stdout
        assert process.stderr
        out = process.stdout.fileno()
        until(lambda: _held(out) >= 4096)
        time.sleep(0.3)
        while piece := os.read(out, 1 << 16):
            pieces.append(piece)
            time.sleep(0.002)
        return Done(
            process.wait(20), b"".join(pieces).decode(), process.stderr.read().decode(), time.monotonic() - began
        )


def read_never(fault: "Fault", house: House, flags: Sequence[str]) -> Done:
    reader, writer = os.pipe()
    with begun(fault, house, flags, stdout=writer) as process:
        os.close(writer)
        began = time.monotonic()
        assert process.stderr
        err = process.stderr.read().decode()
        code = process.wait(20)
        os.close(reader)
        return Done(code, "", err, time.monotonic() - began)


def on_full_disk(fault: "Fault", house: House, flags: Sequence[str]) -> Done:
    with Path("/dev/full").open("wb") as full, begun(fault, house, flags, stdout=full) as process:
        began = time.monotonic()
        _, err = process.communicate(timeout=20)
        return Done(process.returncode, "", err.decode(), time.monotonic() - began)


def read_gone(fault: "Fault", house: House, flags: Sequence[str]) -> Done:
    reader, writer = os.pipe()
    os.close(reader)
    with begun(fault, house, flags, stdout=writer) as process:
        os.close(writer)
        began = time.monotonic()
        _, err = process.communicate(timeout=20)
        return Done(process.returncode, "", err.decode(), time.monotonic() - began)


def _held(descriptor: int) -> int:
    """Bytes that wait in a pipe."""
    import array
    import fcntl
    import termios

    many = array.array("i", [0])
    fcntl.ioctl(descriptor, termios.FIONREAD, many)
    return many[0]


def small_disk(house: House) -> list[str]:
    """The state directory is a file system of 64 KiB."""
    mount = 'mount -t tmpfs -o size=64k small "$0" && exec "$@"'
    return ["unshare", "-rm", "sh", "-c", mount, str(house.config)]


def no_models(fault: "Fault", house: House, flags: Sequence[str]) -> Done:
    """A server that is there and has no model."""

    class Empty(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b'{"object": "list", "data": []}')

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Empty) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            return house.run("-p", *flags, "--", "go", url=f"http://127.0.0.1:{server.server_port}/v1", env=QUICK)
        finally:
            server.shutdown()


def wrapped(fault: "Fault", house: House, flags: Sequence[str]) -> Done:
    with begun(fault, house, flags) as process:
        return finished(process, time.monotonic())


@dataclass(frozen=True)
class Fault:
    """`code` and `reason` (terminal) are what it must end with; `reason` is empty where no result can be printed.

    `says` is somewhere in what it prints.
    """

    code: int
    reason: str
    says: str = ""
    steps: Sequence[Json] = (FINE,)
    script: Mapping[str, Any] = field(default_factory=dict)
    flags: Sequence[str] = ("--model", "m")
    settings: Mapping[str, Any] = field(default_factory=dict)
    env: dict[str, str] = field(default_factory=dict)
    url: str = ""
    stdin: bytes = b""
    run: Run = plain
    prepare: Callable[[House], Any] = lambda _: None
    wrap: Callable[[House], list[str]] = lambda _: []


def http(**fields: Any) -> tuple[Json]:
    text = "" if {"status", "body"} & fields.keys() else "x" * 500
    return ({"text": text, "http": fields, **ALWAYS},)


def hook(event: str, command: str, **more: Any) -> Json:
    return {"hooks": {event: [{"hooks": [{"type": "command", "command": command, **more}]}]}}


SLOW: Json = {"text": "one two three " * 50, "pace": {"between": 0.1, "characters": 4}, **ALWAYS}
SLEEPS: Json = {"calls": [bash("touch began; sleep 60")], **ALWAYS}
READS: Json = {
    "calls": [call("Read", file_path="a")],
    "usage": {"prompt_tokens": 9000, "completion_tokens": 9},
    **ALWAYS,
}
BLOCKS = 'echo "not now" >&2; exit 2'
FAULTS: dict[str, Fault] = {
    "nothing listens": Fault(75, "api_error", "Nothing listens", url="http://127.0.0.1:9/v1"),
    "no such host": Fault(75, "api_error", "no-such-host.invalid", url="http://no-such-host.invalid/v1"),
    "nothing listens, no model named": Fault(75, "turn_setup_failed", url="http://127.0.0.1:9/v1", flags=()),
    "401": Fault(1, "api_error", "OPENAI_API_KEY", script={"api_key": "right"}, env={"OPENAI_API_KEY": "wrong"}),
    "no such model": Fault(1, "api_error", "coder", script={"models": ["coder"]}),
    "no model at all": Fault(2, "", "model", flags=(), run=no_models),
    "429, then an answer": Fault(0, "completed", "Fine.", steps=(
        {"http": {"status": 429, "error": "Slow down.", "headers": {"Retry-After": "0.1"}}}, FINE),
        env={"CLAUDE_CODE_MAX_RETRIES": "1"}),
    "429 for ever": Fault(75, "api_error", "Slow down.", steps=http(status=429, error="Slow down.")),
    "429 for an hour": Fault(75, "api_error", "Slow down.",
        steps=http(status=429, error="Slow down.", headers={"Retry-After": "3600"})),
    "500": Fault(75, "api_error", "Boom.", steps=http(status=500, error="Boom.")),
    "503 as a page": Fault(75, "api_error", "Welcome", steps=http(**{**HTML, "status": 503})),
    "hung up": Fault(75, "api_error", "127.0.0.1", steps=http(drop=True)),
    "cut in the middle": Fault(75, "api_error", "in the middle", steps=http(close_after=100)),
    "stalled in the middle": Fault(75, "api_error", "CLAUDE_STREAM_IDLE_TIMEOUT_MS", steps=http(stall_after=200)),
    "silent": Fault(75, "api_error", "API_TIMEOUT_MS", steps=http(silence=True)),
    "a page": Fault(1, "api_error", "Welcome", steps=http(**HTML)),
    "half a JSON": Fault(1, "api_error", steps=http(content_type="application/json", body='{"choices": [')),
    "an empty body": Fault(75, "api_error", steps=http(body="")),
    "an empty message": Fault(0, "completed", steps=({"text": "", "usage": False, **ALWAYS},)),
    "context that cannot be made to fit": Fault(1, "prompt_too_long",
        steps=http(status=400, error=TOO_LONG)),
    "content filter": Fault(0, "completed", steps=({"text": "Well", "finish": "content_filter", **ALWAYS},)),
    "the disk is full": Fault(1, "internal_error", "No space left", steps=({"text": LONG, **ALWAYS},), run=wrapped,
        wrap=small_disk),
    "the state directory cannot be written": Fault(1, "internal_error", "--no-session-persistence",
        prepare=lambda house: (house.config / "projects").write_text("no directory")),
    "SIGTERM while it reads standard input": Fault(143, "aborted_streaming",
        run=partial(signalled, signal.SIGTERM, "stdin")),
    "SIGTERM while the model speaks": Fault(143, "aborted_streaming", steps=(SLOW,),
        run=partial(signalled, signal.SIGTERM, "*.jsonl")),
    "SIGTERM while a tool runs": Fault(143, "aborted_tools", steps=(SLEEPS,), flags=("--model", "m", "--allowedTools", "Bash"),
        run=partial(signalled, signal.SIGTERM, "began")),
    "SIGINT while a tool runs": Fault(130, "aborted_tools", steps=(SLEEPS,), flags=("--model", "m", "--allowedTools", "Bash"),
        run=partial(signalled, signal.SIGINT, "began")),
    "SIGTERM while it connects": Fault(143, "aborted_streaming", flags=(), run=signalled_while_connecting),
    "two signals while a hook runs": Fault(143, "aborted_streaming", run=signalled_twice,
        prepare=lambda house: house.settings(**hook("UserPromptSubmit", f"touch {house.base}/hooked; sleep 60"))),
    "nothing happens any more": Fault(1, "aborted_streaming", "watchdog", steps=(SLOW | {"pace": {"first_byte": 60}},),
        env={"HARNESS_WATCHDOG_MS": "150"}),
    "the reader is gone": Fault(0, "", run=read_gone),
    "standard output is a full disk": Fault(1, "", "Standard output cannot be written: No space", run=on_full_disk),
    "the reader is slow": Fault(0, "completed", steps=({"text": LONG, **ALWAYS},), run=read_late,
        env={"HARNESS_DRAIN_MS": "20000"}),
    "the reader takes nothing": Fault(1, "", "does not take the rest", steps=({"text": LONG, **ALWAYS},), run=read_never),
    "more than 10 MB on standard input": Fault(2, "", "10 MB", stdin=b"x" * 10_000_001),
    "the budget is reached": Fault(1, "budget_exhausted", "budget", steps=(READS,),
        flags=("--model", "m", "--max-budget-usd", "0.1"), settings={"prices": {"m": {"input": 10.0, "output": 10.0}}}),
    "a budget without a price": Fault(1, "budget_exhausted", "prices", flags=("--model", "m", "--max-budget-usd", "1")),
    "the turns are used up": Fault(1, "max_turns", "(2)", steps=(READS,), flags=("--model", "m", "--max-turns", "2")),
    "a hook refuses the prompt": Fault(1, "hook_stopped", "not now", settings=hook("UserPromptSubmit", BLOCKS)),
    "a Stop hook never lets go": Fault(0, "completed", "Fine.", settings=hook("Stop", BLOCKS)),
    "a hook hangs": Fault(0, "completed", "Fine.", settings=hook("UserPromptSubmit", "sleep 60", timeout=0.3)),
    "no sandbox": Fault(1, "turn_setup_failed", "max_user_namespaces", settings={"sandbox": {"failIfUnavailable": True}},
        run=wrapped, wrap=lambda _: ["unshare", "-Ur", "sh", "-c",
            'echo 0 >/proc/sys/user/max_user_namespaces; exec "$@"', "sh"]),
    "settings are broken": Fault(0, "completed", "Fine.",
        prepare=lambda house: (house.config / "settings.json").write_text('{"model": ')),
    "--settings is broken": Fault(2, "", "--settings", flags=("--settings", '{"model": ')),
    "a flag has a bad value": Fault(2, "", "--max-turns", flags=("--max-turns", "many")),
    "a flag is mistyped": Fault(2, "", "--max-turns", flags=("--max-turn", "2")),
    "a session that is not there": Fault(2, "", "no-such", flags=("--resume", "no-such")),
    "the sandbox flag contradicts itself": Fault(2, "", "disagree", flags=("--no-sandbox", "--sandbox", "full")),
    "a variable cannot be used": Fault(2, "", "OPENAI_BASE_URL", url="ftp://x"),
}  # fmt: skip
# Tried in one format by test_endpoint, test_guards, test_stdin and test_interrupt already.
ELSEWHERE = {
    "nothing listens", "nothing listens, no model named", "401", "no such model", "429 for ever", "500",
    "503 as a page", "hung up", "silent", "a page", "more than 10 MB on standard input", "a budget without a price",
    "SIGINT while a tool runs", "a variable cannot be used", "a flag is mistyped",
}  # fmt: skip
ROUND = [(name, FORMATS[index % 3]) for index, name in enumerate(FAULTS) if name not in ELSEWHERE]
REST = [(name, form) for name in FAULTS for form in FORMATS if (name, form) not in ROUND]


def tried(house: House, name: str, form: str) -> Done:
    fault = FAULTS[name]
    (house.project / "a").write_text("a\n")
    if fault.settings:
        house.settings(**fault.settings)
    fault.prepare(house)
    done = fault.run(fault, house, (*fault.flags, "--output-format", form))
    assert gone(str(house.base)), "a process is left"
    return done


def check(done: Done, fault: Fault, form: str) -> None:
    assert done.code == fault.code, (done.out[-500:], done.err)
    assert "Traceback" not in done.err
    assert "harness has a fault" not in done.err
    assert fault.says in done.out + done.err
    assert done.seconds < LIMIT
    if not fault.reason:
        assert done.out == ""
        if fault.code == 2:
            assert done.err.startswith("Error: ")
        return
    if form == "text":
        assert done.out.endswith("\n")
        return
    lines = [schema.valid(json.loads(line)) for line in done.out.splitlines()]
    assert [line["type"] for line in lines].count("result") == 1
    if form == "json":
        assert len(lines) == 1
    result = lines[-1]
    assert (result["type"], result["terminal_reason"], result["is_error"]) == ("result", fault.reason, fault.code != 0)


@pytest.mark.parametrize(("name", "form"), ROUND)
def test_a_fault(house: House, name: str, form: str):
    check(tried(house, name, form), FAULTS[name], form)


@pytest.mark.long
@pytest.mark.parametrize(("name", "form"), REST)
def test_a_fault_in_the_other_formats(house: House, name: str, form: str):
    check(tried(house, name, form), FAULTS[name], form)
