"""`harness demo`, whole: real process, real endpoint, real session, real sandbox, real pytest and git."""

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from harness.demo import demo
from harness.errors import UsageError

FIXED = "interval.start <= merged[-1].end"


def run(place, *flags, start="from harness.cli import main", **env):
    """`harness demo` with all that it leaves behind in `place`."""
    code = f"{start}; import sys; sys.exit(main(['demo', *sys.argv[1:]]))"
    return subprocess.run(
        [sys.executable, "-c", code, *flags],
        env={**os.environ, "TMPDIR": str(place), "HOME": str(place), **env},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_mends_the_repository(tmp_path):
    done = run(tmp_path, "--yes", "--keep", OPENAI_API_KEY="sk-mine", OPENAI_BASE_URL="http://192.0.2.1/v1")
    assert done.returncode == 0, done.stdout + done.stderr
    (kept,) = map(Path, re.findall(r"Left for you to look at: (.*)", done.stdout))
    assert FIXED in (kept / "dayplan" / "intervals.py").read_text()
    session, _, now = done.stdout.partition("What is true now")
    assert "2 failed, 25 passed" in session
    assert "sk-mine" not in done.stdout
    assert f"+        if merged and {FIXED}:" in now
    assert "27 passed" in now
    assert "Sandbox: bubblewrap" in session or sys.platform != "linux"
    assert not list(tmp_path.glob(".*"))


def test_fails_where_the_tests_do_not_pass(tmp_path):
    """The repository is not as the script knows it: it gives up, and nobody says that it worked."""
    other = tmp_path / "demo"
    shutil.copytree(demo.HERE, other, ignore=shutil.ignore_patterns("__pycache__"))
    intervals = other / "repo" / "dayplan" / "intervals.py"
    intervals.write_text(intervals.read_text().replace("interval.start < merged", "merged[-1].end > interval.start"))
    start = f"from harness.cli import main; from harness.demo import demo; demo.HERE = demo.Path({str(other)!r})"
    done = run(tmp_path, "--yes", start=start)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "I will not guess" in done.stdout
    assert "the demo failed" in done.stdout
    assert not list(tmp_path.glob("harness-demo-*"))


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_leaves_nothing_behind_when_ended(tmp_path, sent, code):
    env = {**os.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen(
        [sys.executable, "-m", "harness", "demo", "--yes"], env=env, stdout=subprocess.PIPE
    ) as demo_run:
        assert demo_run.stdout is not None
        while b"Bash(" not in demo_run.stdout.readline():
            assert demo_run.poll() is None
        demo_run.send_signal(sent)
        try:
            demo_run.communicate(timeout=50)  # returns when nobody holds the other end, children included
        finally:
            demo_run.kill()
    assert demo_run.returncode == code
    assert not list(tmp_path.iterdir())


def test_no_is_an_answer(monkeypatch, capsys, tmp_path):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda prompt: "n")
    assert demo.main([]) == 1
    assert "sandbox" in capsys.readouterr().out
    assert not list(tmp_path.iterdir())


def test_missing_pytest_is_named(monkeypatch):
    monkeypatch.setattr(sys, "path", [])
    monkeypatch.delitem(sys.modules, "pytest")
    with pytest.raises(UsageError, match="-m pip install pytest"):
        demo.main(["--yes"])
