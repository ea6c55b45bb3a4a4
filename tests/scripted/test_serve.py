"""`harness serve-script` as a real process."""

import json
import signal
import subprocess
import sys
from contextlib import contextmanager

import httpx
import pytest

COMMAND = [sys.executable, "-m", "harness", "serve-script"]


def ended(*args):
    """A run that ends by itself."""
    return subprocess.run([*COMMAND, *map(str, args)], capture_output=True, text=True, timeout=20, check=False)


@contextmanager
def served(*args):
    """The process and its base URL; killed if the test did not end it."""
    process = subprocess.Popen([*COMMAND, *map(str, args)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield process, process.stdout.readline().strip()
    finally:
        process.kill()
        process.communicate()


@pytest.fixture
def script(tmp_path):
    file = tmp_path / "script.toml"
    file.write_text('[[step]]\ntext = "hi"\n')
    return file


def ask(url):
    with httpx.Client(verify=False) as client:
        return client.post(
            f"{url}/chat/completions", json={"model": "m", "messages": [{"role": "user", "content": "q"}]}
        )


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
def test_serves_until_told_to_end(script, tmp_path, sent):
    log = tmp_path / "log.jsonl"
    with served(script, "--strict", "--log", log) as (process, url):
        assert ask(url).status_code == 200
        process.send_signal(sent)
        assert process.wait(5) == 0
    line = json.loads(log.read_text())
    assert (line["step"], line["status"], line["body"]["model"]) == ("step 1", 200, "m")
    assert line["arrived"] < line["sent"]


@pytest.mark.parametrize(("flags", "code"), [(["--strict"], 1), ([], 0)])
def test_refused_requests_are_told_at_the_end(script, flags, code):
    with served(script, *flags) as (process, url):
        ask(url)
        assert ask(url).status_code == 400
        process.terminate()
        assert process.wait(5) == code
        assert "refused: no step answers request 2" in process.stderr.read()


def test_unusable_script(tmp_path):
    run = ended(tmp_path / "none.toml")
    assert run.returncode == 2
    assert "none.toml: cannot be read" in run.stderr
    assert not run.stdout


@pytest.mark.parametrize(
    ("flags", "what"),
    [
        (["--port", "99999"], "cannot listen on 127.0.0.1 port 99999"),
        (["--host", "192.0.2.1"], "cannot listen on 192.0.2.1"),
        (["--log", "/nowhere/log"], "--log /nowhere/log: cannot be written"),
    ],
)
def test_unusable_flags(script, flags, what):
    run = ended(script, *flags)
    assert run.returncode == 2
    assert what in run.stderr


def test_starts_light():
    heavy = ("pydantic", "httpx", "anyio")
    code = f"import sys, harness.cli, harness.scripted.serve; print([m for m in {heavy} if m in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
