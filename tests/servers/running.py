"""Real model servers as processes, and whole sessions against them."""

import json
import os
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import URLError

import pytest

from tests.scenarios.house import BYPASS, COMMAND, STREAM, Done, House

PLACE = Path(__file__).parents[2] / ".servers"  # where `make test-servers` builds
WINDOW = 16384  # tokens, which for a puppet are bytes: system prompt and tools take about half


def needed(path: Path, made_by: str) -> Path:
    if not path.exists():
        pytest.skip(f"{path.name} is not there: {made_by}")
    return path


def eventually(seen: Callable[[], Any], what: str, within: float = 30.0) -> Any:
    end = time.monotonic() + within
    while not (value := seen()):
        assert time.monotonic() < end, f"never came: {what}"
        time.sleep(0.05)
    return value


@dataclass(frozen=True, slots=True)
class Server:
    """A server that is up. `root` is its address without `/v1`."""

    root: str
    process: "subprocess.Popen[bytes]"
    log: Path

    @property
    def url(self) -> str:
        return f"{self.root}/v1"

    def get(self, path: str) -> Any:
        with urllib.request.urlopen(self.root + path, timeout=10) as answer:
            return json.load(answer)

    def busy(self) -> int:
        """How many of llama.cpp's slots are at work."""
        return sum(slot["is_processing"] for slot in self.get("/slots"))

    def said(self) -> list[int]:
        """How many tokens of its answer each of llama.cpp's slots has given out so far."""
        slots = self.get("/slots")
        return [slot["next_token"][0]["n_decoded"] if slot["is_processing"] else 0 for slot in slots]


@contextmanager
def running(argv: Sequence[str], log: Path, port: int, healthy: str, **env: str) -> Iterator[Server]:
    """A server's process until the block ends; it is up when GET `healthy` answers 200."""
    with log.open("wb") as out:
        process = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env={**os.environ, **env}, cwd=log.parent
        )
    server = Server(f"http://127.0.0.1:{port}", process, log)

    def up() -> bool:
        assert process.poll() is None, f"it has ended: {log.read_text('utf-8', 'replace')[-2000:]}"
        try:
            with urllib.request.urlopen(server.root + healthy, timeout=5) as answer:
                return bool(answer.status == 200)
        except (URLError, OSError):
            return False

    try:
        eventually(up, f"{argv[0]} at {healthy}", 120)
        yield server
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def llama(puppet: str, base: Path, *flags: str, window: int = WINDOW, slots: int = 1) -> Iterator[Server]:
    """llama.cpp's server with a puppet; `window` is each slot's, in tokens. Skips where it is not built."""
    program = needed(PLACE / "llama-server", "make test-servers builds it")
    model, port = needed(PLACE / "puppets" / f"{puppet}.gguf", "make test-servers writes it"), free_port()
    argv = [str(program), "-m", str(model), "--alias", puppet, "--host", "127.0.0.1", "--port", str(port)]
    size = ["-c", str(window * slots), "-np", str(slots), "--no-kv-unified", "--threads", "2", "--no-warmup"]
    with running([*argv, *size, *flags], base / f"{puppet}.log", port, "/health") as server:
        yield server


def ask(house: House, url: str, *flags: str, env: Mapping[str, str] | None = None) -> Done:
    """`harness -p` as a user runs it, with nobody to ask."""
    return house.run("-p", *STREAM, *BYPASS, *flags, "--", "Which animal is it?", url=url, env=env)


@dataclass(frozen=True, slots=True)
class Begun:
    """A session that goes on, printing into a file."""

    process: "subprocess.Popen[bytes]"
    out: Path

    def interrupted(self) -> Done:
        began = time.monotonic()
        self.process.send_signal(signal.SIGINT)
        code = self.process.wait(20)
        return Done(code, self.out.read_text("utf-8"), "", time.monotonic() - began)


@contextmanager
def begun(house: House, url: str) -> Iterator[Begun]:
    out = house.base / "out.jsonl"
    with out.open("wb") as file:
        argv = [*COMMAND, "-p", *STREAM, *BYPASS, "--", "Go on."]
        process = subprocess.Popen(argv, cwd=house.project, env=house.env(url), stdin=subprocess.DEVNULL, stdout=file)
    try:
        yield Begun(process, out)
    finally:
        process.kill()
        process.wait()


def calls(done: Done) -> list[dict[str, Any]]:
    return [block for block in _blocks(done) if block["type"] == "tool_use"]


def texts(done: Done) -> str:
    return "".join(block["text"] for block in _blocks(done) if block["type"] == "text")


def thoughts(done: Done) -> str:
    return "".join(block["thinking"] for block in _blocks(done) if block["type"] == "thinking")


def results(done: Done) -> list[str]:
    return [str(line["message"]["content"][0]["content"]) for line in done.of("user")]


def _blocks(done: Done) -> list[dict[str, Any]]:
    return [block for line in done.of("assistant") for block in line["message"]["content"]]
