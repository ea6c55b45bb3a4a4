"""A project, a home and a clean environment for whole sessions: `python -m harness` as a user runs it."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from harness.scripted.script import steps
from harness.scripted.server import Received, Server, running
from tests import schema

COMMAND = [sys.executable, "-m", "harness"]
STREAM = ("--output-format", "stream-json")
BYPASS = ("--permission-mode", "bypassPermissions")
Json = dict[str, Any]


def call(tool: str, **given: Any) -> Json:
    return {"name": tool, "arguments": given}


def bash(command: str, **given: Any) -> Json:
    return call("Bash", command=command, **given)


@dataclass(slots=True)
class Done:
    """A run that has ended, and the endpoint it talked to."""

    code: int
    out: str
    err: str
    seconds: float = 0.0
    server: Server | None = None

    @property
    def asked(self) -> list[Received]:
        assert self.server is not None
        return self.server.requests

    @property
    def lines(self) -> list[Json]:
        """What was printed, each line held to the published schema."""
        return list(_lines(self.out))

    @property
    def result(self) -> Json:
        last = self.lines[-1]
        assert last["type"] == "result", last
        return last

    @property
    def results(self) -> list[str]:
        """The tools' results, as the endpoint was last sent them."""
        return [message["content"] for message in self.asked[-1].messages if message["role"] == "tool"]

    def of(self, *kind: str) -> list[Json]:
        """The lines of a type, or of a type and subtype."""
        return [line for line in self.lines if (line["type"], line.get("subtype"))[: len(kind)] == kind]


@dataclass(slots=True)
class Live:
    """A run that goes on. `lines` grows as it prints."""

    process: "subprocess.Popen[str]"
    server: Server
    lines: list[Json] = field(default_factory=list)

    def until(self, seen: Callable[[], Any], within: float = 15) -> None:
        assert self.process.stdout is not None
        end = time.monotonic() + within
        while not seen():
            over = self.process.stdout.closed and not seen()
            assert not over, f"ended without it: {self.lines[-3:]}"
            assert time.monotonic() < end, f"never came; so far: {self.lines[-3:]}"
            time.sleep(0.01)

    def saw(self, kind: str) -> bool:
        return any(line["type"] == kind for line in self.lines)

    def ended(self, sent: signal.Signals) -> Done:
        """Send a signal and wait for the end."""
        began = time.monotonic()
        self.process.send_signal(sent)
        code = self.process.wait(20)
        seconds = time.monotonic() - began
        assert self.process.stderr is not None
        err = self.process.stderr.read()
        self.until(lambda: self.process.stdout is not None and self.process.stdout.closed)
        return Done(code, "\n".join(map(json.dumps, self.lines)), err, seconds, self.server)


@dataclass(frozen=True, slots=True)
class House:
    base: Path

    @staticmethod
    def make(base: Path) -> "House":
        house = House(base.resolve())
        for place in (house.project, house.home, house.config):
            place.mkdir()
        return house

    @property
    def project(self) -> Path:
        return self.base / "project"

    @property
    def home(self) -> Path:
        return self.base / "home"

    @property
    def config(self) -> Path:
        return self.base / "state"

    def env(self, url: str = "", **more: str) -> dict[str, str]:
        own = {"PATH": os.environ["PATH"], "HOME": str(self.home), "HARNESS_CONFIG_DIR": str(self.config)}
        return own | ({"OPENAI_BASE_URL": url} if url else {}) | more

    def settings(self, **keys: Any) -> None:
        (self.config / "settings.json").write_text(json.dumps(keys))

    def git(self, *words: str) -> None:
        who = ("-c", "user.name=t", "-c", "user.email=t@t", "-c", "init.defaultBranch=main")
        subprocess.run(["git", *who, *words], cwd=self.project, check=True, capture_output=True)

    def run(self, *words: str, url: str = "", stdin: bytes = b"", env: Mapping[str, str] | None = None) -> Done:
        began = time.monotonic()
        done = subprocess.run(
            [*COMMAND, *words],
            cwd=self.project,
            env=self.env(url, **(env or {})),
            input=stdin,
            capture_output=True,
            timeout=60,
            check=False,
        )
        return Done(done.returncode, done.stdout.decode(), done.stderr.decode(), time.monotonic() - began)

    def ask(
        self,
        *tables: Json,
        flags: Sequence[str] = STREAM,
        prompt: str = "go",
        stdin: bytes = b"",
        env: Mapping[str, str] | None = None,
        **script: Any,
    ) -> Done:
        """`harness -p` against an endpoint that answers by these steps; none of its refusals is let pass."""
        with running(steps(*tables, **script)) as server:
            done = self.run("-p", *flags, "--", prompt, url=server.url, stdin=stdin, env=env)
        assert server.failures == []
        done.server = server
        return done

    def acts(self, *calls: Json, flags: Sequence[str] = BYPASS, **more: Any) -> Done:
        """One message with these calls, and one that ends the turn."""
        return self.ask({"calls": list(calls)}, {"text": "Done."}, flags=(*STREAM, *flags), **more)

    @contextmanager
    def live(self, *tables: Json, flags: Sequence[str] = BYPASS) -> Iterator[Live]:
        """The same, without waiting for its end."""
        with (
            running(steps(*tables)) as server,
            subprocess.Popen(
                [*COMMAND, "-p", *STREAM, *flags, "--", "go"],
                cwd=self.project,
                env=self.env(server.url),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            ) as process,
        ):
            run = Live(process, server)
            reader = threading.Thread(target=_read, args=(run,))
            reader.start()
            try:
                yield run
            finally:
                process.kill()
                reader.join()


@lru_cache(16)
def _lines(out: str) -> tuple[Json, ...]:
    return tuple(schema.valid(json.loads(line)) for line in out.splitlines())


def _read(run: Live) -> None:
    assert run.process.stdout is not None
    with run.process.stdout as out:
        for line in out:
            run.lines.append(schema.valid(json.loads(line)))


def together(runs: Mapping[str, Callable[[], Done]]) -> dict[str, Done]:
    """These runs, two at a time: most of a run is the start of Python, and there are two cores."""
    with ThreadPoolExecutor(2) as pool:
        begun = {name: pool.submit(run) for name, run in runs.items()}
        return {name: future.result() for name, future in begun.items()}
