"""Run one case of the manifest inside a wrapper, and judge it by what it printed and by a look from outside."""

import json
import os
import pty
import select
import shlex
import signal
import subprocess
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from .bait import CANARY, Bait, bash

HERE = Path(__file__).parent
# Programs that a must-work case needs and a machine may lack: then that case is skipped, by name.
PROGRAMS = {
    "node_run": ("node", "npm"),
    "make_parallel": ("make", "gcc"),
    "system_headers": ("gcc",),
    "sandbox_gcc_asan": ("gcc",),
    "strace_self": ("strace",),
    "py_venv_pytest": ("/usr/bin/python3",),
}
_WORDS = {"attack": ("CONTAINED", "ESCAPED"), "work": ("WORKS", "BROKEN")}
_BOTH = {"RESIDUAL": _WORDS["attack"], "COST": _WORDS["work"]}  # documented, or better


@dataclass(frozen=True, slots=True)
class Verdict:
    """`verdict`: CONTAINED or ESCAPED, WORKS or BROKEN, or NOVERDICT where the case did not come so far."""

    name: str
    kind: str
    expected: str
    verdict: str
    detail: str
    seconds: float

    @property
    def passed(self) -> bool:
        return self.verdict in {self.expected, *_BOTH.get(self.expected, ())}

    def as_json(self) -> dict[str, Any]:
        return asdict(self) | {"passed": self.passed}

    def __str__(self) -> str:
        detail = "" if self.passed and self.verdict == self.expected else self.detail[:110]
        return f"{'ok  ' if self.passed else 'FAIL'} {self.name:26} {self.verdict:9} {self.seconds:5.2f}s {detail}"


def manifest() -> list[dict[str, Any]]:
    cases: list[dict[str, Any]] = json.loads((HERE / "manifest.json").read_text())
    return cases


def run(case: dict[str, Any], wrapper: str) -> Verdict:
    began = time.monotonic()
    bait = Bait(case["variant"])
    try:
        text = _inside(case, bait, _words(case, bait, wrapper))
        verdict, detail = _judge(case, text, bash(case["post"], bait.env) if case.get("post") else None)
    finally:
        bait.close()
    return Verdict(case["name"], case["kind"], case["expected"], verdict, detail, round(time.monotonic() - began, 2))


def _words(case: dict[str, Any], bait: Bait, wrapper: str) -> list[str]:
    places = {
        "{project}": bait.project,
        "{home}": bait.home,
        "{denied}": bait.project / "secrets",
        "{main}": bait.main,
        "{otherhome}": bait.other,
    }
    words = []
    for template in shlex.split(wrapper):
        words.append(template)
        for name, place in places.items():
            words[-1] = words[-1].replace(name, str(place))
    script = HERE / case["file"]
    program = "/usr/bin/python3" if script.suffix == ".py" else "bash"
    return [*words, program, "-c", script.read_text()]  # as text: nothing has to be mounted


def _inside(case: dict[str, Any], bait: Bait, words: list[str]) -> str:
    needs, env = case.get("needs", []), dict(bait.env)
    if "secretenv" in needs:
        socket = env["HT_SOCK"]
        env |= {"ANTHROPIC_API_KEY": CANARY, "GITHUB_TOKEN": CANARY}
        env |= {"SSH_AUTH_SOCK": socket, "DBUS_SESSION_BUS_ADDRESS": f"unix:path={socket}"}
    if "tty" in needs:
        return _on_a_terminal(words, bait.project, env)
    leaked = os.open(bait.outside / "canary.txt", os.O_RDWR) if "leakfd" in needs else None
    process = subprocess.Popen(
        words,
        cwd=bait.project,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        pass_fds=() if leaked is None else (leaked,),
        start_new_session=True,
    )
    try:
        return process.communicate(timeout=60)[0]
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        return process.communicate()[0] + "\nTIMEOUT"
    finally:
        if leaked is not None:
            os.close(leaked)


def _on_a_terminal(words: list[str], cwd: Path, env: dict[str, str]) -> str:
    pid, master = pty.fork()
    if pid == 0:
        os.chdir(cwd)
        os.execvpe(words[0], words, env)
    shown, end = b"", time.monotonic() + 40
    while time.monotonic() < end:
        if not select.select([master], [], [], 1)[0]:
            continue
        try:
            data = os.read(master, 4096)
        except OSError:
            break  # the other side is closed
        if not data:
            break
        shown += data
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass  # gone by itself
    os.waitpid(pid, 0)
    os.close(master)
    return shown.decode(errors="replace").replace("\r", "")


def _judge(case: dict[str, Any], text: str, after: str | None) -> tuple[str, str]:
    """The worse of both: what the case said inside, and what is seen outside."""
    good, bad = _WORDS[case["kind"]]
    inside, said = _verdict(text, good, bad)
    if after is None or inside in {bad, "NOVERDICT"}:
        return inside, said
    outside, seen = _verdict(after, good, bad)
    return outside, f"seen outside: {seen}" if outside != good else said


def _verdict(text: str, good: str, bad: str) -> tuple[str, str]:
    lines = text.strip().splitlines()
    firsts = [line.split(" ", 1)[0] for line in lines]
    if bad in firsts:
        return bad, lines[firsts.index(bad)]
    return (good if good in firsts else "NOVERDICT"), lines[-1][:200] if lines else ""
