"""A program that drives us over pipes, with plain JSON: what an SDK does, without one."""

import json
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from harness.scripted.script import steps
from harness.scripted.server import Server, running
from tests.scenarios.house import COMMAND, House
from tests.schema import told

Json = dict[str, Any]
FLAGS = ("--output-format", "stream-json", "--verbose", "--system-prompt", "")
END = ("--input-format", "stream-json")
Answer = Callable[[Json], Any]  # a request's body to a payload; an exception is an error response


@dataclass
class Program:
    process: "subprocess.Popen[bytes]"
    server: Server
    answer: Answer | None = None
    lines: list[Json] = field(default_factory=list)
    asked: list[Json] = field(default_factory=list)  # control requests that came
    info: Json = field(default_factory=dict)  # what initialize answered
    silent: bool = False  # leave control requests unanswered
    _numbers: int = 0

    def send(self, line: Json | bytes) -> None:
        assert self.process.stdin
        self.process.stdin.write(line if isinstance(line, bytes) else json.dumps(line).encode() + b"\n")
        self.process.stdin.flush()

    def control(self, subtype: str, **fields: Any) -> Json:
        """Ask, and wait for the answer: the payload, or `{"error": ...}`."""
        self._numbers += 1
        name = f"req_{self._numbers}"
        self.send({"type": "control_request", "request_id": name, "request": {"subtype": subtype, **fields}})
        found = self.until(lambda line: line.get("response", {}).get("request_id") == name)["response"]
        payload: Json = found["response"] if found["subtype"] == "success" else {"error": found["error"]}
        return payload

    def say(self, text: Any, **more: Any) -> None:
        message = {"role": "user", "content": text}
        self.send({"type": "user", "message": message, "parent_tool_use_id": None, "session_id": "", **more})

    def ask(self, text: Any, **more: Any) -> Json:
        """One turn: its result."""
        before = len(self.of("result"))
        self.say(text, **more)
        self.until(lambda _: len(self.of("result")) > before)
        return self.of("result")[-1]

    def of(self, *kind: str) -> list[Json]:
        return [line for line in self.lines if (line["type"], line.get("subtype"))[: len(kind)] == kind]

    def until(self, seen: Callable[[Json], Any], within: float = 20) -> Json:
        end, at = time.monotonic() + within, 0
        while True:
            while at < len(self.lines):
                if seen(self.lines[at]):
                    return self.lines[at]
                at += 1
            assert time.monotonic() < end, f"never came; so far: {self.lines[-4:]}"
            over = self.process.stdout is None or self.process.stdout.closed
            assert not over or at < len(self.lines), f"it ended without it: {self.lines[-4:]}"
            time.sleep(0.005)

    def close(self) -> tuple[int, str]:
        """End its input; the exit code and what it wrote to stderr."""
        assert self.process.stdin
        assert self.process.stderr
        if not self.process.stdin.closed:
            self.process.stdin.close()
        code = self.process.wait(20)
        return code, self.process.stderr.read().decode()

    def read(self) -> None:
        assert self.process.stdout
        with self.process.stdout as out:
            for raw in out:
                assert len(raw.decode()) <= 1 << 20
                line = told(json.loads(raw))
                if line["type"] == "control_request":
                    self.asked.append(line)
                    self.lines.append(line)
                    if not self.silent:
                        self._answer(line)
                else:
                    self.lines.append(line)

    def _answer(self, line: Json) -> None:
        name, response = line["request_id"], {}
        try:
            payload = self.answer(line["request"]) if self.answer else {}
            response = {"subtype": "success", "request_id": name, "response": payload}
        except RuntimeError as error:
            response = {"subtype": "error", "request_id": name, "error": str(error)}
        self.send({"type": "control_response", "response": response})


@contextmanager
def started(
    house: House,
    *tables: Json,
    flags: Sequence[str] = (),
    answer: Answer | None = None,
    env: dict[str, str] | None = None,
    hooks: Json | None = None,
    initialize: bool = True,
    **more: Any,
) -> Iterator[Program]:
    with running(steps(*(tables or ({"text": "unasked"},)))) as server:
        own = {**house.env(server.url), "CLAUDE_CODE_ENTRYPOINT": "sdk-py", "CLAUDE_CONFIG_DIR": str(house.config)}
        process = subprocess.Popen(
            [*COMMAND, *FLAGS, *flags, *END],
            cwd=house.project,
            env=own | (env or {}),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        program = Program(process, server, answer)
        reader = threading.Thread(target=program.read)
        reader.start()
        try:
            if initialize:
                program.info = program.control("initialize", hooks=hooks, **more)
            yield program
        finally:
            process.kill()
            reader.join()
            for pipe in (process.stdin, process.stderr):
                assert pipe
                try:
                    pipe.close()
                except BrokenPipeError:
                    pass  # something was unsent
            process.wait()
